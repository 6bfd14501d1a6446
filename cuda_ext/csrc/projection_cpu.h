// The projection loss of one image on one CPU thread. No torch here, so that sanitizers see nothing but this.
#pragma once
#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "clones.h"
#include "projection.h"

namespace pose_regressor {

// Loops that the compiler takes several points at a time of: nothing in them branches, nothing overlaps. Their bodies are
// templates, of which clones cannot be made.

// The pixels of all points (count, 3) from two views. What is read is used twice, and little is written.
template <typename T>
inline __attribute__((always_inline)) void land_each(const T* __restrict points, int count, View<T> one, View<T> other,
                                                     int* __restrict pixel_of_one, int* __restrict pixel_of_other) {
  for (int64_t i = 0; i < count; ++i) {
    const T x = points[3 * i], y = points[3 * i + 1], z = points[3 * i + 2];
    pixel_of_one[i] = land(one, x, y, z).pixel;
    pixel_of_other[i] = land(other, x, y, z).pixel;
  }
}

// Where in the grid points (count, 3) land.
template <typename T>
inline __attribute__((always_inline)) void place_each(const T* __restrict points, int count, View<T> view,
                                                      T* __restrict a, T* __restrict b) {
  for (int64_t i = 0; i < count; ++i) {
    const Landing<T> landing = land(view, points[3 * i], points[3 * i + 1], points[3 * i + 2]);
    a[i] = landing.a;
    b[i] = landing.b;
  }
}

// `one_pixel` for the representatives (count) of covered pixels.
template <typename T>
inline __attribute__((always_inline)) void feel_each(Silhouettes<T> silhouettes, int count, const int* __restrict own,
                                                     const int* __restrict single, const T* __restrict a,
                                                     const T* __restrict b, int height, int width, T* __restrict by_a,
                                                     T* __restrict by_b) {
  for (int64_t i = 0; i < count; ++i) {
    one_pixel(silhouettes, own[i], single[i], a[i], b[i], height, width, by_a[i], by_b[i]);
  }
}

#define CLONES_OF_LOOPS(T)                                                                                             \
  FOR_EVERY_CPU static void land_all(const T* points, int count, const View<T>& one, const View<T>& other,             \
                                     int* pixel_of_one, int* pixel_of_other) {                                         \
    land_each(points, count, one, other, pixel_of_one, pixel_of_other);                                                \
  }                                                                                                                    \
  FOR_EVERY_CPU static void place_all(const T* points, int count, const View<T>& view, T* a, T* b) {                   \
    place_each(points, count, view, a, b);                                                                             \
  }                                                                                                                    \
  FOR_EVERY_CPU static void feel_all(const Silhouettes<T>& silhouettes, int count, const int* own, const int* single,  \
                                     const T* a, const T* b, int height, int width, T* by_a, T* by_b) {                \
    feel_each(silhouettes, count, own, single, a, b, height, width, by_a, by_b);                                       \
  }
CLONES_OF_LOOPS(float)
CLONES_OF_LOOPS(double)
#undef CLONES_OF_LOOPS

// Works on one image after the other, in memory that it keeps.
template <typename T>
class ImageLoss {
 public:
  void resize(int count, int height, int width) {
    count_ = count, height_ = height, width_ = width, line_ = padded(width);
    const int64_t pixels = int64_t(height) * line_;
    const int64_t most = std::min<int64_t>(count, pixels);
    for (auto* of_points : {&pixel_, &wanted_pixel_}) of_points->resize(count);
    for (auto* bytes : {&hit_, &wanted_hit_}) bytes->resize(pixels + 1);  // one more for what lands nowhere
    for (auto* indices : {&first_, &last_}) indices->resize(pixels + 1);
    for (auto* bits : {&covered_, &wanted_}) bits->resize(pixels / 32);
    covered_by_column_.resize(int64_t(width) * padded(height) / 32);
    for (auto* integers : {&own_, &single_}) integers->resize(most);
    for (auto* reals : {&a_, &b_, &by_a_, &by_b_}) reals->resize(most);
    point_.resize(3 * most);
  }

  // The loss of points (count, 3); adds the gradient by rotation and translation to pose[12] unless that is null.
  T operator()(const T* points, const View<T>& predicted, const View<T>& true_, Kernel kernel, double* pose) {
    land_all(points, count_, true_, predicted, wanted_pixel_.data(), pixel_.data());
    mark(pose != nullptr, pose != nullptr && kernel == Kernel::one_pixel);
    const auto [intersection, union_] = overlap();
    if (union_ == 0) return 0;
    const T loss = T(1) - T(intersection) / T(union_);
    if (pose == nullptr || intersection == union_) return loss;
    represent(points, predicted);
    const Silhouettes<T> silhouettes({covered_.data(), width_}, {covered_by_column_.data(), height_},
                                     {wanted_.data(), width_}, intersection, union_);
    if (kernel == Kernel::one_pixel) {
      feel_all(silhouettes, chosen_, own_.data(), single_.data(), a_.data(), b_.data(), height_, width_, by_a_.data(),
               by_b_.data());
    } else {
      feel_differences(silhouettes);
    }
    collect(predicted, pose);
    return loss;
  }

