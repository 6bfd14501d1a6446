"""The memory of a node's process: how much it holds, what it keeps, and what it gives back."""

from __future__ import annotations

import ctypes
import gc
import resource
import sys
from pathlib import Path

#: Parameters of glibc's mallopt: the size from which a block comes straight from the system, and how much free memory
#: at the heap's end stays with the process.
_MMAP_THRESHOLD, _TRIM_THRESHOLD = -3, -1
_LARGEST, _KEPT = 32 << 20, 256 << 20


def keep_memory() -> None:
    """From now on the process keeps up to 256 MB of freed memory and uses it again. Linux with glibc only.

    Sending a 1080p image (6 MB) fills several buffers that are freed at once. If the system takes their pages back,
    each page costs a page fault the next time: more than half of the time that an image takes to another process.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        # Both are needed: setting the second alone stops glibc from adapting the first to what is freed.
        mallopt(_MMAP_THRESHOLD, _LARGEST)
        mallopt(_TRIM_THRESHOLD, _KEPT)


def free_device_memory() -> None:
    """Gives the device back the memory that torch caches and nothing uses."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def free_memory() -> None:
    """To be called when the last reference to a tracker is gone: collects cycles, too, in some tenths of a second."""
    gc.collect()
    free_device_memory()


def process_memory() -> int:
    """Bytes of memory that the process holds now; where the system does not say, the most that it ever held."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def device_memory(device: str) -> int:
    """Bytes of a CUDA device's memory that torch has reserved; 0 for any other device."""
    torch = sys.modules.get("torch")
    return int(torch.cuda.memory_reserved(device)) if torch is not None and device.startswith("cuda") else 0
