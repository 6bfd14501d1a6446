"""What a process that sends large images does not give back."""

from __future__ import annotations

import ctypes
import gc
import sys

#: glibc's mallopt: the size from which memory is asked of the system by itself, and how much that is free at the heap's
#: end is given back.
_MMAP_THRESHOLD, _TRIM_THRESHOLD = -3, -1
_LARGEST, _KEPT = 32 << 20, 256 << 20


def keep_memory() -> None:
    """From here on freed memory stays with the process, up to 256 MB, and is used again; nothing outside Linux's glibc.

    A 1080p image of 6 MB is written into several buffers that are freed at once, and every page of one that the system
    has taken back costs a page fault when it is next asked for: more than half of the time from one process to another.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        # Both, or neither: the second alone makes glibc stop learning the first from what is freed.
        mallopt(_MMAP_THRESHOLD, _LARGEST)
        mallopt(_TRIM_THRESHOLD, _KEPT)


def free_device_memory() -> None:
    """Gives back to the device what torch keeps for later and nothing uses."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def free_memory() -> None:
    """After the last reference to a tracker is gone: also what only cycles hold. Takes tenths of a second."""
    gc.collect()
    free_device_memory()


def device_memory(device: str) -> int:
    """Bytes that torch has taken of a CUDA device; 0 for any other."""
    torch = sys.modules.get("torch")
    return int(torch.cuda.memory_reserved(device)) if torch is not None and device.startswith("cuda") else 0
