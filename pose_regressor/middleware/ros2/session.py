"""rclpy from start to end, in a process whose main thread handles the signals."""

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
    """Initialises rclpy within the block. Yields the arguments that are not ROS's own (``--ros-args ...``).

    Leaves signals to `interruptible`. InputError: ROS's arguments cannot be used.
    """
    try:
        rclpy.init(args=list(arguments), signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:  # the base of rclpy's own exceptions
        raise InputError(f"ROS arguments cannot be used: {_one_line(error)}") from None
    context = rclpy.get_default_context()
    try:
        yield remove_ros_args(list(arguments))
    finally:
        rclpy.try_shutdown()
        # Ends the middleware now. Otherwise a process that ends in a hurry leaves its shared memory behind in /dev/shm.
        context.destroy()


@contextmanager
def ros_node(name: str, kind: type[Any] = Node, **options: Any) -> Iterator[Any]:
    """A node of class `kind`, destroyed at the end of the block. InputError: it cannot be made."""
    try:
        node = kind(name, **options)
    except ValueError:  # while it declares the given parameters; only a missing value leads to it
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
    """Within the block a thread handles everything that arrives at the node.

    It is not done in the main thread, where rclpy's wait would not notice our signals. If an error ends the thread, it
    is logged, and both `stop` and the event that is yielded are set.
    """
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
    """A node's logger as a `Log`. rclpy allows one severity per line of code, so each method has its own line."""

    def __init__(self, node: Node) -> None:
        self._logger = node.get_logger()

    def info(self, message: str, /) -> None:
        self._logger.info(message)

    def warning(self, message: str, /) -> None:
        self._logger.warning(message)

    def error(self, message: str, /) -> None:
        self._logger.error(message)


def _one_line(error: Exception) -> str:
    """An rcl error in one line, without the places in its source that it goes on with."""
    text = str(error).strip() or type(error).__name__
    return " ".join(text.split(", at ")[0].split())
