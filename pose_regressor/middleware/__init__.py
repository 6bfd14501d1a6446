"""The same nodes over three middlewares: `ros2` is rclpy; `dds` is Cyclone DDS and `zenoh` is Zenoh, without ROS 2.

All speak ROS 2's wire. `dds` and `zenoh` share their nodes, which are in `standalone`.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal

from pose_regressor.types import InputError

Middleware = Literal["ros2", "dds", "zenoh"]
DDS_REMEDY = (
    'pip install "pose_regressor[dds]"'
    if sys.version_info < (3, 14)
    else "use Python 3.10 to 3.13, for which cyclonedds has wheels (make PYTHON=python3.13), or Zenoh"
)
NEEDS: dict[Middleware, tuple[str, str]] = {
    "ros2": (
        "rclpy",
        'source ROS 2 first (source /opt/ros/<distro>/setup.bash), or pip install "pose_regressor[ros]"',
    ),
    "dds": ("cyclonedds", DDS_REMEDY),
    "zenoh": ("zenoh", 'pip install "pose_regressor[zenoh]"'),
}

RMW = "RMW_IMPLEMENTATION"
#: By ROS 2's middleware: the one that speaks to it without ROS 2.
SPEAKS: dict[str, Middleware] = {
    "rmw_cyclonedds_cpp": "dds",
    "rmw_fastrtps_cpp": "dds",
    "rmw_fastrtps_dynamic_cpp": "dds",
    "rmw_connextdds": "dds",
    "rmw_gurumdds_cpp": "dds",
    "rmw_zenoh_cpp": "zenoh",
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

    ROS 2 if rclpy imports; otherwise the one that speaks to the RMW_IMPLEMENTATION of the environment; otherwise DDS;
    otherwise Zenoh.
    InputError: the middleware cannot be used here, or none can.
    """
    if name == "auto":
        return _choose_by_itself(environment.get(RMW, ""))
    if name not in NEEDS:
        *most, last = NEEDS
        raise InputError(f"middleware: expected auto, {', '.join(most)} or {last}, got {name!r}")
    chosen: Middleware = name
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
    return _first(standalone_candidates(rmw), {"ros2": reason})


def choose_standalone(name: str = "auto", environment: Mapping[str, str] = os.environ) -> Middleware:
    """As `choose`, but never ROS 2: for what must see the network without it."""
    if name == "auto":
        rmw = environment.get(RMW, "")
        return _first(standalone_candidates(rmw if rmw in SPEAKS else ""), {})
    if name == "ros2":
        raise InputError("middleware: expected auto, dds or zenoh, got 'ros2'")
    return choose(name)


def standalone_candidates(rmw: str) -> list[Middleware]:
    """What may be used in place of ROS 2, the best first. rmw: the RMW_IMPLEMENTATION, which is known here, or ''."""
    return [SPEAKS[rmw]] if rmw else ["dds", "zenoh"]


def _first(candidates: list[Middleware], reasons: dict[str, str]) -> Middleware:
    """The first that can be used. reasons: why others cannot, by name."""
    for candidate in candidates:
        if not (reason := missing(candidate)):
            return candidate
        reasons[candidate] = reason
    raise InputError("no middleware: " + "; ".join(f"{key}: {reason}" for key, reason in reasons.items()))


def program(middleware: Middleware, module: str, name: str) -> Callable[..., Any]:
    """What is called `name` in the module of this middleware, such as "node" and "run". Its module is imported now.

    Over DDS and Zenoh it is that of `standalone`, on this middleware's participants.
    """
    package = "pose_regressor.middleware"
    if middleware == "ros2":
        return getattr(importlib.import_module(f"{package}.ros2.{module}"), name)
    participant = importlib.import_module(f"{package}.{middleware}.participant").Participant
    return partial(getattr(importlib.import_module(f"{package}.standalone.{module}"), name), participant)
