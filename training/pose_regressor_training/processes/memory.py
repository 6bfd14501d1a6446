"""The memory that a process keeps instead of giving it back to the system."""

from __future__ import annotations

import ctypes

#: Parameters of glibc's mallopt: the size from which a block comes straight from the system, and how much free memory
#: at the heap's end stays with the process. Each with the largest value that every version of glibc takes.
_MMAP_THRESHOLD, _TRIM_THRESHOLD = (-3, 32 << 20), (-1, 2**31 - 1)


def keep_memory() -> None:
    """From now on the process keeps freed memory and uses it again. Linux with glibc only.

    A training step allocates and frees the same hundreds of megabytes, step after step. If the system takes their pages
    back, each page costs a page fault in the next step: a tenth of the step's time.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        # Both are needed: setting one alone stops glibc from adapting the other to what is freed.
        mallopt(*_MMAP_THRESHOLD)
        mallopt(*_TRIM_THRESHOLD)
