// The projection loss of one image on one CPU thread. No torch here, so that sanitizers see nothing but this.
#pragma once
#include <algorithm>
#include <utility>
#include <vector>

#include "projection.h"

namespace pose_regressor {

// Compiled once more for wider registers, and chosen when the library is loaded.
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define FOR_EVERY_CPU __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define FOR_EVERY_CPU
#endif

// The points as three rows, x, y and z, each `count` long.
template <typename T>
struct Points {
  const T *x, *y, *z;
  int count;

  Points(const T* rows, int count) : x(rows), y(rows + count), z(rows + 2 * int64_t(count)), count(count) {}
};

// `land` for all points. Nothing overlaps, which is what lets the compiler take several points at a time.
template <typename T>
inline __attribute__((always_inline)) void land_each(const Points<T>& points, View<T> view, T* __restrict a,
                                                     T* __restrict b, int* __restrict pixel) {
  const T *__restrict x = points.x, *__restrict y = points.y, *__restrict z = points.z;
  const int count = points.count;
  for (int i = 0; i < count; ++i) {
    const Landing<T> landing = land(view, x[i], y[i], z[i]);
    a[i] = landing.a;
    b[i] = landing.b;
    pixel[i] = landing.pixel;
  }
}

// Clones cannot be made of a template.
FOR_EVERY_CPU static void land_all(const Points<float>& points, const View<float>& view, float* a, float* b, int* pixel) {
  land_each(points, view, a, b, pixel);
}
FOR_EVERY_CPU static void land_all(const Points<double>& points, const View<double>& view, double* a, double* b, int* pixel) {
  land_each(points, view, a, b, pixel);
}

// Memory that one thread uses for one image after the other.
template <typename T>
class ImageLoss {
 public:
  ImageLoss(int count, int height, int width)
      : height_(height), width_(width), line_(padded(width)), a_(count), b_(count), pixel_(count),
        first_(pixels() + 1), landed_(pixels() + 1), by_a_(pixels()), by_b_(pixels()),
        covered_(pixels() / 32 + 1), covered_by_column_(int64_t(width) * padded(height) / 32), wanted_(pixels() / 32 + 1) {}

  // The loss; adds the gradient by rotation and translation to pose[12] unless that is null.
  T operator()(const Points<T>& points, const View<T>& predicted, const View<T>& true_, Kernel kernel, double* pose) {
    mark(points, true_, wanted_);
    mark(points, predicted, covered_);
    const auto [intersection, union_] = overlap();
    if (union_ == 0) return 0;
    const T loss = T(1) - T(intersection) / T(union_);
    if (pose == nullptr || intersection == union_) return loss;
    const Silhouettes silhouettes{{covered_.data(), width_}, {covered_by_column_.data(), height_},
                                  {wanted_.data(), width_},  intersection, union_};
    elect(points.count, kernel);
    if (kernel == Kernel::one_pixel) {
      feel_neighbours(silhouettes);
    } else {
      feel_differences(silhouettes);
    }
    collect(points, predicted, pose);
    return loss;
  }

 private:
  int64_t pixels() const { return int64_t(height_) * line_; }

  // Where every point lands, and which pixels are hit.
  void mark(const Points<T>& points, const View<T>& view, std::vector<uint32_t>& hit) {
    land_all(points, view, a_.data(), b_.data(), pixel_.data());
    std::fill(hit.begin(), hit.end(), 0);
    for (int i = 0; i < points.count; ++i) hit[pixel_[i] / 32] |= 1u << (pixel_[i] % 32);
    hit.back() = 0;  // what landed nowhere
  }

  std::pair<int, int> overlap() const {
    int intersection = 0, union_ = 0;
    for (size_t word = 0; word < covered_.size(); ++word) {
      intersection += count_bits(covered_[word] & wanted_[word]);
      union_ += count_bits(covered_[word] | wanted_[word]);
    }
    return {intersection, union_};
  }

  // The representative of each covered pixel; the one with the lowest index is written last.
  void elect(int count, Kernel kernel) {
    for (int i = count - 1; i >= 0; --i) first_[pixel_[i]] = i;
    if (kernel == Kernel::one_pixel) {
      for (int i = 0; i < count; ++i) landed_[pixel_[i]] = 0;
      for (int i = 0; i < count; ++i) ++landed_[pixel_[i]];
    } else {
      std::fill(covered_by_column_.begin(), covered_by_column_.end(), 0);
      const int column_line = padded(height_);
      each(covered_, [&](int pixel) {
        const int bit = pixel % line_ * column_line + pixel / line_;
        covered_by_column_[bit / 32] |= 1u << (bit % 32);
      });
    }
  }

  void feel_neighbours(const Silhouettes& silhouettes) {
    each(covered_, [&](int pixel) {
      const int point = first_[pixel];
      one_pixel(silhouettes, pixel / line_, pixel % line_, landed_[pixel] == 1, a_[point], b_[point], height_, width_,
                by_a_[pixel], by_b_[pixel]);
    });
  }

  void feel_differences(const Silhouettes& silhouettes) {
    const auto coordinate = [&](int pixel, int axis) { return (axis == 0 ? a_ : b_)[first_[pixel]]; };
    const auto add = [&](int pixel, int axis, T value) { (axis == 0 ? by_a_ : by_b_)[pixel] += value; };
    for (size_t word = 0; word < covered_.size(); ++word) {
      for (uint32_t left = covered_[word] ^ wanted_[word]; left != 0; left &= left - 1) {
        const int pixel = 32 * int(word) + lowest_bit(left);
        long_range<T>(silhouettes, pixel / line_, pixel % line_, coordinate, add);
      }
    }
  }

  // From the grid to the pose; leaves the pixels' gradients at zero for the next image.
  void collect(const Points<T>& points, const View<T>& view, double* pose) {
    each(covered_, [&](int pixel) {
      const T by_a = std::exchange(by_a_[pixel], T(0)), by_b = std::exchange(by_b_[pixel], T(0));
      if (by_a == 0 && by_b == 0) return;
      const int point = first_[pixel];
      pull_back(view, points.x[point], points.y[point], points.z[point], by_a, by_b, pose);
    });
  }

  template <typename Do>
  static void each(const std::vector<uint32_t>& words, Do act) {
    for (size_t word = 0; word < words.size(); ++word) {
      for (uint32_t left = words[word]; left != 0; left &= left - 1) act(32 * int(word) + lowest_bit(left));
    }
  }

  int height_, width_, line_;
  std::vector<T> a_, b_;
  std::vector<int> pixel_, first_, landed_;
  std::vector<T> by_a_, by_b_;
  std::vector<uint32_t> covered_, covered_by_column_, wanted_;
};

}  // namespace pose_regressor
