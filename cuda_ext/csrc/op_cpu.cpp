// The operator on the CPU: images in parallel, each by one thread, so that the same input gives the same bits.
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include "op.h"
#include "projection_cpu.h"

namespace pose_regressor {

namespace {

template <typename T>
void run(const Problem& problem, const Result& result) {
  const T* points = problem.points.const_data_ptr<T>();
  const T* rotation = problem.rotation.const_data_ptr<T>();
  const T* translation = problem.translation.const_data_ptr<T>();
  const T* rotation_gt = problem.rotation_gt.const_data_ptr<T>();
  const T* translation_gt = problem.translation_gt.const_data_ptr<T>();
  const T* camera = problem.camera_matrix.const_data_ptr<T>();
  T* loss = std::get<0>(result).data_ptr<T>();
  T* by_rotation = std::get<1>(result).data_ptr<T>();
  T* by_translation = std::get<2>(result).data_ptr<T>();
  at::parallel_for(0, problem.batch, 1, [&](int64_t begin, int64_t end) {
    thread_local ImageLoss<T> image_loss;  // a batch of one would spend most of its time on fresh memory
    image_loss.resize(problem.count, problem.height, problem.width);
    for (int64_t image = begin; image < end; ++image) {
      const T* k = camera + image * problem.camera_stride();
      const auto view = [&](const T* r, const T* t) {
        return View<T>(r + 9 * image, t + 3 * image, k, static_cast<T>(problem.scale), problem.height, problem.width);
      };
      double pose[12] = {};
      loss[image] = image_loss(points + image * problem.points_stride(), view(rotation, translation),
                               view(rotation_gt, translation_gt), problem.kernel, problem.differentiate ? pose : nullptr);
      if (!problem.differentiate) continue;
      for (int i = 0; i < 9; ++i) by_rotation[9 * image + i] = static_cast<T>(pose[i]);
      for (int i = 0; i < 3; ++i) by_translation[3 * image + i] = static_cast<T>(pose[9 + i]);
    }
  });
}

Result projection_loss_cpu(const at::Tensor& points, const at::Tensor& rotation, const at::Tensor& translation,
                           const at::Tensor& rotation_gt, const at::Tensor& translation_gt,
                           const at::Tensor& camera_matrix, int64_t height, int64_t width, double scale,
                           const std::string& kernel, bool differentiate) {
  const Problem problem = checked(points, rotation, translation, rotation_gt, translation_gt, camera_matrix, height,
                                  width, scale, kernel, differentiate);
  Result result = allocate(problem);
  AT_DISPATCH_FLOATING_TYPES(problem.rotation.scalar_type(), "projection_loss_cpu",
                             [&] { run<scalar_t>(problem, result); });
  return result;
}

}  // namespace

}  // namespace pose_regressor

TORCH_LIBRARY_IMPL(pose_regressor_cuda, CPU, library) {
  library.impl("projection_loss", &pose_regressor::projection_loss_cpu);
}
