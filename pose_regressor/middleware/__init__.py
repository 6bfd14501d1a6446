"""The same nodes over two middlewares: `ros2` is rclpy, `dds` is Cyclone DDS, which needs no ROS 2.

Both speak ROS 2's wire.
"""

from __future__ import annotations

import importlib
from typing import Literal

from pose_regressor.types import InputError

Middleware = Literal["ros2", "dds"]
NEEDS = {
    "ros2": (
        "rclpy",
        'source ROS 2 first (source /opt/ros/<distro>/setup.bash), or pip install "pose_regressor[ros]"',
    ),
    "dds": ("cyclonedds", 'pip install "pose_regressor[dds]"'),
}


def missing(name: Middleware) -> str:
    """Why a middleware cannot be used here, and the remedy; '' if it can be used."""
    module, remedy = NEEDS[name]
    try:
        importlib.import_module(module)
    except ImportError as error:  # it is missing, or it is an rclpy built for another Python
        return f"{module} does not import ({error}); {remedy}"
    return ""


def choose(name: str = "auto") -> Middleware:
    """The middleware to use: `name`; if that is 'auto', ros2 if rclpy imports, otherwise dds.

    InputError: the middleware cannot be used here, or none can.
    """
    if name == "auto":
        reasons = {}
        for candidate in ("ros2", "dds"):
            if not (reason := missing(candidate)):
                return candidate
            reasons[candidate] = reason
        raise InputError("no middleware: " + "; ".join(f"{key}: {reason}" for key, reason in reasons.items()))
    if name not in NEEDS:
        raise InputError(f"middleware: expected auto, {' or '.join(NEEDS)}, got {name!r}")
    chosen: Middleware = "ros2" if name == "ros2" else "dds"
    if reason := missing(chosen):
        raise InputError(f"middleware {chosen}: {reason}")
    return chosen
