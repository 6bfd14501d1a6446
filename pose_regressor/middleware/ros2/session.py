"""rclpy from start to end, in a process whose main thread hears the signals."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import rclpy
from rclpy.exceptions import NameValidationException
from rclpy.executors import ExternalShutdownException, ShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args

from pose_regressor.types import InputError


@contextmanager
def ros(arguments: Sequence[str] = ()) -> Iterator[list[str]]:
    """rclpy is initialised within the block; yields the arguments that are not ROS's own (``--ros-args ...``).

    Signals are left to `interruptible`. InputError: ROS's arguments cannot be used.
    """
    try:
        rclpy.init(args=list(arguments), signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:  # what rclpy's own exceptions have in common
        raise InputError(f"ROS arguments cannot be used: {_one_line(error)}") from None
    try:
        yield remove_ros_args(list(arguments))
    finally:
        rclpy.try_shutdown()


@contextmanager
def ros_node(name: str, kind: type[Any] = Node, **options: Any) -> Iterator[Any]:
    """A `kind` of node that is destroyed at the end of the block. InputError: it cannot be made."""
    try:
        node = kind(name, **options)
    except ValueError:  # from declaring the parameters given: nothing but a value that is none does it
        raise InputError("parameters: one is without a value; an empty list is written ['']") from None
    except (NameValidationException, RuntimeError) as error:
        domain = os.environ.get("ROS_DOMAIN_ID", "not set")
        raise InputError(f"ROS node: {_one_line(error)} (ROS_DOMAIN_ID is {domain})") from None
    try:
        yield node
    finally:
        node.destroy_node()


@contextmanager
def spinning(node: Node, stop: threading.Event) -> Iterator[threading.Event]:
    """Within the block a thread handles what arrives at the node: in the main thread rclpy's wait would not hear our
    signals. Should an error end the thread, it is logged, and both `stop` and the event that is yielded are set."""
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    failed = threading.Event()

    def spin() -> None:
        try:
            executor.spin()
        except (ExternalShutdownException, ShutdownException):
            pass
        except Exception as error:  # the border of the thread
            RosLog(node).error(f"stopped by an internal error {type(error).__name__}: {error}")
            failed.set()
            stop.set()

    thread = threading.Thread(target=spin, name="pose_regressor receiver", daemon=True)
    thread.start()
    try:
        yield failed
    finally:
        executor.shutdown()
        thread.join(1.0)


class RosLog:
    """A node's logger for `middleware.worker`. rclpy ties a severity to the line that logs, so each has its own."""

    def __init__(self, node: Node) -> None:
        self._logger = node.get_logger()

    def info(self, message: str, /) -> None:
        self._logger.info(message)

    def warning(self, message: str, /) -> None:
        self._logger.warning(message)

    def error(self, message: str, /) -> None:
        self._logger.error(message)


def _one_line(error: Exception) -> str:
    """The first line of an rcl error, which goes on with places in its source."""
    text = str(error).strip() or type(error).__name__
    return " ".join(text.split(", at ")[0].split())
