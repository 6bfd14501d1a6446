// The projection loss of the CPU and the CUDA kernels run on threads, on random and on extreme inputs: they must agree.
// Made to be compiled with sanitizers; exits with 1 and says where if the two differ.
#include <cmath>
#include <cstdio>
#include <limits>
#include <memory>
#include <random>

#include "op.cu"
#include "projection_cpu.h"

namespace pose_regressor::testing {

constexpr int kImages = 2;

struct Case {
  const char* name;
  int count, height, width;
  double spread;  // how far the two poses are apart, and how large the object is, in metres
  double depth;   // of the object's centre
};

constexpr Case kCases[] = {
    {"ordinary", 300, 24, 40, 0.1, 0.6},     {"many points in few pixels", 4000, 5, 3, 0.1, 5.0},
    {"one pixel", 50, 1, 1, 0.1, 0.6},       {"one point", 1, 16, 16, 0.1, 0.6},
    {"behind the camera", 50, 16, 16, 0.1, -0.6}, {"around the camera", 300, 33, 31, 0.5, 0.05},
    {"wide", 500, 3, 200, 0.3, 0.6},         {"high", 500, 200, 3, 0.3, 0.6},
    {"too large for shared memory", 900, 600, 500, 0.1, 0.6}, {"off the grid", 50, 8, 8, 0.0, 1e-5},
    {"not a number", 50, 16, 16, 0.1, std::numeric_limits<double>::quiet_NaN()},
    {"infinitely far", 50, 16, 16, 0.1, std::numeric_limits<double>::infinity()},
};

// Exactly as large as needed, so that a step outside is seen.
template <typename T>
std::unique_ptr<T[]> heap(const std::vector<T>& values) {
  std::unique_ptr<T[]> copy(new T[values.size()]);
  std::copy(values.begin(), values.end(), copy.get());
  return copy;
}

template <typename T>
bool agree(const Case& test, Kernel kernel, bool differentiate, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  std::vector<T> points, rotation[2], translation[2], camera;
  for (int i = 0; i < 3 * test.count; ++i) points.push_back(T(0.1 * normal(random)));
  for (int image = 0; image < kImages; ++image) {
    for (int pose = 0; pose < 2; ++pose) {
      const double angle = normal(random) * test.spread * 3, c = std::cos(angle), s = std::sin(angle);
      for (double value : {c, -s, 0.0, s, c, 0.0, 0.0, 0.0, 1.0}) rotation[pose].push_back(T(value));
      for (double value : {0.0, 0.0, test.depth}) translation[pose].push_back(T(value + test.spread * 0.3 * normal(random)));
    }
    const double focal = 1.5 * std::max(test.height, test.width);
    for (double value : {focal, 0.1, test.width / 2.0, 0.0, focal, test.height / 2.0, 0.0, 0.0, 1.0}) {
      camera.push_back(T(value));
    }
  }
  const int64_t pixels = int64_t(test.height) * padded(test.width);
  const auto ints = [](int64_t size) { return heap(std::vector<int>(size, 12345)); };
  const auto first = ints(kImages * pixels), last = ints(kImages * pixels);
  const auto planes = heap(std::vector<uint32_t>(kImages * plane_words(test.height, test.width), 0xdeadbeef));
  const auto loss = heap(std::vector<T>(kImages)), by_rotation = heap(std::vector<T>(9 * kImages));
  const auto by_translation = heap(std::vector<T>(3 * kImages));
  const auto held = heap(points), r = heap(rotation[0]), t = heap(translation[0]), r_gt = heap(rotation[1]),
             t_gt = heap(translation[1]), k = heap(camera);
  const char* error = launch<T>(
      {held.get(), r.get(), t.get(), r_gt.get(), t_gt.get(), k.get(), 0, 9, kImages, test.count, test.height,
       test.width, T(0.9), kernel, first.get(), last.get(), planes.get(), loss.get(),
       differentiate ? by_rotation.get() : nullptr, differentiate ? by_translation.get() : nullptr},
      nullptr);
  if (error != nullptr) return false;

  static ImageLoss<T> image_loss;  // one for all cases, as in the operator
  image_loss.resize(test.count, test.height, test.width);
  for (int image = 0; image < kImages; ++image) {
    double pose[12] = {};
    const auto view = [&](const auto& rotations, const auto& translations) {
      return View<T>(rotations.get() + 9 * image, translations.get() + 3 * image, k.get() + 9 * image, T(0.9),
                     test.height, test.width);
    };
    const T expected = image_loss(held.get(), view(r, t), view(r_gt, t_gt), kernel,
                                  differentiate ? pose : nullptr);
    if (!(loss[image] == expected)) {
      std::printf("%s: loss %g, expected %g\n", test.name, double(loss[image]), double(expected));
      return false;
    }
    double norm = 0, off = 0;
    for (int i = 0; differentiate && i < 12; ++i) {
      const double got = i < 9 ? by_rotation[9 * image + i] : by_translation[3 * image + i - 9];
      norm += pose[i] * pose[i];
      off += (got - pose[i]) * (got - pose[i]);
    }
    if (!(std::sqrt(off) <= 1e-5 * std::sqrt(norm))) {
      std::printf("%s: gradient off by %g of %g\n", test.name, std::sqrt(off), std::sqrt(norm));
      return false;
    }
  }
  return true;
}

}  // namespace pose_regressor::testing

namespace pose_regressor {
namespace {
alignas(8) uint32_t shared[kSharedBytes / sizeof(uint32_t)];
}
}  // namespace pose_regressor

void shared_memory(size_t bytes) {
  using namespace pose_regressor;
  if (bytes > kSharedBytes) std::abort();
  std::fill(std::begin(shared), std::end(shared), 0xdeadbeef);
}

int main() {
  using namespace pose_regressor;
  unsigned seed = 0;
  bool good = true;
  for (const testing::Case& test : testing::kCases) {
    for (const Kernel kernel : {Kernel::one_pixel, Kernel::long_range}) {
      for (const bool differentiate : {true, false}) {
        good &= testing::agree<float>(test, kernel, differentiate, ++seed);
        good &= testing::agree<double>(test, kernel, differentiate, ++seed);
      }
    }
  }
  std::printf(good ? "agree\n" : "differ\n");
  return good ? 0 : 1;
}
