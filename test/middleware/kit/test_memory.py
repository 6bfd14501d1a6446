"""The memory of the process: what it holds, and freed memory that stays, as the kernel counts its page faults."""

import subprocess
import sys

import pytest

BUFFERS = """
import ctypes, resource, sys
from pose_regressor.middleware.kit.memory import keep_memory
if "kept" in sys.argv:
    keep_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
def images():  # as a writer has them: serialized, then copied
    buffers = [libc.malloc(size) for size in (6_220_800, 6_220_900)]
    for buffer in buffers:
        ctypes.memset(buffer, 1, 6_220_800)
    for buffer in buffers:
        libc.free(buffer)
images()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    images()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(*arguments: str) -> int:
    ran = subprocess.run([sys.executable, "-c", BUFFERS, *arguments], check=True, capture_output=True, text=True)
    return int(ran.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="mallopt is glibc's")
def test_pages_of_images_are_not_asked_for_again_and_again():
    once = 2 * 6_220_800 // 4096
    assert faults() > 5 * once
    assert faults("kept") < once


HELD = """
from pose_regressor.middleware.kit.memory import process_memory
before = process_memory()
held = bytearray(50_000_000)
held[::4096] = b"\\1" * len(held[::4096])  # a page counts once it is written
print(process_memory() - before)
"""


def test_process_memory_grows_with_what_is_held():
    # In a process of its own: the threads of other tests may take memory at any time.
    ran = subprocess.run([sys.executable, "-c", HELD], check=True, capture_output=True, text=True)
    assert 45e6 < int(ran.stdout) < 60e6
