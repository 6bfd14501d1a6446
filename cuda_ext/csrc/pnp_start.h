// Poses to start from: minima of an algebraic error over all rotations, and of them the one of least true error.
// pose_regressor/ops/pnp/initial.py derives what is computed here.
#pragma once
#include <limits>

#include "clones.h"
#include "pnp_descent.h"

namespace pose_regressor::pnp {

// Rotations whose error is computed, and the cosine of half the angle within which starts lead to the same minimum.
constexpr int kGrid = 512;
constexpr float kNearCosine = 0.906307787f;  // 25 degrees
constexpr int kCandidates = 5, kSteps = 4;
constexpr double kShareOfDamping = 1e-3, kSmallest = 1e-6;
// Rotations that are computed at a time.
constexpr int kLanes = 16;
typedef float Lanes __attribute__((vector_size(kLanes * sizeof(float))));
constexpr int kBlocks = kGrid / kLanes;

// M = |q|² R as a row of nine numbers, of a quaternion (x, y, z, w). It is q D(q).
inline Matrix<4, 9> half_slope(const Vector<4>& q) {
  const auto [x, y, z, w] = q;
  return {{{x, y, z, y, -x, -w, z, w, -x},
           {-y, x, w, x, y, z, -w, z, -y},
           {-z, -w, x, w, -z, y, x, y, z},
           {w, -z, y, z, w, -x, -y, x, w}}};
}

inline Vector<9> scaled_rotation(const Vector<4>& q) {
  const Matrix<4, 9> slope = half_slope(q);
  Vector<9> result{};
  for (int a = 0; a < 4; ++a)
    for (int i = 0; i < 9; ++i) result[i] += q[a] * slope[a][i];
  return result;
}

// Rotations spread evenly (Alexa, Super-Fibonacci Spirals, CVPR 2022).
struct Grid {
  Vector<4> quaternion[kGrid];
  Lanes rotation[9][kBlocks], axis[4][kBlocks];  // the same, entry by entry

