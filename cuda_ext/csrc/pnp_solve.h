// From a problem to its solution, and from gradients by the solution to gradients by the problem.
// pose_regressor/ops/pnp/solve.py, covariance.py and implicit.py say what is computed here.
#pragma once
#include "pnp_start.h"

namespace pose_regressor::pnp {

constexpr int kMinPoints = 4;
// A pose is determined if the Hessian, scaled to a unit diagonal, has no eigenvalue below about ten times this.
constexpr double kLeastCurvature = 1e-12;

// The values of Status: if several apply, it is the greatest.
enum Status { ok, not_converged, degenerate, behind_camera, too_few_points, invalid_input };

struct Options {
  int iterations;
  Robust loss;
  double pixel_sigma;  // below 0: estimated from the residuals
  double step_tolerance;
};

struct Solution {
  Matrix<3, 3> rotation{{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
  Vector<3> translation{};
  Matrix<6, 6> covariance{};
  double cost = 0;
  int status = ok;
};

// The status, and where it is ok a root of the inverse Hessian: rootᵀ root.
inline int judge(const Problem& problem, const Minimum& minimum, Matrix<6, 6>& root) {
  const Pose projection = times(problem.camera, minimum.pose);
  int used = 0;
  bool behind = false;
  for (int i = 0; i < problem.count(); ++i) {
    if (!(problem.weight[i] > 0)) continue;
    ++used;
    const double depth = projection[2][0] * problem.x[i] + projection[2][1] * problem.y[i] +
                         projection[2][2] * problem.z[i] + projection[2][3];
    behind |= depth < 1.001 * kNear;
  }
  // A small addition to the diagonal tells flat directions from those that lead further down.
  Vector<6> unit;
  for (int i = 0; i < 6; ++i) unit[i] = 1 / std::sqrt(std::max(minimum.at.hessian[i][i], 1e-300));
  Matrix<6, 6> factor;
  for (int i = 0; i < 6; ++i)
    for (int j = 0; j < 6; ++j) {
      factor[i][j] = minimum.at.hessian[i][j] * unit[i] * unit[j] + (i == j ? kLeastCurvature : 0);
    }
  const bool saddle = !cholesky(factor);
  double trace = 0;  // of the inverse
  root = {};
  for (int column = 0; column < 6 && !saddle; ++column) {
    root[column][column] = 1 / factor[column][column];
    for (int i = column + 1; i < 6; ++i) {
      for (int k = column; k < i; ++k) root[i][column] -= factor[i][k] * root[k][column];
      root[i][column] /= factor[i][i];
    }
    for (int i = column; i < 6; ++i) trace += root[i][column] * root[i][column], root[i][column] *= unit[column];
  }
  if (used < kMinPoints) return too_few_points;
  if (behind) return behind_camera;
  if (!saddle && !(trace < 0.1 / kLeastCurvature)) return degenerate;
  return saddle || !minimum.converged ? not_converged : ok;
}

// Of small motions about the object's origin, over (x, y, z, rotation about the camera's axes).
inline Matrix<6, 6> covariance(const Problem& problem, const Matrix<6, 6>& root, const Matrix<3, 3>& rotation,
                               double variance) {
  const auto& c = problem.centre;
  // In the object's axes t moves by scale τ + centre x ω: its origin swings when the points turn about their centroid.
  Matrix<6, 6> turned{};
  for (int row = 0; row < 6; ++row) {
    const auto& r = root[row];
    const Vector<3> by_t = {problem.scale * r[0] + c[1] * r[5] - c[2] * r[4],
                            problem.scale * r[1] + c[2] * r[3] - c[0] * r[5],
                            problem.scale * r[2] + c[0] * r[4] - c[1] * r[3]};
    for (int a = 0; a < 3; ++a)
      for (int b = 0; b < 3; ++b) {
        turned[row][a] += by_t[b] * rotation[a][b];
        turned[row][3 + a] += r[3 + b] * rotation[a][b];
      }
  }
  Matrix<6, 6> result{};
  for (int row = 0; row < 6; ++row)
    for (int a = 0; a < 6; ++a)
      for (int b = 0; b < 6; ++b) result[a][b] += variance * turned[row][a] * turned[row][b];
  return result;
}

// start: of the object's points; null: search for the global minimum.
inline Solution solve(const Problem& problem, bool valid, const Pose* start, const Options& options) {
  Pose pose = start ? problem.moved(*start) : best_start(problem, options.loss);
  if (options.loss.kind != Loss::none) {  // far from its minimum it curves downwards, where Newton's steps fail
    pose = minimise(problem, pose, options.loss, false, options.iterations, options.step_tolerance).pose;
  }
  const Minimum minimum =
      minimise(problem, pose, options.loss, true, options.iterations, options.step_tolerance);
  Matrix<6, 6> root;
  Solution solution;
  solution.status = valid ? judge(problem, minimum, root) : invalid_input;
  bool usable = solution.status < too_few_points;
  for (const auto& row : minimum.pose)
    for (double value : row) usable = usable && std::isfinite(value);
  if (usable) {
    solution.cost = 2 * minimum.at.cost;
    for (int i = 0; i < 3; ++i) {
      std::copy_n(minimum.pose[i].begin(), 3, solution.rotation[i].begin());
      solution.translation[i] = problem.scale * minimum.pose[i][3];
      for (int j = 0; j < 3; ++j) solution.translation[i] -= minimum.pose[i][j] * problem.centre[j];
    }
  }
  if (solution.status == ok) {
    const auto used = std::count_if(problem.weight.begin(), problem.weight.end(), [](double w) { return w > 0; });
    const double variance = options.pixel_sigma < 0 ? solution.cost / std::max<double>(2.0 * used - 6, 1)
                                                    : options.pixel_sigma * options.pixel_sigma;
    solution.covariance = covariance(problem, root, solution.rotation, variance);
  } else {
    for (int i = 0; i < 6; ++i) solution.covariance[i][i] = std::numeric_limits<double>::infinity();
  }
  return solution;
}

// Where the gradients by the inputs go: pixels (N, 2), points (N, 3), camera (3, 3), weights (N).
struct Gradients {
  std::vector<double> pixels, points, weights;
  Matrix<3, 3> camera;
};

// λ with H λ = the incoming gradient by the moved points' pose.
inline bool solve_for_step(const Problem& problem, const Pose& pose, const Matrix<3, 3>& by_rotation,
                           const Vector<3>& by_translation, const Robust& loss, Vector<6>& step) {
  Pose by_pose;
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) by_pose[i][j] = by_rotation[i][j] - by_translation[i] * problem.centre[j];
    by_pose[i][3] = problem.scale * by_translation[i];
  }
  Matrix<3, 4> moved{};  // by the motion of the points
  for (int i = 0; i < 3; ++i)
    for (int a = 0; a < 3; ++a)
      for (int b = 0; b < 4; ++b) moved[a][b] += pose[i][a] * by_pose[i][b];
  for (int i = 0; i < 3; ++i) {
    const auto [j, k] = kNext[i];
    step[i] = moved[i][3];
    step[3 + i] = moved[j][k] - moved[k][j];
  }
  Matrix<6, 6> hessian = derivatives(problem, pose, true, loss).hessian;
  if (!cholesky(hessian)) return false;
  solve_with(hessian, step);
  return true;
}

// pose: of the object's points, at the optimum. False: the Hessian is not positive definite there.
inline bool gradients(const Problem& problem, const Pose& at, const Matrix<3, 3>& by_rotation,
                      const Vector<3>& by_translation, const Robust& loss, Gradients& result) {
  const Pose pose = problem.moved(at);
  Vector<6> step;
  if (!solve_for_step(problem, pose, by_rotation, by_translation, loss, step)) return false;
  const auto& [a, b, c, wx, wy, wz] = step;
  const Matrix<4, 4> motion = {{{0, -wz, wy, a}, {wz, 0, -wx, b}, {-wy, wx, 0, c}, {}}};
  const Pose projection = times(problem.camera, pose), change = times(projection, motion);
  const int count = problem.count();
  result.pixels.resize(2 * count), result.points.resize(3 * count), result.weights.resize(count);
  Pose by_projection{}, by_change{};
  for (int i = 0; i < count; ++i) {
    const Vector<4> q = {problem.x[i], problem.y[i], problem.z[i], 1};
    const Seen seen(problem, projection, i);
    Vector<3> moved{};
    for (int k = 0; k < 3; ++k)
      for (int m = 0; m < 4; ++m) moved[k] += change[k][m] * q[m];
    // How each projection moves with that step (`drift`), and what the robust loss makes of it.
    const double ray = seen.inverse * moved[2];
    const double drift_u = seen.inverse * moved[0] - seen.u * ray, drift_v = seen.inverse * moved[1] - seen.v * ray;
    const auto [rho, slope, bend] = loss(seen.du * seen.du + seen.dv * seen.dv);
    const double along = seen.du * drift_u + seen.dv * drift_v;
    const double residual_u = slope * drift_u + 2 * bend * along * seen.du;
    const double residual_v = slope * drift_v + 2 * bend * along * seen.dv;
    const double by_drift_u = slope * seen.du, by_drift_v = slope * seen.dv;
    const double weight = problem.weight[i], scaled = weight * seen.inverse;
    result.pixels[2 * i] = weight * residual_u, result.pixels[2 * i + 1] = weight * residual_v;
    result.weights[i] = -slope * along;
    // Through the projection to points and camera.
    const double shown_u = residual_u - ray * by_drift_u, shown_v = residual_v - ray * by_drift_v;
    const Vector<3> by_moved = {scaled * by_drift_u, scaled * by_drift_v,
                                -scaled * (by_drift_u * seen.u + by_drift_v * seen.v)};
    const Vector<3> by_projected = {scaled * shown_u, scaled * shown_v,
                                    -scaled * (shown_u * seen.u + shown_v * seen.v + slope * along)};
    for (int m = 0; m < 3; ++m) {
      double sum = 0;
      for (int k = 0; k < 3; ++k) sum += by_projected[k] * projection[k][m] + by_moved[k] * change[k][m];
      result.points[3 * i + m] = -sum / problem.scale;
    }
    for (int k = 0; k < 3; ++k)
      for (int m = 0; m < 4; ++m) {
        by_projection[k][m] += by_projected[k] * q[m];
        by_change[k][m] += by_moved[k] * q[m];
      }
  }
  for (int k = 0; k < 3; ++k)
    for (int m = 0; m < 4; ++m)
      for (int n = 0; n < 4; ++n) by_projection[k][m] += by_change[k][n] * motion[m][n];
  result.camera = {};
  for (int k = 0; k < 3; ++k)
    for (int j = 0; j < 3; ++j)
      for (int m = 0; m < 4; ++m) result.camera[k][j] -= by_projection[k][m] * pose[j][m];
  return true;
}

}  // namespace pose_regressor::pnp
