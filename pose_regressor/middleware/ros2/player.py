"""Plays a source under ROS 2 as a camera does: publishes Image, CameraInfo and depth, stamped with the time now."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext

from rclpy.node import Node

from pose_regressor.middleware.kit.pacing import Answers
from pose_regressor.middleware.kit.player import Playing, play_from_command_line
from pose_regressor.middleware.messages.depth import depth_message
from pose_regressor.middleware.messages.images import camera_info_message, image_message
from pose_regressor.middleware.ros2 import interfaces
from pose_regressor.middleware.ros2.session import ros, ros_node, spinning
from pose_regressor.types import Frame

NODE_NAME = "pose_regressor_player"
DEPTH = 5


class RosOutlet:
    """Publishes on topics of a node. It does so reliably, which reaches both kinds of subscribers."""

    def __init__(self, node: Node, playing: Playing) -> None:
        self.domain: int = node.context.get_domain_id()
        self.answers = Answers()
        self._images = node.create_publisher(interfaces.Image, playing.image_topic, DEPTH)
        self._infos = node.create_publisher(interfaces.CameraInfo, playing.camera_info_topic, DEPTH)
        self._depths = None
        if playing.depth_topic:
            self._depths = node.create_publisher(interfaces.Image, playing.depth_topic, DEPTH)
        if playing.answers_topic:
            detections = interfaces.Detection3DArray
            node.create_subscription(detections, playing.answers_topic, self.answers.on_detections, 100)

    def image_subscribers(self) -> int:
        return int(self._images.get_subscription_count())

    def camera_info_subscribers(self) -> int:
        return int(self._infos.get_subscription_count())

    def depth_subscribers(self) -> int:
        return int(self._depths.get_subscription_count()) if self._depths else 0

    def trouble(self) -> str:
        """Nothing: the RMW logs by itself."""
        return ""

    def send(self, frame: Frame) -> None:
        self._infos.publish(camera_info_message(interfaces, frame.camera, frame.stamp, frame.frame_id))
        data = interfaces.image_data
        if self._depths and frame.depth is not None:
            self._depths.publish(depth_message(interfaces, frame.depth, frame.stamp, frame.frame_id, data))
        self._images.publish(image_message(interfaces, frame.image, frame.stamp, frame.frame_id, data))


def main(arguments: Sequence[str]) -> int:
    with ros(arguments) as rest, ros_node(NODE_NAME) as node:

        @contextmanager
        def outlet(playing: Playing) -> Iterator[RosOutlet]:
            made = RosOutlet(node, playing)
            # Only a node that subscribes to something needs a thread that receives.
            with spinning(node, threading.Event()) if playing.answers_topic else nullcontext():
                yield made

        return play_from_command_line("pose_regressor_player", (__doc__ or "").splitlines()[0], outlet, rest)
