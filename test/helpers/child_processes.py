"""No process that a test starts outlives it, however the test ends.

Whatever is started inherits an environment variable, the mark, that names the run, the pytest process and the test. At
the end of a test every process with its mark is killed. When pytest itself dies, even by SIGKILL, a watchdog kills
what carries the mark of that pytest process.
"""

import contextlib
import itertools
import multiprocessing.resource_tracker
import os
import re
import resource
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

VARIABLE = "POSE_REGRESSOR_TEST_RUN"
_numbers = itertools.count()


def marked_processes(mark):
    """The ids of the processes whose mark is this one or begins with it and a slash."""
    entry = f"{VARIABLE}={mark}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            variables = (folder / "environ").read_bytes().split(b"\0")
            if entry in variables or any(variable.startswith(entry + b"/") for variable in variables):
                found.append(int(folder.name))
    return found


def kill_marked(mark):
    """Until there is none: one that is about to start another has handed the mark on."""
    while processes := [pid for pid in marked_processes(mark) if pid != os.getpid()]:
        for pid in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.002)


def mark_run():
    """Marks what this pytest process starts from now on, and starts its watchdog. A worker of pytest-xdist inherits
    the mark of the process that started it and adds a part of its own, so that it ends with that one."""
    above = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = mark = "/".join(filter(None, (above, uuid.uuid4().hex[:12])))
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    command = [sys.executable, "-IS", __file__, mark, str(os.getpid())]
    subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, start_new_session=True)
    multiprocessing.resource_tracker.ensure_running()  # one for the whole run, no test's own


def _children():
    """The children of this process, and a count that changes with every child that has ended."""
    living = {path.read_text() for path in Path("/proc/self/task").glob("*/children")}
    return living, resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt


@contextlib.contextmanager
def ended_with_the_block():
    """What is started within the block is killed at its end, grandchildren and new process groups included."""
    outer = os.environ[VARIABLE]
    os.environ[VARIABLE] = mark = f"{outer}/{next(_numbers)}"
    forked, children = set(multiprocessing.active_children()), _children()
    try:
        yield
    finally:
        os.environ[VARIABLE] = outer
        for process in set(multiprocessing.active_children()) - forked:  # a fork keeps the environment of its parent
            process.kill()
            process.join()
        if _children() != children:
            kill_marked(mark)


def idle_clock():
    """Seconds that stand still while any process of the machine waits for a core: a busy machine costs none.

    Linux counts that time. Where it does not, this clock stands always, and only what never ends is noticed.
    """
    try:
        (some,) = re.findall(r"^some .* total=(\d+)", Path("/proc/pressure/cpu").read_text(), re.MULTILINE)
    except OSError:
        return 0.0
    return time.monotonic() - int(some) / 1e6


def _watch(mark, parent):
    while os.getppid() == parent:
        time.sleep(0.5)
    kill_marked(mark)


if __name__ == "__main__":
    _watch(sys.argv[1], int(sys.argv[2]))
