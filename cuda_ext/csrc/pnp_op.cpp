// PnP and its gradients as torch operators for the CPU: items in parallel, each by one thread, so that the same input
// gives the same bits. pose_regressor/ops/pnp/implicit.py makes them differentiable.
#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <array>
#include <optional>
#include <string>
#include <tuple>

#include "pnp_solve.h"

namespace pose_regressor::pnp {

namespace {

constexpr int64_t kGrain = 4;  // items that are worth a thread

Robust robust(const std::string& kind, double scale) {
  if (kind.empty()) return {};
  TORCH_CHECK_VALUE(kind == "huber" || kind == "cauchy" || kind == "geman_mcclure",
                    "pnp: loss: expected huber, cauchy, geman_mcclure or none, got ", kind);
  return {kind == "huber" ? Loss::huber : kind == "cauchy" ? Loss::cauchy : Loss::geman_mcclure, scale};
}

// Contiguous correspondences of one float type, for a batch.
struct Batch {
  at::Tensor pixels, points, camera, weights;
  int64_t size, count;

  Batch(const at::Tensor& points_2d, const at::Tensor& points_3d, const at::Tensor& camera_matrix,
        const at::Tensor& given_weights)
      : pixels(points_2d.contiguous()), points(points_3d.contiguous()), camera(camera_matrix.contiguous()),
        weights(given_weights.contiguous()) {
    TORCH_CHECK_VALUE(pixels.dim() == 3 && pixels.size(2) == 2, "pnp: points_2d: expected (B, N, 2), got ",
                      pixels.sizes());
    size = pixels.size(0), count = pixels.size(1);
    check("points_3d", points, {size, count, 3});
    check("camera_matrix", camera, {size, 3, 3});
    check("weights", weights, {size, count});
  }

  void check(const char* name, const at::Tensor& value, at::IntArrayRef shape) const {
    TORCH_CHECK_VALUE(value.sizes() == shape, "pnp: ", name, ": expected ", shape, ", got ", value.sizes());
    TORCH_CHECK_TYPE(value.scalar_type() == pixels.scalar_type(), "pnp: ", name, ": expected ", pixels.scalar_type(),
                     ", got ", value.scalar_type());
  }

