// The projection loss of one image on one CPU thread. No torch here, so that sanitizers see nothing but this.
#pragma once
#include <algorithm>
#include <cstring>
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

// `land` for all points (count, 3). Nothing overlaps, which is what lets the compiler take several points at a time.
template <typename T>
inline __attribute__((always_inline)) void land_each(const T* __restrict points, int count, View<T> view,
                                                     T* __restrict a, T* __restrict b, int* __restrict pixel) {
  for (int64_t i = 0; i < count; ++i) {
    const Landing<T> landing = land(view, points[3 * i], points[3 * i + 1], points[3 * i + 2]);
    a[i] = landing.a;
    b[i] = landing.b;
    pixel[i] = landing.pixel;
  }
}

// Clones cannot be made of a template.
FOR_EVERY_CPU static void land_all(const float* points, int count, const View<float>& view, float* a, float* b, int* pixel) {
  land_each(points, count, view, a, b, pixel);
}
FOR_EVERY_CPU static void land_all(const double* points, int count, const View<double>& view, double* a, double* b,
                                   int* pixel) {
  land_each(points, count, view, a, b, pixel);
}

// Works on one image after the other, in memory that it keeps.
template <typename T>
class ImageLoss {
 public:
  void resize(int count, int height, int width) {
    count_ = count, height_ = height, width_ = width, line_ = padded(width);
    const int64_t pixels = int64_t(height) * line_;
    for (auto* points : {&a_, &b_}) points->resize(count);
    pixel_.resize(count);
    hit_.resize(pixels + 1);  // one more for what lands nowhere
    for (auto* indices : {&first_, &last_}) indices->resize(pixels + 1);
    for (auto* gradients : {&by_a_, &by_b_}) gradients->resize(pixels);
    for (auto* bits : {&covered_, &wanted_}) bits->resize(pixels / 32);
    covered_by_column_.resize(int64_t(width) * padded(height) / 32);
  }

  // The loss of points (count, 3); adds the gradient by rotation and translation to pose[12] unless that is null.
  T operator()(const T* points, const View<T>& predicted, const View<T>& true_, Kernel kernel, double* pose) {
    land_all(points, count_, true_, a_.data(), b_.data(), pixel_.data());
    mark(wanted_);
    land_all(points, count_, predicted, a_.data(), b_.data(), pixel_.data());
    const auto index = [](int i) { return i; };
    // With many points in few pixels: who is the last in each, which is asked for later, says also whether there is one.
    const bool last_first = pose != nullptr && kernel == Kernel::one_pixel && hit_.size() < pixel_.size();
    if (last_first) {
      std::fill(last_.begin(), last_.end(), -1);
      scatter(last_.data(), index);
      std::transform(last_.begin(), last_.end(), hit_.begin(), [](int point) { return uint8_t(point >= 0); });
      pack(covered_);
    } else {
      mark(covered_);
    }
    const auto [intersection, union_] = overlap();
    if (union_ == 0) return 0;
    const T loss = T(1) - T(intersection) / T(union_);
    if (pose == nullptr || intersection == union_) return loss;
    scatter(first_.data(), index, true);  // the point of the lowest index represents its pixel
    const Silhouettes<T> silhouettes({covered_.data(), width_}, {covered_by_column_.data(), height_},
                                     {wanted_.data(), width_}, intersection, union_);
    if (kernel == Kernel::one_pixel) {
      if (!last_first) scatter(last_.data(), index);
      feel_neighbours(silhouettes);
    } else {
      feel_differences(silhouettes);
    }
    collect(points, predicted, pose);
    return loss;
  }

 private:
  // Which pixels are hit. Bytes first: a bit would have to wait for the one before it in the same word.
  void mark(std::vector<uint32_t>& bits) {
    std::fill(hit_.begin(), hit_.end(), 0);
    scatter(hit_.data(), [](int) { return uint8_t(1); });
    pack(bits);
  }

