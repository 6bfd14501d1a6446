"""The pose_regressor node over rclpy: a managed node."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

from pose_regressor.middleware.kit.interrupts import end_without_threads, interruptible
from pose_regressor.middleware.pose.core import IMAGE_DEPTH, NodeCore, publish_source
from pose_regressor.middleware.pose.health import PoseHealth
from pose_regressor.middleware.pose.managed import ManagedNode
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.middleware.pose.tracker import OpenTracker, open_tracker
from pose_regressor.middleware.ros2 import interfaces
from pose_regressor.middleware.ros2.managed import ManagedRosNode, namesakes
from pose_regressor.middleware.ros2.output import Output
from pose_regressor.middleware.ros2.parameters import declare_parameters
from pose_regressor.middleware.ros2.session import RosLog, ros, ros_node, spinning
from pose_regressor.settings import CAMERA_INFO_TOPIC, IMAGE_TOPIC
from pose_regressor.sources import Source

NODE_NAME = "pose_regressor"


class RosEnds:
    """The node's ends on a ROS node."""

    def __init__(self, node: Node, config: NodeConfig, image_topic: str, camera_info_topic: str) -> None:
        self._node, self._config = node, config
        self._images, self._infos = image_topic, camera_info_topic
        self._output: Output | None = None
        self._subscriptions: list[Any] = []

    def advertise(self) -> Output:
        self._output = Output(self._node, self._config)
        return self._output

    def withdraw(self) -> None:
        if self._output:
            self._output.close()
        self._output = None

    def subscribe(self, core: NodeCore) -> str:
        config = self._config
        topic, message = self._node.resolve_topic_name(self._images), interfaces.Image
        if config.image_transport == "compressed":
            topic, message = f"{topic}/compressed", interfaces.CompressedImage
        self._subscribe(message, topic, core.on_image, config.image_reliability, IMAGE_DEPTH)
        camera = config.camera_file
        if core.wants_camera_info:
            camera = self._node.resolve_topic_name(self._infos)
            self._subscribe(interfaces.CameraInfo, camera, core.on_camera_info, config.camera_info_reliability, 1)
        return f"images from {topic}, camera from {camera}"

    def unsubscribe(self) -> None:
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()

    def namesakes(self) -> int:
        return namesakes(self._node)

    def _subscribe(self, message: type, topic: str, handle: Callable[[Any], object], how: str, depth: int) -> None:
        qos = QoSProfile(
            depth=depth,
            history=HistoryPolicy.KEEP_LAST,
            durability=DurabilityPolicy.VOLATILE,
            reliability=ReliabilityPolicy.RELIABLE if how == "reliable" else ReliabilityPolicy.BEST_EFFORT,
        )
        self._subscriptions.append(self._node.create_subscription(message, topic, handle, qos))


def run(
    config: NodeConfig | None = None,
    image_topic: str = IMAGE_TOPIC,
    camera_info_topic: str = CAMERA_INFO_TOPIC,
    open_tracker: OpenTracker = open_tracker,
    arguments: Sequence[str] = (),
) -> int:
    """Runs the node until SIGINT or SIGTERM; the exit code. In the main thread. InputError: it cannot start.

    config: None takes the parameters from `arguments` (``--ros-args -p name:=value --params-file FILE``);
    open_tracker: makes the tracker when the node is configured.
    """
    status = 0
    with interruptible() as stop, ros(arguments) as rest, ros_node(NODE_NAME, ManagedRosNode) as node:
        _parser().parse_args(rest)
        values = declare_parameters(node, NodeConfig, config)
        ends = RosEnds(node, values, image_topic, camera_info_topic)
        managed = ManagedNode(values, ends, RosLog(node), open_tracker)
        node.manage(managed, PoseHealth(managed))
        status = node.run(stop)
    return end_without_threads(status)


def run_source(
    config: NodeConfig, source: Source, rate: float | None = None, open_tracker: OpenTracker = open_tracker
) -> int:
    """Publishes the poses in a source's frames, every frame in its time, until its end or a signal; the exit code.

    No image topic is involved, and no lifecycle.
    """
    with interruptible() as stop, ros(), ros_node(NODE_NAME) as node:
        declare_parameters(node, NodeConfig, config)
        output = Output(node, config)
        tracker = open_tracker(config)
        with spinning(node, stop):
            publish_source(source, rate, config, tracker, output, RosLog(node))
    return 0


def _parser() -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog="pose_regressor_node",
        description="Publishes the poses of the objects in a camera's images as TF frames.",
        epilog="Parameters: --ros-args -p model:=[box] --params-file FILE (as config/pose_regressor.yaml). "
        "Topics: --ros-args -r image:=/camera/image_raw -r camera_info:=/camera/camera_info",
    )


def main(arguments: Sequence[str]) -> int:
    return run(arguments=arguments)