 private:
  // Which pixels are hit: bytes first, for a bit would have to wait for the one before it in the same word. And by whom:
  // the first point of each pixel, stored in the opposite order, and the last one.
  void mark(bool first_too, bool last_too) {
    // With fewer pixels than points, whether there is a first one is asked sooner than marked for every point.
    const bool by_first = first_too && hit_.size() < pixel_.size();
    std::fill(wanted_hit_.begin(), wanted_hit_.end(), 0);
    if (by_first) {
      std::fill(first_.begin(), first_.end(), -1);
    } else {
      std::fill(hit_.begin(), hit_.end(), 0);
    }
    // Pointers of their own: what is written could alias the members, and these would be read anew for every point.
    const int *pixel = pixel_.data(), *wanted_pixel = wanted_pixel_.data(), count = count_;
    int *first = first_.data(), *last = last_.data();
    uint8_t *hit = hit_.data(), *wanted_hit = wanted_hit_.data();
    const auto each_point = [=](auto store) {
      for (int i = 0, other = count - 1; i < count; ++i, --other) {
        wanted_hit[wanted_pixel[i]] = 1;
        store(i, other);
      }
    };
    const auto store_hit = [=](int i) { hit[pixel[i]] = 1; };
    const auto store_first = [=](int i) { first[pixel[i]] = i; };
    const auto store_last = [=](int i) { last[pixel[i]] = i; };
    if (by_first && last_too) {
      each_point([=](int i, int other) { store_first(other), store_last(i); });
    } else if (by_first) {
      each_point([=](int, int other) { store_first(other); });
    } else if (last_too) {
      each_point([=](int i, int other) { store_hit(i), store_first(other), store_last(i); });
    } else if (first_too) {
      each_point([=](int i, int other) { store_hit(i), store_first(other); });
    } else {
      each_point([=](int i, int) { store_hit(i); });
    }
    if (by_first) std::transform(first_.begin(), first_.end(), hit_.begin(), [](int i) { return uint8_t(i >= 0); });
    pack(hit_, covered_);
    pack(wanted_hit_, wanted_);
  }

  static void pack(const std::vector<uint8_t>& bytes, std::vector<uint32_t>& bits) {
    for (size_t word = 0; word < bits.size(); ++word) bits[word] = packed(bytes.data() + 32 * word);
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

  // The representative of each covered pixel, in the order of the pixels.
  void represent(const T* points, const View<T>& view) {
    chosen_ = 0;
    each(covered_, [&](int pixel) {
      const int point = first_[pixel];
      for (int axis = 0; axis < 3; ++axis) point_[3 * chosen_ + axis] = points[3 * int64_t(point) + axis];
      own_[chosen_] = pixel;
      single_[chosen_] = point == last_[pixel];
      first_[pixel] = chosen_++;  // from here on
    });
    place_all(point_.data(), chosen_, view, a_.data(), b_.data());
  }

  void feel_differences(const Silhouettes<T>& silhouettes) {
    std::fill(covered_by_column_.begin(), covered_by_column_.end(), 0);
    const int column_line = padded(height_);
    each(covered_, [&](int pixel) {
      const int bit = pixel % line_ * column_line + pixel / line_;
      covered_by_column_[bit / 32] |= 1u << (bit % 32);
    });
    for (auto* gradients : {&by_a_, &by_b_}) std::fill_n(gradients->begin(), chosen_, T(0));
    const auto coordinate = [&](int pixel, int axis) { return (axis == 0 ? a_ : b_)[first_[pixel]]; };
    const auto add = [&](int pixel, int axis, T value) { (axis == 0 ? by_a_ : by_b_)[first_[pixel]] += value; };
    for (size_t word = 0; word < covered_.size(); ++word) {
      each(covered_[word] ^ wanted_[word], word, [&](int pixel) {
        long_range(silhouettes, pixel / line_, pixel % line_, coordinate, add);
      });
    }
  }

  // From the grid to the pose.
  void collect(const View<T>& view, double* pose) const {
    for (int i = 0; i < chosen_; ++i) {
      if (by_a_[i] == 0 && by_b_[i] == 0) continue;
      pull_back(view, point_[3 * i], point_[3 * i + 1], point_[3 * i + 2], by_a_[i], by_b_[i], pose);
    }
  }

  template <typename Do>
  static void each(uint32_t bits, size_t word, Do act) {
    for (; bits != 0; bits &= bits - 1) act(32 * static_cast<int>(word) + lowest_bit(bits));
  }

  template <typename Do>
  static void each(const std::vector<uint32_t>& words, Do act) {
    for (size_t word = 0; word < words.size(); ++word) each(words[word], word, act);
  }

  int count_ = 0, height_ = 0, width_ = 0, line_ = 0, chosen_ = 0;
  std::vector<int> pixel_, wanted_pixel_;  // of each point
  std::vector<uint8_t> hit_, wanted_hit_;  // of each pixel
  std::vector<int> first_, last_;          // points; later on, which of the representatives
  std::vector<uint32_t> covered_, covered_by_column_, wanted_;
  std::vector<T> point_, a_, b_, by_a_, by_b_;  // of each representative
  std::vector<int> own_, single_;
};

}  // namespace pose_regressor
