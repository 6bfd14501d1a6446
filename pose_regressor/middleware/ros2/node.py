"""The pose node over rclpy."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node

from pose_regressor.middleware.kit.interrupts import end_without_threads, interruptible
from pose_regressor.middleware.messages.images import header
from pose_regressor.middleware.pose.health import PoseHealth
from pose_regressor.middleware.pose.managed import ManagedNode, OpenTracker, open_tracker
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.middleware.pose.source import publish_source
from pose_regressor.middleware.pose.topics import Output, PoseTopics
from pose_regressor.middleware.ros2 import interfaces
from pose_regressor.middleware.ros2.bridge import usable_bridge
from pose_regressor.middleware.ros2.endpoints import RosEndpoints
from pose_regressor.middleware.ros2.managed import ManagedRosNode
from pose_regressor.middleware.ros2.parameters import declare_parameters
from pose_regressor.middleware.ros2.session import RosLog, ros, ros_node, spinning
from pose_regressor.settings import CAMERA_INFO_TOPIC, IMAGE_TOPIC
from pose_regressor.sources import Source


class PoseEndpoints(RosEndpoints):
    """Endpoints whose images are made by cv_bridge where that works."""

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self._bridge = usable_bridge(RosLog(node))

    def image(self, pixels: NDArray[np.uint8], stamp: int, frame_id: str) -> Any:
        if self._bridge is None:
            return super().image(pixels, stamp, frame_id)
        return self._bridge.cv2_to_imgmsg(pixels, "rgb8", header(interfaces, stamp, frame_id))


def run(
    config: NodeConfig | None = None,
    image_topic: str = IMAGE_TOPIC,
    camera_info_topic: str = CAMERA_INFO_TOPIC,
    open_tracker: OpenTracker = open_tracker,
    arguments: Sequence[str] = (),
) -> int:
    """Runs the node until SIGINT or SIGTERM. Returns the exit code. Must be called in the main thread.

    config: None takes the parameters from `arguments` (``--ros-args -p name:=value --params-file FILE``);
    open_tracker: makes the tracker when the node is configured. InputError: the node cannot start.
    """
    status = 0
    with interruptible() as stop, ros(arguments) as rest, ros_node(NodeConfig.node_name, ManagedRosNode) as node:
        _parser().parse_args(rest)
        values, log = declare_parameters(node, NodeConfig, config), RosLog(node)
        topics = PoseTopics(PoseEndpoints(node), values, image_topic, camera_info_topic, log)
        managed = ManagedNode(values, topics, log, open_tracker)
        node.manage(managed, PoseHealth(managed))
        status = node.run(stop)
    return end_without_threads(status)


def run_source(
    config: NodeConfig, source: Source, rate: float | None = None, open_tracker: OpenTracker = open_tracker
) -> int:
    """Publishes the poses in a source's frames, until its end or a signal. Returns the exit code.

    Works on every frame, each when it is due. Needs no image topic and has no lifecycle. Arguments as for
    `publish_source`.
    """
    with interruptible() as stop, ros(), ros_node(NodeConfig.node_name) as node:
        declare_parameters(node, NodeConfig, config)
        output = Output(PoseEndpoints(node), config)
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
