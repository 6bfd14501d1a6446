"""Collects the transforms on /tf, under ROS 2."""

from __future__ import annotations

import threading
from contextlib import ExitStack

from pose_regressor.middleware.messages.transforms import TransformCollector
from pose_regressor.middleware.ros2 import interfaces
from pose_regressor.middleware.ros2.session import ros, ros_node, spinning

DEPTH = 100


class TfListener(TransformCollector):
    """Collects transforms from now on until `close`. As a context manager it closes at the end.

    It initialises rclpy's default context, so nothing else in the process may do so meanwhile.
    """

    def __init__(self, topic: str = "/tf") -> None:
        super().__init__()
        with ExitStack() as stack:
            stack.enter_context(ros())
            node = stack.enter_context(ros_node("pose_regressor_listener"))
            node.create_subscription(interfaces.TFMessage, topic, self.on_tf, DEPTH)
            stack.enter_context(spinning(node, threading.Event()))
            self._stack = stack.pop_all()

    def close(self) -> None:
        self._stack.close()

    def __enter__(self) -> TfListener:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
