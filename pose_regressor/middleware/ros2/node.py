"""The pose_regressor node over rclpy."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

from pose_regressor.middleware.core import NodeCore, Tracking, open_tracker, publish_source
from pose_regressor.middleware.interrupts import interruptible
from pose_regressor.middleware.parameters import NodeConfig
from pose_regressor.middleware.ros2 import interfaces
from pose_regressor.middleware.ros2.output import Output
from pose_regressor.middleware.ros2.parameters import declare_parameters
from pose_regressor.middleware.ros2.session import RosLog, ros, ros_node, spinning
from pose_regressor.sources import Source

NODE_NAME = "pose_regressor"
INTERNAL_ERROR = 1


@contextmanager
def subscribed(
    node: Node, config: NodeConfig, tracker: Tracking, image_topic: str, camera_info_topic: str
) -> Iterator[NodeCore]:
    """Within the block the node's images are answered, once it is spun."""
    log = RosLog(node)
    core = NodeCore(config, tracker, Output(node, config).publish, log)
    images = node.create_subscription(
        interfaces.Image, image_topic, core.on_image, _newest_only(config.image_reliability)
    )
    camera = config.camera_file
    if core.wants_camera_info:
        qos = _newest_only(config.camera_info_reliability)
        infos = node.create_subscription(interfaces.CameraInfo, camera_info_topic, core.on_camera_info, qos)
        camera = infos.topic_name
    log.info(f"ready: images from {images.topic_name}, camera from {camera}, poses on /tf")
    try:
        yield core
    finally:
        core.stop()


def _newest_only(reliability: str) -> QoSProfile:
    """ROS 2's sensor-data profile with a queue of one; `reliability` as the parameters have it."""
    return QoSProfile(
        depth=1,
        history=HistoryPolicy.KEEP_LAST,
        durability=DurabilityPolicy.VOLATILE,
        reliability=ReliabilityPolicy.RELIABLE if reliability == "reliable" else ReliabilityPolicy.BEST_EFFORT,
    )


@contextmanager
def _pose_node(arguments: Sequence[str], config: NodeConfig | None) -> Iterator[tuple[Node, NodeConfig]]:
    with (
        ros(arguments) as rest,
        ros_node(NODE_NAME, automatically_declare_parameters_from_overrides=True) as node,
    ):
        _parser().parse_args(rest)
        yield node, declare_parameters(node, config)


def run(
    config: NodeConfig | None = None,
    image_topic: str = "image",
    camera_info_topic: str = "camera_info",
    tracker: Tracking | None = None,
    arguments: Sequence[str] = (),
) -> int:
    """Runs the node until SIGINT or SIGTERM; the exit code. In the main thread. InputError: it cannot start.

    config: None takes the parameters from `arguments` (``--ros-args -p name:=value --params-file FILE``); tracker:
    instead of the one that the configuration's bundles make.
    """
    with interruptible() as stop, _pose_node(arguments, config) as (node, values):
        tracker = tracker or open_tracker(values)
        with subscribed(node, values, tracker, image_topic, camera_info_topic), spinning(node, stop) as failed:
            stop.wait()
        if failed.is_set():
            return INTERNAL_ERROR
    return 0


def run_source(config: NodeConfig, source: Source, rate: float | None = None, tracker: Tracking | None = None) -> int:
    """Publishes the poses in a source's frames, every frame in its time, until its end or a signal; the exit code.

    No image topic is involved.
    """
    with interruptible() as stop, _pose_node((), config) as (node, values):
        output = Output(node, values)
        tracker = tracker or open_tracker(values)
        with spinning(node, stop):
            publish_source(source, rate, values, tracker, output.publish, RosLog(node))
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
