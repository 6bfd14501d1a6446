"""Freed memory that stays with the process, as the kernel counts its page faults."""

import subprocess
import sys

import pytest

STEPS = """
import resource, sys, torch
from pose_regressor_training.processes.memory import keep_memory
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


def faults(*arguments: str) -> int:
    ran = subprocess.run([sys.executable, "-c", STEPS, *arguments], check=True, capture_output=True, text=True)
    return int(ran.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="mallopt is glibc's")
def test_pages_of_a_step_are_not_asked_for_again_in_the_next():
    assert faults("kept") < faults() / 2
