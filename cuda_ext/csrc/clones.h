#pragma once

// Compiled once more for wider registers, and chosen when the library is loaded.
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define FOR_EVERY_CPU __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define FOR_EVERY_CPU
#endif