  Grid() {
    const double turn = 2 * std::acos(-1.0);
    for (int i = 0; i < kGrid; ++i) {
      const double step = i + 0.5, inner = std::sqrt(step / kGrid), outer = std::sqrt(1 - step / kGrid);
      const double a = turn * step / std::sqrt(2.0), b = turn * step / 1.533751168755204288118041;
      quaternion[i] = {inner * std::sin(a), inner * std::cos(a), outer * std::sin(b), outer * std::cos(b)};
      const Vector<9> entries = scaled_rotation(quaternion[i]);
      for (int k = 0; k < 9; ++k) rotation[k][i / kLanes][i % kLanes] = static_cast<float>(entries[k]);
      for (int k = 0; k < 4; ++k) axis[k][i / kLanes][i % kLanes] = static_cast<float>(quaternion[i][k]);
    }
  }
};

inline const Grid& grid() {
  static const Grid once;
  return once;
}

// The algebraic error of M = s R: Mᵀ quadric M + 2 linear M. sideways: (M, 1) -> minus the best (t_x, t_y).
struct Algebraic {
  Matrix<9, 9> quadric;
  Vector<9> linear;
  Matrix<2, 10> sideways;
};

inline Algebraic eliminate_sideways(const Problem& problem) {
  Matrix<6, 10> sums{};
  for (int i = 0; i < problem.count(); ++i) {
    const double u = problem.u[i], v = problem.v[i], w = problem.weight[i];
    const double x = problem.x[i], y = problem.y[i], z = problem.z[i];
    const Vector<6> second = {w, 0, -w * u, w, -w * v, w * (u * u + v * v)};
    const Vector<10> products = {x * x, x * y, x * z, x, y * y, y * z, y, z * z, z, 1};
    for (int k = 0; k < 6; ++k)
      for (int m = 0; m < 10; ++m) sums[k][m] += second[k] * products[m];
  }
  const auto second = turned(sums, problem.camera);
  const auto by = [&](int a, int p, int b, int q) { return second[kProduct[p][q]][a][b]; };  // entries (a, p), (b, q)

  const double determinant = by(0, 3, 0, 3) * by(1, 3, 1, 3) - by(0, 3, 1, 3) * by(1, 3, 0, 3);
  Algebraic result;
  for (int column = 0; column < 10; ++column) {
    const int b = column < 9 ? column / 3 : 2, q = column < 9 ? column % 3 : 3;
    const double first = by(0, 3, b, q), other = by(1, 3, b, q);
    result.sideways[0][column] = (by(1, 3, 1, 3) * first - by(0, 3, 1, 3) * other) / determinant;
    result.sideways[1][column] = (by(0, 3, 0, 3) * other - by(1, 3, 0, 3) * first) / determinant;
  }
  const auto& sideways = result.sideways;
  for (int column = 0; column < 9; ++column) {
    const int b = column / 3, q = column % 3;
    for (int row = 0; row < 9; ++row) {
      const int a = row / 3, p = row % 3;
      result.quadric[row][column] =
          by(a, p, b, q) - by(0, 3, a, p) * sideways[0][column] - by(1, 3, a, p) * sideways[1][column];
    }
    result.linear[column] =
        by(2, 3, b, q) - by(2, 3, 0, 3) * sideways[0][column] - by(2, 3, 1, 3) * sideways[1][column];
  }
  return result;
}

// The error at each rotation of the grid, with the best scale, and that scale.
FOR_EVERY_CPU static void errors_on_grid(const Lanes (*rotation)[kBlocks], const float (&quadric)[9][9],
                                         const float (&linear)[9], Lanes* __restrict error, Lanes* __restrict scale) {
  for (int block = 0; block < kBlocks; ++block) {
    Lanes square{}, slope{};
    for (int i = 0; i < 9; ++i) {
      Lanes row = 0.5f * quadric[i][i] * rotation[i][block];
      for (int j = i + 1; j < 9; ++j) row += quadric[i][j] * rotation[j][block];
      square += 2 * row * rotation[i][block];
      slope += linear[i] * rotation[i][block];
    }
    const Lanes down = slope < 0 ? slope : Lanes{};  // above zero the object would be behind the camera
    scale[block] = -down / (square > 1e-12f ? square : 1e-12f + Lanes{});
    error[block] = down * scale[block];
  }
}

// The rotation of least error; the first if there is none.
FOR_EVERY_CPU static int lowest(const Lanes* error) {
  Lanes least = error[0];
  for (int block = 1; block < kBlocks; ++block) least = error[block] < least ? error[block] : least;
  float value = least[0];
  for (int lane = 1; lane < kLanes; ++lane) value = least[lane] < value ? least[lane] : value;
  for (int i = 0; i < kGrid; ++i) {
    if (error[i / kLanes][i % kLanes] == value) return i;
  }
  return 0;
}

// Takes the rotations near the picked one out.
FOR_EVERY_CPU static void leave_near(const Lanes (*axis)[kBlocks], const Vector<4>& picked, Lanes* error) {
  Lanes entry[4];
  for (int k = 0; k < 4; ++k) entry[k] = static_cast<float>(picked[k]) + Lanes{};
  for (int block = 0; block < kBlocks; ++block) {
    Lanes cosine{};
    for (int k = 0; k < 4; ++k) cosine += entry[k] * axis[k][block];
    error[block] = cosine * cosine > kNearCosine * kNearCosine ? std::numeric_limits<float>::infinity() + Lanes{} : error[block];
  }
}

// Gauss-Newton by a quaternion of squared length s.
inline Vector<4> descend(const Algebraic& error, Vector<4> quaternion) {
  for (int step = 0; step < kSteps; ++step) {
    const Matrix<4, 9> slope = half_slope(quaternion);
    const Matrix<4, 9> bent = times(slope, error.quadric);
    Matrix<4, 4> curvature{};
    Vector<4> down{};
    for (int a = 0; a < 4; ++a) {
      for (int b = 0; b <= a; ++b)
        for (int i = 0; i < 9; ++i) curvature[a][b] += bent[a][i] * slope[b][i];
      for (int b = 0; b < a; ++b) curvature[b][a] = curvature[a][b];
    }
    for (int a = 0; a < 4; ++a) {
      for (int b = 0; b < 4; ++b) down[a] += curvature[a][b] * quaternion[b];
      for (int i = 0; i < 9; ++i) down[a] += slope[a][i] * error.linear[i];
    }
    for (int a = 0; a < 4; ++a) curvature[a][a] *= 1 + kShareOfDamping;
    if (!cholesky(curvature)) break;
    solve_with(curvature, down);
    for (int a = 0; a < 4; ++a) quaternion[a] -= 0.5 * down[a];
  }
  return quaternion;
}

inline Pose pose_of(const Algebraic& error, const Vector<4>& quaternion) {
  const Vector<9> turn = scaled_rotation(quaternion);
  double scale = 0;
  for (double value : quaternion) scale += value * value;
  Pose pose;
  for (int i = 0; i < 9; ++i) pose[i / 3][i % 3] = turn[i] / scale;
  for (int row = 0; row < 2; ++row) {
    double place = error.sideways[row][9];
    for (int i = 0; i < 9; ++i) place += error.sideways[row][i] * turn[i];
    pose[row][3] = -place / scale;
  }
  pose[2][3] = 1 / scale;
  return pose;
}

// The weighted sum of the errors' rho at a pose.
inline double true_error(const Problem& problem, const Pose& pose, const Robust& loss) {
  const Pose projection = times(problem.camera, pose);
  double sum = 0;
  for (int i = 0; i < problem.count(); ++i) {
    const Seen seen(problem, projection, i);
    sum += problem.weight[i] * loss(seen.du * seen.du + seen.dv * seen.dv)[0];
  }
  return sum;
}

inline Pose best_start(const Problem& problem, const Robust& loss) {
  Algebraic error = eliminate_sideways(problem);
  double largest = 0;
  for (const auto& row : error.quadric)
    for (double value : row) largest = std::max(largest, std::abs(value));
  float quadric[9][9], linear[9];
  Lanes errors[kBlocks], scales[kBlocks];
  for (int i = 0; i < 9; ++i) {  // so that they fit into float32
    for (int j = 0; j < 9; ++j) quadric[i][j] = static_cast<float>(error.quadric[i][j] /= largest);
    linear[i] = static_cast<float>(error.linear[i] /= largest);
  }
  errors_on_grid(grid().rotation, quadric, linear, errors, scales);
  Pose best{};
  double least = std::numeric_limits<double>::infinity();
  for (int candidate = 0; candidate < kCandidates; ++candidate) {
    const int picked = lowest(errors);
    const double scale = scales[picked / kLanes][picked % kLanes], length = std::sqrt(std::max(scale, kSmallest));
    Vector<4> quaternion = grid().quaternion[picked];
    for (double& value : quaternion) value *= length;
    const Pose pose = pose_of(error, descend(error, quaternion));
    const double cost = true_error(problem, pose, loss);
    if (candidate == 0) best = pose;
    if (cost < least) best = pose, least = cost;
    leave_near(grid().axis, grid().quaternion[picked], errors);
  }
  return best;
}

}  // namespace pose_regressor::pnp
