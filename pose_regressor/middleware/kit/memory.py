"""The memory of a node's process: how much it holds, and what it gives back."""

from __future__ import annotations

import gc
import resource
import sys
from pathlib import Path


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
