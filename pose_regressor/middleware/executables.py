"""The programs that `ros2 run pose_regressor ...` starts.

They import late: ROS takes seconds, and a signal during that time should already end the process without a
traceback.
"""

from __future__ import annotations

import importlib
import signal
import sys

from pose_regressor.middleware.kit.interrupts import SIGNALS, interruptible
from pose_regressor.types import InputError


def node() -> int:
    return _run("node")


def fusion() -> int:
    return _run("fusion")


def player() -> int:
    return _run("player")


def build_messages() -> int:
    return _run("build_messages")


def _run(name: str) -> int:
    status = 0
    with interruptible():
        try:
            status = importlib.import_module(f"pose_regressor.middleware.ros2.{name}").main(sys.argv[1:])
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)
            status = 2
    # A service manager and `ros2 launch` may both pass on a signal; the second must not kill a process that is ending.
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    return status
