"""Collects the transforms on /tf and, if wanted, a node's answers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from pose_regressor.middleware.kit.pacing import Answers
from pose_regressor.middleware.messages.transforms import TransformCollector
from pose_regressor.middleware.ros2 import interfaces
from pose_regressor.middleware.ros2.session import ros, ros_node, spinning

DEPTH = 100


class TfListener(TransformCollector):
    """Collects from when it is made until `close`; a context manager. Holds rclpy's default context for itself.

    detections: a node's topic of detections, which tell which images it answered; "" listens to transforms only
    diagnostics: called with each diagnostic_msgs/DiagnosticArray on /diagnostics; None: nobody asks
    answers: to those images, empty without `detections`
    """

    def __init__(
        self, topic: str = "/tf", detections: str = "", diagnostics: Callable[[Any], object] | None = None
    ) -> None:
        super().__init__()
        self.answers, self._topic = Answers(), topic
        with ExitStack() as stack:
            stack.enter_context(ros())
            self._node = node = stack.enter_context(ros_node("pose_regressor_listener"))
            node.create_subscription(interfaces.TFMessage, topic, self.on_tf, DEPTH)
            if detections:
                node.create_subscription(interfaces.Detection3DArray, detections, self.answers.on_detections, DEPTH)
            if diagnostics:
                node.create_subscription(interfaces.DiagnosticArray, "/diagnostics", diagnostics, DEPTH)
            stack.enter_context(spinning(node, threading.Event()))
            self._stack = stack.pop_all()

    @property
    def writers(self) -> int:
        """How many publishers of the transforms are there."""
        return int(self._node.count_publishers(self._topic))

    def close(self) -> None:
        self._stack.close()

    def __enter__(self) -> TfListener:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
