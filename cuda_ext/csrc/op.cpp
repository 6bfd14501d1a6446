// The operator's schema, its backward, and the checks that hold on every device.
#include "op.h"

#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <climits>
#include <cmath>

namespace pose_regressor {

namespace {

constexpr int64_t kMaxEdge = 4096;

void check(const char* name, const at::Tensor& value, const at::Tensor& like, at::IntArrayRef shape) {
  TORCH_CHECK_VALUE(value.device() == like.device(), "projection_loss: ", name, ": expected on ", like.device(), ", got ",
                    value.device());
  TORCH_CHECK_TYPE(value.scalar_type() == like.scalar_type(), "projection_loss: ", name, ": expected ",
                   like.scalar_type(), ", got ", value.scalar_type());
  TORCH_CHECK_VALUE(value.sizes() == shape, "projection_loss: ", name, ": expected shape ", shape, ", got ",
                    value.sizes());
}

}  // namespace

Problem checked(const at::Tensor& points, const at::Tensor& rotation, const at::Tensor& translation,
                const at::Tensor& rotation_gt, const at::Tensor& translation_gt, const at::Tensor& camera_matrix,
                int64_t height, int64_t width, double scale, const std::string& kernel, bool differentiate) {
  TORCH_CHECK_TYPE(rotation.scalar_type() == at::kFloat || rotation.scalar_type() == at::kDouble,
                   "projection_loss: rotation: expected float32 or float64, got ", rotation.scalar_type());
  TORCH_CHECK_VALUE(rotation.dim() == 3, "projection_loss: rotation: expected shape (B, 3, 3), got ", rotation.sizes());
  const int64_t batch = rotation.size(0);
  TORCH_CHECK_VALUE(points.dim() == 3 && points.size(1) >= 1 && points.size(1) <= INT_MAX / 3,
                    "projection_loss: points: expected shape (1 or B, N, 3) with at least one, got ", points.sizes());
  const int64_t count = points.size(1);
  check("points", points, rotation, {points.size(0) == 1 ? 1 : batch, count, 3});
  check("rotation", rotation, rotation, {batch, 3, 3});
  check("translation", translation, rotation, {batch, 3});
  check("rotation_gt", rotation_gt, rotation, {batch, 3, 3});
  check("translation_gt", translation_gt, rotation, {batch, 3});
  TORCH_CHECK_VALUE(camera_matrix.dim() == 3, "projection_loss: camera_matrix: expected shape (1 or B, 3, 3), got ",
                    camera_matrix.sizes());
  check("camera_matrix", camera_matrix, rotation, {camera_matrix.size(0) == 1 ? 1 : batch, 3, 3});
  TORCH_CHECK_VALUE(height >= 1 && height <= kMaxEdge && width >= 1 && width <= kMaxEdge,
                    "projection_loss: size: expected 1 to ", kMaxEdge, " pixels, got ", height, "x", width);
  TORCH_CHECK_VALUE(scale > 0 && std::isfinite(scale), "projection_loss: scale: expected a positive number, got ", scale);
  TORCH_CHECK_VALUE(kernel == "one_pixel" || kernel == "long_range",
                    "projection_loss: kernel: expected one_pixel or long_range, got ", kernel);
  return {
      points.contiguous(),         rotation.contiguous(),       translation.contiguous(),
      rotation_gt.contiguous(),    translation_gt.contiguous(), camera_matrix.contiguous(),
      static_cast<int>(batch),     static_cast<int>(count),     static_cast<int>(height),
      static_cast<int>(width),     scale,                       kernel == "one_pixel" ? Kernel::one_pixel : Kernel::long_range,
      differentiate,
  };
}

Result allocate(const Problem& problem) {
  const auto options = problem.rotation.options();
  const int64_t rows = problem.differentiate ? problem.batch : 0;
  return {at::empty({problem.batch}, options), at::empty({rows, 3, 3}, options), at::empty({rows, 3}, options)};
}

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// The gradients come with the loss; backward only multiplies. In C++, since through Python it takes longer than the loss
// of one image does.
class Differentiable : public torch::autograd::Function<Differentiable> {
 public:
  static variable_list forward(AutogradContext* context, const at::Tensor& points, const at::Tensor& rotation,
                               const at::Tensor& translation, const at::Tensor& rotation_gt,
                               const at::Tensor& translation_gt, const at::Tensor& camera_matrix, int64_t height,
                               int64_t width, double scale, const std::string& kernel, bool differentiate) {
    static const auto op =
        c10::Dispatcher::singleton().findSchemaOrThrow("pose_regressor_cuda::projection_loss", "").typed<Operator>();
    at::AutoDispatchBelowADInplaceOrView below;
    const auto [loss, by_rotation, by_translation] =
        op.call(points, rotation, translation, rotation_gt, translation_gt, camera_matrix, height, width, scale, kernel,
                differentiate);
    context->saved_data["differentiate"] = differentiate;
    context->save_for_backward({by_rotation, by_translation});
    context->mark_non_differentiable({by_rotation, by_translation});
    return {loss, by_rotation, by_translation};
  }

  static variable_list backward(AutogradContext* context, const variable_list& by) {
    variable_list result(11);
    if (!context->saved_data["differentiate"].toBool()) return result;
    const variable_list saved = context->get_saved_variables();
    result[1] = by[0].unsqueeze(-1).unsqueeze(-1) * saved[0];
    result[2] = by[0].unsqueeze(-1) * saved[1];
    return result;
  }
};

Result projection_loss_autograd(const at::Tensor& points, const at::Tensor& rotation, const at::Tensor& translation,
                                const at::Tensor& rotation_gt, const at::Tensor& translation_gt,
                                const at::Tensor& camera_matrix, int64_t height, int64_t width, double scale,
                                const std::string& kernel, bool differentiate) {
  const variable_list result = Differentiable::apply(points, rotation, translation, rotation_gt, translation_gt,
                                                     camera_matrix, height, width, scale, kernel, differentiate);
  return {result[0], result[1], result[2]};
}

}  // namespace

}  // namespace pose_regressor

TORCH_LIBRARY(pose_regressor_cuda, library) {
  library.def(
      "projection_loss(Tensor points, Tensor rotation, Tensor translation, Tensor rotation_gt, Tensor translation_gt, "
      "Tensor camera_matrix, int height, int width, float scale, str kernel, bool differentiate) "
      "-> (Tensor loss, Tensor by_rotation, Tensor by_translation)");
}

TORCH_LIBRARY_IMPL(pose_regressor_cuda, Autograd, library) {
  library.impl("projection_loss", &pose_regressor::projection_loss_autograd);
}
