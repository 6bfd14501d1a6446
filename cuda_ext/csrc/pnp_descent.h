// The reprojection error of a problem with its derivatives by the pose, and the descent to a minimum.
#pragma once
#include "pnp_problem.h"

namespace pose_regressor::pnp {

constexpr double kStartDamping = 1e-6;

// One point as a projection P = K [R | t] shows it.
struct Seen {
  double inverse, u, v, du, dv;  // 1 / depth, the image, and the image minus the given pixel

  Seen(const Problem& problem, const Pose& p, int i) {
    const double x = problem.x[i], y = problem.y[i], z = problem.z[i];
    inverse = 1 / std::max(p[2][0] * x + p[2][1] * y + p[2][2] * z + p[2][3], kNear);
    u = (p[0][0] * x + p[0][1] * y + p[0][2] * z + p[0][3]) * inverse;
    v = (p[1][0] * x + p[1][1] * y + p[1][2] * z + p[1][3]) * inverse;
    du = u - problem.u[i], dv = v - problem.v[i];
  }
};

// Half the weighted sum of squared errors, and its derivatives by ξ = (τ, ω).
struct Derivatives {
  double cost;
  Vector<6> gradient;
  Matrix<6, 6> hessian;
};

// Sums over the points: of g (3) by q (4), and of S (xx, xy, xz, yy, yz, zz) by the products xx, xy, xz, x, yy, yz, y,
// zz, z, 1 of q. g and S are the error's derivatives by h = P q.
struct Sums {
  Matrix<3, 4> pull{};
  Matrix<6, 10> second{};
  double cost = 0;
};

inline Sums add_up(const Problem& problem, const Pose& projection, bool curved, const Robust& loss) {
  Sums sums;
  for (int i = 0; i < problem.count(); ++i) {
    const Seen seen(problem, projection, i);
    const auto [rho, slope, bend] = loss(seen.du * seen.du + seen.dv * seen.dv);
    sums.cost += problem.weight[i] * rho;
    const double weight = problem.weight[i] * slope, scaled = weight * seen.inverse;
    const double diagonal = scaled * seen.inverse, along = seen.du * seen.u + seen.dv * seen.v;
    const double fall_u = curved ? diagonal * seen.du : 0, fall_v = curved ? diagonal * seen.dv : 0;
    const double mixed_u = diagonal * seen.u + fall_u, mixed_v = diagonal * seen.v + fall_v;
    const double corner = (mixed_u + fall_u) * seen.u + (mixed_v + fall_v) * seen.v;
    const Vector<3> pull = {scaled * seen.du, scaled * seen.dv, -scaled * along};
    Vector<6> second = {diagonal, 0, -mixed_u, diagonal, -mixed_v, corner};
    if (curved && bend != 0) {
      const double factor = 2 * problem.weight[i] * bend;
      const Vector<3> g = {seen.inverse * seen.du, seen.inverse * seen.dv, -seen.inverse * along};
      for (int a = 0, k = 0; a < 3; ++a)
        for (int b = a; b < 3; ++b) second[k++] += factor * g[a] * g[b];
    }
    const double x = problem.x[i], y = problem.y[i], z = problem.z[i];
    const Vector<10> products = {x * x, x * y, x * z, x, y * y, y * z, y, z * z, z, 1};
    for (int a = 0; a < 3; ++a) {
      sums.pull[a][0] += pull[a] * x, sums.pull[a][1] += pull[a] * y, sums.pull[a][2] += pull[a] * z;
      sums.pull[a][3] += pull[a];
    }
    for (int k = 0; k < 6; ++k)
      for (int m = 0; m < 10; ++m) sums.second[k][m] += second[k] * products[m];
  }
  sums.cost *= 0.5;
  return sums;
}

// Where the product of two entries of q = (x, y, z, 1) stands among the ten.
constexpr int kProduct[4][4] = {{0, 1, 2, 3}, {1, 4, 5, 6}, {2, 5, 7, 8}, {3, 6, 8, 9}};
// e_i x p has the entry +p[k] at j and -p[j] at k: {j, k} of i.
constexpr int kNext[3][2] = {{2, 1}, {0, 2}, {1, 0}};

// Aᵀ S A for each of the ten products.
inline std::array<Matrix<3, 3>, 10> turned(const Matrix<6, 10>& second, const Matrix<3, 3>& by) {
  std::array<Matrix<3, 3>, 10> result;
  for (int m = 0; m < 10; ++m) {
    const double xx = second[0][m], xy = second[1][m], xz = second[2][m];
    const double yy = second[3][m], yz = second[4][m], zz = second[5][m];
    const Matrix<3, 3> s = {{{xx, xy, xz}, {xy, yy, yz}, {xz, yz, zz}}};
    const Matrix<3, 3> product = times(s, by);
    for (int a = 0; a < 3; ++a)
      for (int b = 0; b < 3; ++b) {
        result[m][a][b] = by[0][a] * product[0][b] + by[1][a] * product[1][b] + by[2][a] * product[2][b];
      }
  }
  return result;
}

// curved: the full Hessian; otherwise Gauss-Newton's, which is never indefinite.
inline Derivatives derivatives(const Problem& problem, const Pose& pose, bool curved, const Robust& loss) {
  const Pose projection = times(problem.camera, pose);
  const Sums sums = add_up(problem, projection, curved, loss);
  Matrix<3, 3> by;
  for (int a = 0; a < 3; ++a) std::copy_n(projection[a].begin(), 3, by[a].begin());
  const auto second = turned(sums.second, by);
  Matrix<3, 4> pull{};  // sums of the derivative by a point's own motion, by x, y, z and 1
  for (int a = 0; a < 3; ++a)
    for (int c = 0; c < 3; ++c)
      for (int q = 0; q < 4; ++q) pull[a][q] += by[c][a] * sums.pull[c][q];

  Derivatives result{sums.cost, {}, {}};
  for (int i = 0; i < 3; ++i) {
    const auto [j, k] = kNext[i];
    result.gradient[i] = pull[i][3];
    result.gradient[3 + i] = pull[j][k] - pull[k][j];
    for (int a = 0; a < 3; ++a) {
      result.hessian[a][i] = second[9][a][i];
      const double mixed = second[kProduct[k][3]][a][j] - second[kProduct[j][3]][a][k];
      result.hessian[a][3 + i] = result.hessian[3 + i][a] = mixed;
    }
    for (int n = 0; n < 3; ++n) {
      const auto [l, m] = kNext[n];
      result.hessian[3 + i][3 + n] = second[kProduct[j][l]][k][m] - second[kProduct[j][m]][k][l] -
                                     second[kProduct[k][l]][j][m] + second[kProduct[k][m]][j][l];
    }
  }
  if (curved) {  // a point moves by ω x p + ω x (ω x p) / 2
    const double trace = pull[0][0] + pull[1][1] + pull[2][2];
    for (int a = 0; a < 3; ++a) {
      for (int b = 0; b < 3; ++b) result.hessian[3 + a][3 + b] += 0.5 * (pull[a][b] + pull[b][a]);
      result.hessian[3 + a][3 + a] -= trace;
    }
  }
  return result;
}

// [R | t] moved by ξ: [R C(ω) | t + R τ].
inline Pose retract(const Pose& pose, const Vector<6>& step) {
  const double wx = step[3], wy = step[4], wz = step[5];
  const Matrix<3, 3> turn = {{{0, -wz, wy}, {wz, 0, -wx}, {-wy, wx, 0}}};
  const double divisor = 1 + 0.25 * (wx * wx + wy * wy + wz * wz);
  Pose result = pose;
  for (int i = 0; i < 3; ++i) {
    Vector<3> once{}, twice{};
    for (int k = 0; k < 3; ++k)
      for (int j = 0; j < 3; ++j) once[j] += pose[i][k] * turn[k][j];
    for (int k = 0; k < 3; ++k)
      for (int j = 0; j < 3; ++j) twice[j] += once[k] * turn[k][j];
    for (int j = 0; j < 3; ++j) {
      result[i][j] += (once[j] + 0.5 * twice[j]) / divisor;
      result[i][3] += pose[i][j] * step[j];
    }
  }
  return result;
}

struct Minimum {
  Pose pose;
  Derivatives at;
  bool converged;
};

// Levenberg-Marquardt. A pose has converged if its next step would move the projections by less than the tolerance, px.
inline Minimum minimise(const Problem& problem, Pose pose, const Robust& loss, bool curved, int iterations,
                        double step_tolerance) {
  Derivatives at = derivatives(problem, pose, curved, loss);
  double damping = kStartDamping;
  const double tolerance = step_tolerance * step_tolerance * problem.total;
  for (int iteration = 0; iteration < iterations; ++iteration) {
    Matrix<6, 6> factor = at.hessian;
    for (int i = 0; i < 6; ++i) factor[i][i] += damping * std::abs(at.hessian[i][i]);
    bool better = cholesky(factor);
    if (better) {
      Vector<6> step = at.gradient;
      solve_with(factor, step);
      double fall = 0;
      for (int i = 0; i < 6; ++i) fall += step[i] * at.gradient[i], step[i] = -step[i];
      const Pose trial = retract(pose, step);
      const Derivatives there = derivatives(problem, trial, curved, loss);
      if (fall <= tolerance) return {trial, there, true};
      better = there.cost <= at.cost + tolerance;  // false where a number is not finite
      if (better) pose = trial, at = there;
    }
    damping = better ? 0.1 * damping : std::clamp(10 * damping, 1e-3, 1e8);
  }
  return {pose, at, false};
}

}  // namespace pose_regressor::pnp
