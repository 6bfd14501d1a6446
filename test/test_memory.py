"""Freed memory that stays with the process, as the kernel counts its page faults."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="mallopt is glibc's")

BUFFERS = """
import ctypes, resource, sys
from pose_regressor.memory import keep_memory
if "kept" in sys.argv:
    keep_memory(256 << 20)
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

STEPS = """
import resource, sys, torch
from pose_regressor.memory import keep_memory
if "kept" in sys.argv:
    keep_memory()
def step():  # tensors as of a training: all alive, then all free
    maps = [torch.ones(2_000_000 + number) for number in range(12)]
for _ in range(3):  # until the free blocks fit
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(script: str, *arguments: str) -> int:
    ran = subprocess.run([sys.executable, "-c", script, *arguments], check=True, capture_output=True, text=True)
    return int(ran.stdout)


def test_pages_of_images_are_not_asked_for_again_and_again():
    once = 2 * 6_220_800 // 4096
    assert faults(BUFFERS) > 5 * once
    assert faults(BUFFERS, "kept") < once


def test_pages_of_a_training_step_are_not_asked_for_again_in_the_next():
    assert faults(STEPS, "kept") < faults(STEPS) / 2
