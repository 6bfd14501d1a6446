"""The memory that a process keeps instead of giving it back to the system."""

from __future__ import annotations

import ctypes

#: Parameters of glibc's mallopt: the size from which a block comes straight from the system, and how much free memory
#: at the heap's end stays with the process.
_MMAP_THRESHOLD, _TRIM_THRESHOLD = -3, -1
#: The largest value that every version of glibc takes for the first of them.
_LARGEST = 32 << 20


def keep_memory(kept: int = 2**31 - 1) -> None:
    """From now on the process keeps freed memory and uses it again. Linux with glibc only.

    kept: bytes that it keeps at most; the default is the most that every version of glibc takes

    A training step, and a player's 1080p image, allocate and free the same large blocks again and again. If the system
    takes their pages back, each page costs a page fault the next time: a tenth of a step's time, and more than half of
    the time that an image takes to another process.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        # Both are needed: setting one alone stops glibc from adapting the other to what is freed.
        mallopt(_MMAP_THRESHOLD, _LARGEST)
        mallopt(_TRIM_THRESHOLD, kept)
