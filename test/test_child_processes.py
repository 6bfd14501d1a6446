"""What a test starts ends with it, and with pytest."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from child_processes import VARIABLE, ended_with_the_block, marked_processes

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="it looks for processes in /proc")

#: A process in a group of its own starts another one, which ignores what asks it to end.
FAMILY = """
import os, signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "print(flush=True); import threading; threading.Event().wait()"])
print(os.getpid(), child.pid, flush=True)
child.wait()
"""
PYTEST = f"""
import subprocess, sys
sys.path.insert(0, {str(Path(__file__).with_name("helpers"))!r})
from child_processes import mark_run
mark_run()
subprocess.Popen([sys.executable, "-c", {FAMILY!r}], start_new_session=True).wait()
"""


def start(script):
    """The process, and the ids of the two of the family."""
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    lines = [line.split() for line in (process.stdout.readline(), process.stdout.readline())]
    return process, [int(word) for words in lines for word in words]


def alive(pids):
    """Those that are not dead, and not merely unmourned by their parents."""
    states = [Path(f"/proc/{pid}/stat") for pid in pids]
    return [path for path in states if path.exists() and path.read_text().rpartition(")")[2].split()[0] != "Z"]


def test_a_test_leaves_no_process():
    with ended_with_the_block():
        process, family = start(FAMILY)
        assert set(marked_processes(os.environ[VARIABLE])) >= set(family) and len(alive(family)) == 2
    assert process.wait(60) == -signal.SIGKILL
    while alive(family):
        time.sleep(0.01)


def test_nor_does_pytest_that_is_killed():
    process, family = start(PYTEST)
    assert len(alive(family)) == 2
    process.kill()
    while alive(family):  # within the time of this test
        time.sleep(0.01)
