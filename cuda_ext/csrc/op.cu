// The projection loss in CUDA: one block an image. Silhouettes are bits in shared memory; only integers are added
// atomically and sums of floats are taken in a fixed order, so that the same input gives the same bits.
#include <cuda_runtime.h>

#include "projection_cuda.h"

namespace pose_regressor {

namespace {

constexpr int kThreads = 512;            // of a block; a power of two, for sums
constexpr int kSums = 12;                // nine of the rotation, three of the translation
constexpr int kAtOnce = 4;               // as many as are summed in one go
constexpr size_t kSharedBytes = 49152;   // what every device gives a block unasked
constexpr size_t kCountBytes = 2 * kThreads * sizeof(int);

// Adds up each of the lists, one after the other in memory and one value of each thread, into its first element.
template <typename Value>
__device__ void add_up(Value* lists, int count) {
  const int thread = threadIdx.x, threads = blockDim.x;
  __syncthreads();
  for (int half = threads / 2; half > 0; half /= 2) {
    for (int i = 0; thread < half && i < count; ++i) lists[i * threads + thread] += lists[i * threads + thread + half];
    __syncthreads();
  }
}

__device__ void set_bit(uint32_t* words, int bit) { atomicOr(words + bit / 32, 1u << (bit % 32)); }

template <typename T>
__global__ void __launch_bounds__(kThreads, sizeof(T) == 4 ? 2 : 1) projection_loss(const Launch<T> arguments, bool planes_in_scratch) {
  extern __shared__ __align__(8) uint32_t shared[];
  const int image = blockIdx.x, thread = threadIdx.x, threads = blockDim.x;
  const int height = arguments.height, width = arguments.width, line = padded(width), column_line = padded(height);
  const int pixels = height * line, words = pixels / 32, column_words = width * column_line / 32;
  const bool differentiate = arguments.by_rotation != nullptr;
  const bool alone_counts = differentiate && arguments.kernel == Kernel::one_pixel;

  int* counts = reinterpret_cast<int*>(shared);
  uint32_t* planes = planes_in_scratch ? arguments.planes + int64_t(image) * (2 * words + column_words)
                                       : shared + kCountBytes / sizeof(uint32_t);
  uint32_t *covered = planes, *wanted = planes + words, *covered_by_column = planes + 2 * words;
  int* first = arguments.first + int64_t(image) * pixels;
  int* last = arguments.last + int64_t(image) * pixels;
  const T* points = arguments.points + image * arguments.points_stride;
  const T* camera = arguments.camera_matrix + image * arguments.camera_stride;
  const View<T> predicted(arguments.rotation + 9 * image, arguments.translation + 3 * image, camera, arguments.scale,
                          height, width);
  const View<T> true_(arguments.rotation_gt + 9 * image, arguments.translation_gt + 3 * image, camera, arguments.scale,
                      height, width);

  for (int i = thread; i < 2 * words + column_words; i += threads) planes[i] = 0;
  for (int i = thread; differentiate && i < pixels; i += threads) {
    first[i] = arguments.count;
    if (alone_counts) last[i] = -1;
  }
  __syncthreads();

  for (int i = thread; i < arguments.count; i += threads) {
    const T x = points[3 * i], y = points[3 * i + 1], z = points[3 * i + 2];
    const int goal = land(true_, x, y, z).pixel;
    if (goal < pixels) set_bit(wanted, goal);
    const int pixel = land(predicted, x, y, z).pixel;
    if (pixel == pixels) continue;
    set_bit(covered, pixel);
    if (!differentiate) continue;
    atomicMin(first + pixel, i);
    if (alone_counts) {
      atomicMax(last + pixel, i);
    } else {
      set_bit(covered_by_column, pixel % line * column_line + pixel / line);
    }
  }
  __syncthreads();

  int both = 0, either = 0;
  for (int i = thread; i < words; i += threads) {
    both += count_bits(covered[i] & wanted[i]);
    either += count_bits(covered[i] | wanted[i]);
  }
  counts[thread] = both;
  counts[threads + thread] = either;
  add_up(counts, 2);
  const int intersection = counts[0], union_ = counts[threads];
  if (thread == 0) arguments.loss[image] = union_ == 0 ? T(0) : T(1) - T(intersection) / T(union_);
  if (!differentiate) return;

  T pose[kSums] = {};
  if (intersection != union_) {
    const Silhouettes<T> silhouettes({covered, width}, {covered_by_column, height}, {wanted, width}, intersection, union_);
    const auto point_of = [&](int pixel) { return points + 3 * first[pixel]; };
    const auto pull = [&](int pixel, T by_a, T by_b) {
      const T* point = point_of(pixel);
      pull_back(predicted, point[0], point[1], point[2], by_a, by_b, pose);
    };
    for (int pixel = thread; pixel < pixels; pixel += threads) {
      const int row = pixel / line, column = pixel % line;
      const bool is_covered = silhouettes.covered.get(pixel);
      if (arguments.kernel == Kernel::one_pixel) {
        if (!is_covered) continue;
        const T* point = point_of(pixel);
        const Landing<T> landing = land(predicted, point[0], point[1], point[2]);
        T by_a, by_b;
        one_pixel(silhouettes, pixel, first[pixel] == last[pixel], landing.a, landing.b, height, width, by_a, by_b);
        if (by_a != 0 || by_b != 0) pull(pixel, by_a, by_b);
      } else if (is_covered != silhouettes.wanted.get(pixel)) {
        const auto coordinate = [&](int at, int axis) {
          const T* point = point_of(at);
          const Landing<T> landing = land(predicted, point[0], point[1], point[2]);
          return axis == 0 ? landing.a : landing.b;
        };
        const auto add = [&](int at, int axis, T value) { pull(at, axis == 0 ? value : 0, axis == 0 ? 0 : value); };
        long_range(silhouettes, row, column, coordinate, add);
      }
    }
  }

  T* lists = reinterpret_cast<T*>(shared);  // the planes are done with
  for (int begin = 0; begin < kSums; begin += kAtOnce) {
    __syncthreads();
    for (int i = 0; i < kAtOnce; ++i) lists[i * threads + thread] = pose[begin + i];
    add_up(lists, kAtOnce);
    const int sum = begin + thread;
    if (thread >= kAtOnce) continue;
    if (sum < 9) {
      arguments.by_rotation[9 * image + sum] = lists[thread * threads];
    } else {
      arguments.by_translation[3 * image + sum - 9] = lists[thread * threads];
    }
  }
}

}  // namespace

bool planes_in_scratch(int height, int width) {
  return kCountBytes + sizeof(uint32_t) * plane_words(height, width) > kSharedBytes;
}

template <typename T>
const char* launch(const Launch<T>& arguments, CUstream_st* stream) {
  if (arguments.batch == 0) return nullptr;
  const bool in_scratch = planes_in_scratch(arguments.height, arguments.width);
  const size_t planes = in_scratch ? 0 : sizeof(uint32_t) * plane_words(arguments.height, arguments.width);
  const size_t sums = kAtOnce * kThreads * sizeof(T);
  const size_t bytes = kCountBytes + planes > sums ? kCountBytes + planes : sums;
  Launch<T> copy = arguments;
  bool flag = in_scratch;
  void* values[] = {&copy, &flag};
  const cudaError_t error = cudaLaunchKernel(projection_loss<T>, dim3(arguments.batch), dim3(kThreads), values, bytes, stream);
  return error == cudaSuccess ? nullptr : cudaGetErrorString(error);
}

template const char* launch<float>(const Launch<float>&, CUstream_st*);
template const char* launch<double>(const Launch<double>&, CUstream_st*);

}  // namespace pose_regressor
