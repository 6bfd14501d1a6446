"""The memory that a process holds."""

import subprocess
import sys

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
