// Silhouettes as bits, on the host and on the device: 32 pixels a word, each row beginning a new word.
#pragma once
#include <cstdint>

#ifdef __CUDACC__
#define HOST_DEVICE __host__ __device__ __forceinline__
#else
// Into every loop: what is called there cannot be made of vectors.
#define HOST_DEVICE inline __attribute__((always_inline))
#endif

namespace pose_regressor {

HOST_DEVICE int count_bits(uint32_t word) {
#ifdef __CUDA_ARCH__
  return __popc(word);
#else
  return __builtin_popcount(word);
#endif
}

// Place of the lowest and of the highest bit set; the word must not be 0.
HOST_DEVICE int lowest_bit(uint32_t word) {
#ifdef __CUDA_ARCH__
  return __ffs(static_cast<int>(word)) - 1;
#else
  return __builtin_ctz(word);
#endif
}

HOST_DEVICE int highest_bit(uint32_t word) {
#ifdef __CUDA_ARCH__
  return 31 - __clz(static_cast<int>(word));
#else
  return 31 - __builtin_clz(word);
#endif
}

// The width of a row in bits, its padding included.
HOST_DEVICE int padded(int width) { return (width + 31) / 32 * 32; }

// A view of `height` rows of `width` bits; does not own its words.
struct Bits {
  uint32_t* words;
  int width;

  HOST_DEVICE int place(int row, int column) const { return row * padded(width) + column; }

  // 0 or 1. Signed, as an index that vectors are gathered by has to be.
  HOST_DEVICE int bit(int place) const { return words[place >> 5] >> (place & 31) & 1; }

  HOST_DEVICE bool get(int place) const { return bit(place) != 0; }

  // The nearest column of the row whose bit is `value`, from `column` (included) on towards step = -1 or +1;
  // -1 or `width` where there is none.
  HOST_DEVICE int nearest(int row, int column, int step, bool value) const {
    const int count = padded(width) / 32;
    const uint32_t* line = words + row * count;
    const uint32_t flip = value ? 0u : ~0u;
    int at = column / 32;
    const int bit = column % 32;
    uint32_t word = (line[at] ^ flip) & (step > 0 ? ~0u << bit : ~0u >> (31 - bit));
    while (word == 0) {
      at += step;
      if (at < 0) return -1;
      if (at >= count) return width;
      word = line[at] ^ flip;
    }
    const int found = 32 * at + (step > 0 ? lowest_bit(word) : highest_bit(word));
    return found < width ? found : width;  // the padding of a row counts as not set
  }
};

}  // namespace pose_regressor