  void pack(std::vector<uint32_t>& bits) const {
    for (size_t word = 0; word < bits.size(); ++word) bits[word] = packed(hit_.data() + 32 * word);
  }

  // A value for the pixel of each point, in the order of the points or in the opposite one. On pointers of its own: what
  // is written could alias the members, and these would be read anew for every point.
  template <typename Value, typename Of>
  void scatter(Value* target, Of value_of, bool backwards = false) const {
    const int* pixel = pixel_.data();
    const int count = count_;
    if (backwards) {
      for (int i = count - 1; i >= 0; --i) target[pixel[i]] = value_of(i);
    } else {
      for (int i = 0; i < count; ++i) target[pixel[i]] = value_of(i);
    }
  }

  static uint32_t packed(const uint8_t* bytes) {
    uint32_t word = 0;
    for (int part = 0; part < 4; ++part) {
      uint64_t eight;
      std::memcpy(&eight, bytes + 8 * part, 8);
      // The product has the lowest bits of the eight bytes, in order, in its highest byte.
      word |= static_cast<uint32_t>(eight * 0x0102040810204080 >> 56) << (8 * part);
    }
    return word;
  }

  std::pair<int, int> overlap() const {
    int intersection = 0, union_ = 0;
    for (size_t word = 0; word < covered_.size(); ++word) {
      intersection += count_bits(covered_[word] & wanted_[word]);
      union_ += count_bits(covered_[word] | wanted_[word]);
    }
    return {intersection, union_};
  }

  void feel_neighbours(const Silhouettes<T>& silhouettes) {
    each(covered_, [&](int pixel) {
      const int point = first_[pixel];
      one_pixel(silhouettes, pixel, point == last_[pixel], a_[point], b_[point], height_, width_, by_a_[pixel],
                by_b_[pixel]);
    });
  }

  void feel_differences(const Silhouettes<T>& silhouettes) {
    std::fill(covered_by_column_.begin(), covered_by_column_.end(), 0);
    const int column_line = padded(height_);
    each(covered_, [&](int pixel) {
      const int bit = pixel % line_ * column_line + pixel / line_;
      covered_by_column_[bit / 32] |= 1u << (bit % 32);
      by_a_[pixel] = by_b_[pixel] = 0;
    });
    const auto coordinate = [&](int pixel, int axis) { return (axis == 0 ? a_ : b_)[first_[pixel]]; };
    const auto add = [&](int pixel, int axis, T value) { (axis == 0 ? by_a_ : by_b_)[pixel] += value; };
    for (size_t word = 0; word < covered_.size(); ++word) {
      each(covered_[word] ^ wanted_[word], word, [&](int pixel) {
        long_range(silhouettes, pixel / line_, pixel % line_, coordinate, add);
      });
    }
  }

  // From the grid to the pose.
  void collect(const T* points, const View<T>& view, double* pose) const {
    each(covered_, [&](int pixel) {
      if (by_a_[pixel] == 0 && by_b_[pixel] == 0) return;
      const T* point = points + 3 * int64_t(first_[pixel]);
      pull_back(view, point[0], point[1], point[2], by_a_[pixel], by_b_[pixel], pose);
    });
  }

  template <typename Do>
  static void each(uint32_t bits, size_t word, Do act) {
    for (; bits != 0; bits &= bits - 1) act(32 * static_cast<int>(word) + lowest_bit(bits));
  }

  template <typename Do>
  static void each(const std::vector<uint32_t>& words, Do act) {
    for (size_t word = 0; word < words.size(); ++word) each(words[word], word, act);
  }

  int count_ = 0, height_ = 0, width_ = 0, line_ = 0;
  std::vector<T> a_, b_;              // of each point
  std::vector<int> pixel_;
  std::vector<uint8_t> hit_;          // of each pixel
  std::vector<int> first_, last_;
  std::vector<T> by_a_, by_b_;
  std::vector<uint32_t> covered_, covered_by_column_, wanted_;
};

}  // namespace pose_regressor