  template <typename T>
  bool read(int64_t item, Problem& problem) const {
    return problem.read(static_cast<int>(count), pixels.const_data_ptr<T>() + 2 * count * item,
                        points.const_data_ptr<T>() + 3 * count * item, camera.const_data_ptr<T>() + 9 * item,
                        weights.const_data_ptr<T>() + count * item);
  }
};

// A block of `rows` at `item` of a contiguous tensor, to and from double.
template <typename T, typename Rows>
void write(const at::Tensor& to, int64_t item, const Rows& rows) {
  T* place = to.data_ptr<T>() + item * static_cast<int64_t>(sizeof(Rows) / sizeof(double));
  const double* values = reinterpret_cast<const double*>(&rows);
  for (size_t i = 0; i < sizeof(Rows) / sizeof(double); ++i) place[i] = static_cast<T>(values[i]);
}

template <typename T, typename Rows>
void load(const at::Tensor& from, int64_t item, Rows& rows) {
  const T* place = from.const_data_ptr<T>() + item * static_cast<int64_t>(sizeof(Rows) / sizeof(double));
  double* values = reinterpret_cast<double*>(&rows);
  for (size_t i = 0; i < sizeof(Rows) / sizeof(double); ++i) values[i] = static_cast<double>(place[i]);
}

using Solved = std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor>;

Solved solve_batch(const at::Tensor& points_2d, const at::Tensor& points_3d, const at::Tensor& camera_matrix,
                   const at::Tensor& weights, const std::optional<at::Tensor>& start, int64_t iterations,
                   double step_tolerance, const std::string& loss, double loss_scale,
                   std::optional<double> pixel_sigma) {
  const Batch batch(points_2d, points_3d, camera_matrix, weights);
  const Options options{static_cast<int>(iterations), robust(loss, loss_scale), pixel_sigma.value_or(-1),
                        step_tolerance};
  at::Tensor starts;
  if (start) {
    starts = start->to(at::kDouble).contiguous();
    batch.check("points_2d", batch.pixels, {batch.size, batch.count, 2});
    TORCH_CHECK_VALUE(starts.sizes() == at::IntArrayRef({batch.size, 3, 4}), "pnp: start: expected (B, 3, 4), got ",
                      starts.sizes());
  }
  const auto like = batch.pixels.options();
  const at::Tensor rotation = at::empty({batch.size, 3, 3}, like), translation = at::empty({batch.size, 3}, like);
  const at::Tensor covariance = at::empty({batch.size, 6, 6}, like), cost = at::empty({batch.size}, like);
  const at::Tensor status = at::empty({batch.size}, like.dtype(at::kInt));
  AT_DISPATCH_FLOATING_TYPES(batch.pixels.scalar_type(), "pnp_solve", [&] {
    at::parallel_for(0, batch.size, kGrain, [&](int64_t begin, int64_t end) {
      thread_local Problem problem;
      for (int64_t item = begin; item < end; ++item) {
        const bool valid = batch.read<scalar_t>(item, problem);
        Pose from;
        if (start) load<double>(starts, item, from);
        const Solution solution = solve(problem, valid, start ? &from : nullptr, options);
        write<scalar_t>(rotation, item, solution.rotation);
        write<scalar_t>(translation, item, solution.translation);
        write<scalar_t>(covariance, item, solution.covariance);
        cost.data_ptr<scalar_t>()[item] = static_cast<scalar_t>(solution.cost);
        status.data_ptr<int>()[item] = solution.status;
      }
    });
  });
  return {rotation, translation, covariance, cost, status};
}

using Slopes = std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor>;

Slopes gradients_of_batch(const at::Tensor& points_2d, const at::Tensor& points_3d, const at::Tensor& camera_matrix,
                          const at::Tensor& weights, const at::Tensor& rotation, const at::Tensor& translation,
                          const at::Tensor& status, const at::Tensor& by_rotation, const at::Tensor& by_translation,
                          const std::string& loss, double loss_scale) {
  const Batch batch(points_2d, points_3d, camera_matrix, weights);
  const Robust rho = robust(loss, loss_scale);
  const auto whole = [&](const char* name, const at::Tensor& value, at::IntArrayRef shape) {
    batch.check(name, value, shape);
    return value.contiguous();
  };
  const at::Tensor turn = whole("rotation", rotation, {batch.size, 3, 3});
  const at::Tensor place = whole("translation", translation, {batch.size, 3});
  const at::Tensor by_turn = whole("by_rotation", by_rotation, {batch.size, 3, 3});
  const at::Tensor by_place = whole("by_translation", by_translation, {batch.size, 3});
  const at::Tensor good = status.contiguous();
  TORCH_CHECK_VALUE(good.sizes() == at::IntArrayRef({batch.size}) && good.scalar_type() == at::kInt,
                    "pnp: status: expected int32 of (B,), got ", good.scalar_type(), " of ", good.sizes());
  const Slopes result{at::zeros_like(batch.pixels), at::zeros_like(batch.points), at::zeros_like(batch.camera),
                      at::zeros_like(batch.weights)};
  AT_DISPATCH_FLOATING_TYPES(batch.pixels.scalar_type(), "pnp_gradients", [&] {
    at::parallel_for(0, batch.size, kGrain, [&](int64_t begin, int64_t end) {
      thread_local Problem problem;
      thread_local Gradients by;
      for (int64_t item = begin; item < end; ++item) {
        if (good.const_data_ptr<int>()[item] != ok || !batch.read<scalar_t>(item, problem)) continue;
        Matrix<3, 3> r, by_r;
        Vector<3> t, by_t;
        load<scalar_t>(turn, item, r), load<scalar_t>(place, item, t);
        load<scalar_t>(by_turn, item, by_r), load<scalar_t>(by_place, item, by_t);
        Pose pose;
        for (int i = 0; i < 3; ++i) pose[i] = {r[i][0], r[i][1], r[i][2], t[i]};
        if (!gradients(problem, pose, by_r, by_t, rho, by)) continue;
        const auto copy = [&](const std::vector<double>& from, const at::Tensor& to) {
          std::transform(from.begin(), from.end(), to.data_ptr<scalar_t>() + item * static_cast<int64_t>(from.size()),
                         [](double value) { return static_cast<scalar_t>(value); });
        };
        copy(by.pixels, std::get<0>(result)), copy(by.points, std::get<1>(result));
        write<scalar_t>(std::get<2>(result), item, by.camera);
        copy(by.weights, std::get<3>(result));
      }
    });
  });
  return result;
}

}  // namespace

}  // namespace pose_regressor::pnp

TORCH_LIBRARY_FRAGMENT(pose_regressor_cuda, library) {
  library.def(
      "pnp_solve(Tensor points_2d, Tensor points_3d, Tensor camera_matrix, Tensor weights, Tensor? start, "
      "int iterations, float step_tolerance, str loss, float loss_scale, float? pixel_sigma) "
      "-> (Tensor rotation, Tensor translation, Tensor covariance, Tensor cost, Tensor status)");
  library.def(
      "pnp_gradients(Tensor points_2d, Tensor points_3d, Tensor camera_matrix, Tensor weights, Tensor rotation, "
      "Tensor translation, Tensor status, Tensor by_rotation, Tensor by_translation, str loss, float loss_scale) "
      "-> (Tensor by_points_2d, Tensor by_points_3d, Tensor by_camera_matrix, Tensor by_weights)");
}

TORCH_LIBRARY_IMPL(pose_regressor_cuda, CPU, library) {
  library.impl("pnp_solve", &pose_regressor::pnp::solve_batch);
  library.impl("pnp_gradients", &pose_regressor::pnp::gradients_of_batch);
}
