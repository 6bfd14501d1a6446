// PnP on one CPU thread: a set of correspondences, robust losses, and small matrices. The files pnp_*.h compute for one
// item what pose_regressor/ops/pnp computes in torch for a batch; the comments there explain the formulas. No torch here,
// so that sanitizers see nothing but this.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace pose_regressor::pnp {

// Least depth that is divided by, in units of the points' spread; nearer points have no image.
constexpr double kNear = 1e-4;
// Items with larger numbers are not solved. The squares of smaller ones are far from overflowing.
constexpr double kLargest = 1e30;

template <size_t N>
using Vector = std::array<double, N>;
template <size_t Rows, size_t Columns>
using Matrix = std::array<std::array<double, Columns>, Rows>;

template <size_t A, size_t B, size_t C>
inline Matrix<A, C> times(const Matrix<A, B>& left, const Matrix<B, C>& right) {
  Matrix<A, C> product{};
  for (size_t i = 0; i < A; ++i)
    for (size_t k = 0; k < B; ++k)
      for (size_t j = 0; j < C; ++j) product[i][j] += left[i][k] * right[k][j];
  return product;
}

// The lower factor of a symmetric matrix, in place. False if the matrix is not positive definite.
template <size_t N>
inline bool cholesky(Matrix<N, N>& matrix) {
  for (size_t j = 0; j < N; ++j) {
    double pivot = matrix[j][j];
    for (size_t k = 0; k < j; ++k) pivot -= matrix[j][k] * matrix[j][k];
    if (!(pivot > 0) || !std::isfinite(pivot)) return false;
    matrix[j][j] = std::sqrt(pivot);
    for (size_t i = j + 1; i < N; ++i) {
      double value = matrix[i][j];
      for (size_t k = 0; k < j; ++k) value -= matrix[i][k] * matrix[j][k];
      matrix[i][j] = value / matrix[j][j];
    }
  }
  return true;
}

template <size_t N>
inline void solve_with(const Matrix<N, N>& factor, Vector<N>& values) {
  for (size_t i = 0; i < N; ++i) {
    for (size_t k = 0; k < i; ++k) values[i] -= factor[i][k] * values[k];
    values[i] /= factor[i][i];
  }
  for (size_t i = N; i-- > 0;) {
    for (size_t k = i + 1; k < N; ++k) values[i] -= factor[k][i] * values[k];
    values[i] /= factor[i][i];
  }
}

// A robust loss rho(s) of squared errors: the kinds of RobustLoss.
enum class Loss { none, huber, cauchy, geman_mcclure };

struct Robust {
  Loss kind = Loss::none;
  double scale = 0;

  // rho, rho' and rho'' at s.
  std::array<double, 3> operator()(double squared) const {
    if (kind == Loss::none) return {squared, 1, 0};
    const double limit = scale * scale, ratio = 1 + squared / limit;
    if (kind == Loss::cauchy) return {limit * std::log(ratio), 1 / ratio, -1 / (limit * ratio * ratio)};
    if (kind == Loss::geman_mcclure) return {squared / ratio, 1 / (ratio * ratio), -2 / (limit * ratio * ratio * ratio)};
    if (!(squared > limit)) return {squared, 1, 0};
    const double slope = scale / std::sqrt(squared);
    return {2 * squared * slope - limit, slope, -0.5 * slope / squared};
  }
};

// Where a pose puts the points: [R | t] of the moved points.
using Pose = Matrix<3, 4>;

// N correspondences, their points centred and scaled to unit spread ("moved").
struct Problem {
  std::vector<double> u, v, x, y, z, weight;
  Matrix<3, 3> camera;
  Vector<3> centre;
  double scale, total;  // total: of the weights

  int count() const { return static_cast<int>(u.size()); }

  // False, and a problem of zeros, if a number is not finite or too large, or a weight is below 0.
  template <typename T>
  bool read(int count, const T* pixels, const T* points, const T* camera_matrix, const T* weights);

  // Takes the pose of the object's points to that of the moved points.
  Pose moved(Pose pose) const {
    for (auto& row : pose) {
      row[3] = (row[3] + row[0] * centre[0] + row[1] * centre[1] + row[2] * centre[2]) / scale;
    }
    return pose;
  }
};

template <typename T>
bool Problem::read(int count, const T* pixels, const T* points, const T* camera_matrix, const T* weights) {
  bool valid = true;
  const auto fits = [](T value) { return std::abs(static_cast<double>(value)) < kLargest; };  // false for NaN
  for (int i = 0; i < 2 * count; ++i) valid &= fits(pixels[i]);
  for (int i = 0; i < 3 * count; ++i) valid &= fits(points[i]);
  for (int i = 0; i < count; ++i) valid &= fits(weights[i]) && weights[i] >= 0;
  for (int i = 0; i < 9; ++i) valid &= fits(camera_matrix[i]);
  for (auto* column : {&u, &v, &x, &y, &z, &weight}) column->assign(count, 0.0);
  camera = {};
  centre = {};
  scale = 1, total = 0;
  if (!valid) return false;
  for (int i = 0; i < 9; ++i) camera[i / 3][i % 3] = camera_matrix[i];
  for (int i = 0; i < count; ++i) {
    u[i] = pixels[2 * i], v[i] = pixels[2 * i + 1], weight[i] = weights[i];
    x[i] = points[3 * i], y[i] = points[3 * i + 1], z[i] = points[3 * i + 2];
    total += weight[i];
  }
  const double share = 1 / std::max(total, 1e-300);
  for (int i = 0; i < count; ++i) {
    centre[0] += share * weight[i] * x[i], centre[1] += share * weight[i] * y[i], centre[2] += share * weight[i] * z[i];
  }
  double spread = 0;
  for (int i = 0; i < count; ++i) {
    x[i] -= centre[0], y[i] -= centre[1], z[i] -= centre[2];
    spread += share * weight[i] * (x[i] * x[i] + y[i] * y[i] + z[i] * z[i]);
  }
  if (spread > 0) scale = std::sqrt(spread);
  for (int i = 0; i < count; ++i) x[i] /= scale, y[i] /= scale, z[i] /= scale;
  return true;
}

}  // namespace pose_regressor::pnp
