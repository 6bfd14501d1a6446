"""The same nodes over two middlewares: `ros2` is rclpy, `dds` is Cyclone DDS, which needs no ROS 2.

Both speak ROS 2's wire.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from typing import Literal

from pose_regressor.types import InputError

Middleware = Literal["ros2", "dds"]
DDS_REMEDY = (
    'pip install "pose_regressor[dds]"'
    if sys.version_info < (3, 14)
    else "use Python 3.10 to 3.13, for which cyclonedds has wheels (make PYTHON=python3.13)"
)
NEEDS = {
    "ros2": (
        "rclpy",
        'source ROS 2 first (source /opt/ros/<distro>/setup.bash), or pip install "pose_regressor[ros]"',
    ),
    "dds": ("cyclonedds", DDS_REMEDY),
}

RMW = "RMW_IMPLEMENTATION"
#: By ROS 2's middleware: the one that speaks to it without ROS 2.
SPEAKS: dict[str, Middleware] = {
    "rmw_cyclonedds_cpp": "dds",
    "rmw_fastrtps_cpp": "dds",
    "rmw_fastrtps_dynamic_cpp": "dds",
    "rmw_connextdds": "dds",
    "rmw_gurumdds_cpp": "dds",
}


def missing(name: Middleware) -> str:
    """Why a middleware cannot be used here, and the remedy; '' if it can be used."""
    module, remedy = NEEDS[name]
    try:
        importlib.import_module(module)
    except ImportError as error:  # it is missing, or it is an rclpy built for another Python
        return f"{module} does not import ({error}); {remedy}"
    return ""


def choose(name: str = "auto", environment: Mapping[str, str] = os.environ) -> Middleware:
    """The middleware to use: `name`, or for 'auto' the first of these that can be used.

    ROS 2 if rclpy imports; otherwise the one that speaks to the RMW_IMPLEMENTATION of the environment; otherwise DDS.
    InputError: the middleware cannot be used here, or none can.
    """
    if name == "auto":
        return _choose_by_itself(environment.get(RMW, ""))
    if name not in NEEDS:
        raise InputError(f"middleware: expected auto, {' or '.join(NEEDS)}, got {name!r}")
    chosen: Middleware = "ros2" if name == "ros2" else "dds"
    if reason := missing(chosen):
        raise InputError(f"middleware {chosen}: {reason}")
    return chosen


def _choose_by_itself(rmw: str) -> Middleware:
    """rmw: the RMW_IMPLEMENTATION, or ''."""
    if not (reason := missing("ros2")):
        return "ros2"
    if rmw and rmw not in SPEAKS:
        known = ", ".join(SPEAKS)
        raise InputError(f"{RMW} is {rmw}, which only ROS 2 speaks here: {reason}; or set {RMW} to one of {known}")
    candidates: list[Middleware] = [SPEAKS[rmw]] if rmw else ["dds"]
    reasons = {"ros2": reason}
    for candidate in candidates:
        if not (reason := missing(candidate)):
            return candidate
        reasons[candidate] = reason
    raise InputError("no middleware: " + "; ".join(f"{key}: {reason}" for key, reason in reasons.items()))
