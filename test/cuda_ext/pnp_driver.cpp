// Solves and differentiates random and extreme problems. Made to be compiled with sanitizers; exits with 1 and says where
// if a pose or a gradient is not finite, or if a good problem is not solved.
#include <cstdio>
#include <limits>
#include <memory>
#include <random>

#include "pnp_solve.h"

namespace pose_regressor::pnp::testing {

struct Case {
  const char* name;
  int count;
  double extent, depth, noise;
  bool solvable;
};

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr Case kCases[] = {
    {"ordinary", 20, 1, 5, 1, true},     {"four points", 4, 1, 5, 0.1, true},
    {"many points", 3000, 1, 5, 2, true}, {"tiny", 20, 1e-6, 5e-6, 1, true},
    {"huge", 20, 1e9, 5e9, 1, true},      {"no points", 0, 1, 5, 1, false},
    {"one point", 1, 1, 5, 1, false},     {"in one place", 20, 0, 5, 1, false},
    {"behind", 20, 1, -5, 1, false},      {"around the camera", 20, 1, 0.1, 1, false},
    {"noise alone", 20, 1, 5, 1e6, false}, {"not a number", 20, kNan, 5, 1, false},
    {"infinite", 20, 1, kInfinity, 1, false}, {"too large", 20, 1, 5, 1e200, false},
};

// Exactly as large as needed, so that a step outside is seen.
std::unique_ptr<double[]> array(int size) { return std::make_unique<double[]>(static_cast<size_t>(size)); }

bool run(const Case& test, Loss kind, bool with_start, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  const auto pixels = array(2 * test.count), points = array(3 * test.count), weights = array(test.count);
  const double camera[9] = {600, 0, 320, 0, 600, 240, 0, 0, 1};
  for (int i = 0; i < test.count; ++i) {
    double p[3];
    for (int k = 0; k < 3; ++k) points[3 * i + k] = p[k] = test.extent * normal(random) / 3;
    for (int k = 0; k < 2; ++k) {
      pixels[2 * i + k] = 600 * p[k] / (p[2] + test.depth) + (k ? 240 : 320) + test.noise * normal(random);
    }
    weights[i] = i % 7 == 6 ? 0 : 1;
  }
  Problem problem;
  const bool valid = problem.read(test.count, pixels.get(), points.get(), camera, weights.get());
  const Pose start = {{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, test.depth}}};
  const Robust loss{kind, 5};
  const Solution solution = solve(problem, valid, with_start ? &start : nullptr, {20, loss, -1, 1e-5});
  bool good = !test.solvable || solution.status == ok;
  for (const auto& row : solution.rotation)
    for (double value : row) good = good && std::isfinite(value);
  for (double value : solution.translation) good = good && std::isfinite(value);
  if (solution.status == ok) {
    Pose pose;
    for (int i = 0; i < 3; ++i) {
      for (int j = 0; j < 3; ++j) pose[i][j] = solution.rotation[i][j];
      pose[i][3] = solution.translation[i];
    }
    Gradients by;
    if (gradients(problem, pose, {{{1, 2, 3}, {4, 5, 6}, {7, 8, 9}}}, {1, 2, 3}, loss, by)) {
      for (const auto* values : {&by.pixels, &by.points, &by.weights})
        for (double value : *values) good = good && std::isfinite(value);
    }
  }
  if (!good) std::printf("%s, loss %d, %s start: status %d\n", test.name, static_cast<int>(kind), with_start ? "a" : "no",
                         solution.status);
  return good;
}

}  // namespace pose_regressor::pnp::testing

int main() {
  using namespace pose_regressor::pnp;
  bool good = true;
  for (const auto& test : testing::kCases)
    for (Loss kind : {Loss::none, Loss::huber, Loss::cauchy, Loss::geman_mcclure})
      for (bool with_start : {false, true})
        for (unsigned seed = 0; seed < 5; ++seed) good = testing::run(test, kind, with_start, seed) && good;
  if (good) std::puts("agree");
  return good ? 0 : 1;
}
