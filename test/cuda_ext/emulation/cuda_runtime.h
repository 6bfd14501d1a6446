// As much of CUDA as op.cu uses, on the CPU: the blocks one after the other, the threads of a block as real threads that
// meet at barriers. A stand-in for machines without a GPU, on which a thread sanitizer sees races between them.
#pragma once
#include <algorithm>
#include <barrier>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <thread>
#include <vector>

#define __global__
#define __device__
#define __shared__
#define __forceinline__ inline
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __launch_bounds__(...)

struct dim3 {
  unsigned x, y, z;
  explicit dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

using cudaError_t = int;
constexpr cudaError_t cudaSuccess = 0;
inline const char* cudaGetErrorString(cudaError_t) { return "none"; }

inline thread_local dim3 threadIdx, blockIdx, blockDim;
inline std::barrier<>* meeting = nullptr;
inline void __syncthreads() { meeting->arrive_and_wait(); }

template <typename Value, typename Change>
Value change(Value* place, Change next) {
  Value before = __atomic_load_n(place, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n(place, &before, next(before), true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
  return before;
}
inline int atomicMin(int* place, int value) { return change(place, [=](int old) { return std::min(old, value); }); }
inline int atomicMax(int* place, int value) { return change(place, [=](int old) { return std::max(old, value); }); }
inline uint32_t atomicOr(uint32_t* place, uint32_t value) { return __atomic_fetch_or(place, value, __ATOMIC_RELAXED); }

// Fewer threads than on a GPU: a barrier of hundreds takes long on a few cores.
constexpr unsigned kEmulatedThreads = 8;
void shared_memory(size_t bytes);  // made anew for each block, filled with rubbish

template <typename... Parameters>
cudaError_t cudaLaunchKernel(void (*kernel)(Parameters...), dim3 grid, dim3 block, void** values, size_t bytes, void*) {
  const unsigned count = std::min(block.x, kEmulatedThreads);
  std::barrier<> all(count);
  meeting = &all;
  for (unsigned number = 0; number < grid.x; ++number) {
    shared_memory(bytes);
    std::vector<std::thread> threads;
    for (unsigned index = 0; index < count; ++index) {
      threads.emplace_back([=] {
        threadIdx = dim3(index), blockIdx = dim3(number), blockDim = dim3(count);
        [&]<size_t... I>(std::index_sequence<I...>) {
          kernel(*static_cast<std::remove_reference_t<Parameters>*>(values[I])...);
        }(std::index_sequence_for<Parameters...>{});
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  return cudaSuccess;
}
