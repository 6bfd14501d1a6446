// What the implementations for the CPU and for CUDA share: their inputs, checked, and their outputs, allocated.
#pragma once
#include <ATen/ATen.h>

#include <string>
#include <tuple>

#include "projection.h"

namespace pose_regressor {

using Result = std::tuple<at::Tensor, at::Tensor, at::Tensor>;

// The operator, in C++: what its schema in op.cpp says.
using Operator = Result(const at::Tensor& points, const at::Tensor& rotation, const at::Tensor& translation,
                        const at::Tensor& rotation_gt, const at::Tensor& translation_gt,
                        const at::Tensor& camera_matrix, int64_t height, int64_t width, double scale,
                        const std::string& kernel, bool differentiate);

// Contiguous tensors of one float type on one device. points: (1 or B, N, 3); camera_matrix: (1 or B, 3, 3).
struct Problem {
  at::Tensor points, rotation, translation, rotation_gt, translation_gt, camera_matrix;
  int batch, count, height, width;
  double scale;
  Kernel kernel;
  bool differentiate;

  int64_t pixels() const { return int64_t(height) * padded(width); }
  // Elements between the values of two images; 0 where one is for all.
  int64_t points_stride() const { return points.size(0) == 1 ? 0 : 3 * int64_t(count); }
  int64_t camera_stride() const { return camera_matrix.size(0) == 1 ? 0 : 9; }
};

Problem checked(const at::Tensor& points, const at::Tensor& rotation, const at::Tensor& translation,
                const at::Tensor& rotation_gt, const at::Tensor& translation_gt, const at::Tensor& camera_matrix,
                int64_t height, int64_t width, double scale, const std::string& kernel, bool differentiate);

// Uninitialised: loss (B,), gradients by rotation (B, 3, 3) and translation (B, 3); empty gradients if not asked for.
Result allocate(const Problem& problem);

}  // namespace pose_regressor
