// Launches the CUDA kernels. Included by op_cuda.cpp, which knows torch, and by op.cu, which does not: torch's CUDA
// headers are not in every wheel, and so the kernels compile wherever there is an nvcc.
#pragma once
#include <cstddef>
#include <cstdint>

#include "projection.h"

struct CUstream_st;  // cudaStream_t without the CUDA headers

namespace pose_regressor {

// Contiguous device memory. The strides are the elements from one image to the next, 0 where one is for all.
// Scratch: first, last (batch, pixels), for gradients only and `last` for the one-pixel kernel only; planes (batch,
// plane_words) where `planes_in_scratch` says so. by_rotation, by_translation: null where no gradient is asked for.
template <typename T>
struct Launch {
  const T *points, *rotation, *translation, *rotation_gt, *translation_gt, *camera_matrix;
  int64_t points_stride, camera_stride;
  int batch, count, height, width;
  T scale;
  Kernel kernel;
  int *first, *last;
  uint32_t* planes;
  T *loss, *by_rotation, *by_translation;
};

// Words of the three bit planes of one image.
inline int64_t plane_words(int height, int width) {
  return int64_t(padded(width) / 32) * height * 2 + int64_t(padded(height) / 32) * width;
}

// Whether the planes have to be in global memory, being larger than a block's shared memory.
bool planes_in_scratch(int height, int width);

// Enqueues the work; an error message, or null.
template <typename T>
const char* launch(const Launch<T>& arguments, CUstream_st* stream);

}  // namespace pose_regressor
