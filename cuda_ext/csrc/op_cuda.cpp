// The operator on CUDA: device guard, stream and memory; the arithmetic is in op.cu.
#include <ATen/Dispatch.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/library.h>

#include "op.h"
#include "projection_cuda.h"

namespace pose_regressor {

namespace {

template <typename T>
void run(const Problem& problem, const Result& result) {
  const auto integers = problem.rotation.options().dtype(at::kInt);
  const auto scratch = [&](bool needed, int64_t size) { return at::empty({needed ? problem.batch * size : 0}, integers); };
  // Freed on return, and not reused by others before the stream has passed: the allocator sees to that.
  at::Tensor first = scratch(problem.differentiate, problem.pixels());
  at::Tensor last = scratch(problem.differentiate && problem.kernel == Kernel::one_pixel, problem.pixels());
  at::Tensor planes = scratch(planes_in_scratch(problem.height, problem.width), plane_words(problem.height, problem.width));
  const auto gradient = [&](const at::Tensor& value) { return problem.differentiate ? value.data_ptr<T>() : nullptr; };
  const char* error = launch<T>(
      {
          problem.points.const_data_ptr<T>(), problem.rotation.const_data_ptr<T>(),
          problem.translation.const_data_ptr<T>(), problem.rotation_gt.const_data_ptr<T>(),
          problem.translation_gt.const_data_ptr<T>(), problem.camera_matrix.const_data_ptr<T>(),
          problem.points_stride(), problem.camera_stride(), problem.batch, problem.count, problem.height, problem.width,
          static_cast<T>(problem.scale), problem.kernel, first.data_ptr<int>(), last.data_ptr<int>(),
          reinterpret_cast<uint32_t*>(planes.data_ptr<int>()), std::get<0>(result).data_ptr<T>(),
          gradient(std::get<1>(result)), gradient(std::get<2>(result)),
      },
      c10::cuda::getCurrentCUDAStream());
  TORCH_CHECK(error == nullptr, "projection_loss: CUDA: ", error);
}

Result projection_loss_cuda(const at::Tensor& points, const at::Tensor& rotation, const at::Tensor& translation,
                            const at::Tensor& rotation_gt, const at::Tensor& translation_gt,
                            const at::Tensor& camera_matrix, int64_t height, int64_t width, double scale,
                            const std::string& kernel, bool differentiate) {
  const c10::cuda::CUDAGuard guard(rotation.device());
  const Problem problem = checked(points, rotation, translation, rotation_gt, translation_gt, camera_matrix, height,
                                  width, scale, kernel, differentiate);
  Result result = allocate(problem);
  AT_DISPATCH_FLOATING_TYPES(problem.rotation.scalar_type(), "projection_loss_cuda",
                             [&] { run<scalar_t>(problem, result); });
  return result;
}

}  // namespace

}  // namespace pose_regressor

TORCH_LIBRARY_IMPL(pose_regressor_cuda, CUDA, library) {
  library.impl("projection_loss", &pose_regressor::projection_loss_cuda);
}
