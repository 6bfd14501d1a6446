"""The fusion node over rclpy."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.time import Time
from tf2_ros import Buffer, TransformBroadcaster, TransformException, TransformListener

from pose_regressor.middleware.fusing import FusionCore, Moment
from pose_regressor.middleware.fusion_parameters import FusionConfig
from pose_regressor.middleware.interrupts import end_without_threads, interruptible
from pose_regressor.middleware.pose_messages import detections_message, tf_message
from pose_regressor.middleware.ros2 import interfaces
from pose_regressor.middleware.ros2.parameters import declare_parameters
from pose_regressor.middleware.ros2.session import RosLog, ros, ros_node, spinning
from pose_regressor.middleware.tracking import known_objects
from pose_regressor.middleware.transform_tree import pose_of
from pose_regressor.types import FloatArray, InputError, PoseEstimate

NODE_NAME = "pose_regressor_fusion"
INTERNAL_ERROR = 1


class RosFusion:
    """The node's ends on a ROS node."""

    def __init__(self, node: Node, config: FusionConfig) -> None:
        log = RosLog(node)
        self._prefix = config.frame_prefix
        self._patience = Duration(seconds=config.window)
        self._buffer = Buffer()
        self._listener = TransformListener(self._buffer, node)
        self._broadcaster = TransformBroadcaster(node)
        self._detections = node.create_publisher(interfaces.Detection3DArray, "~/detections", QoSProfile(depth=10))
        self.core = FusionCore(config, known_objects(config.model), self._lookup, self._publish, log)
        for topic in config.detections:
            node.create_subscription(interfaces.Detection3DArray, topic, self.core.on_detections, QoSProfile(depth=10))
        log.info(f"ready: poses from {', '.join(config.detections)}, in {config.fixed_frame} on /tf")

    def _lookup(self, target: str, source: str, stamp: int) -> FloatArray:
        at = Time(nanoseconds=stamp)
        try:
            found = self._buffer.lookup_transform(target, source, at)
        except TransformException as error:
            newest = self._newest(target, source)
            if newest is None or not Duration() < at - Time.from_msg(newest.header.stamp) <= self._patience:
                raise InputError(f"TF: {source} is not known in {target}, {' '.join(str(error).split())}") from None
            found = newest  # it is taken to have stayed
        return np.asarray(pose_of(found.transform))

    def _newest(self, target: str, source: str) -> interfaces.TransformStamped | None:
        try:
            return self._buffer.lookup_transform(target, source, Time())
        except TransformException:
            return None

    def _publish(self, moment: Moment, poses: list[PoseEstimate]) -> None:
        if poses:
            self._broadcaster.sendTransform(tf_message(interfaces, moment, poses, self._prefix).transforms)
        self._detections.publish(detections_message(interfaces, moment, poses))


def run(config: FusionConfig | None = None, arguments: Sequence[str] = ()) -> int:
    """Runs the node until SIGINT or SIGTERM; the exit code. In the main thread. InputError: it cannot start.

    config: None takes the parameters from `arguments` (``--ros-args -p name:=value --params-file FILE``).
    """
    status = 0
    with (
        interruptible() as stop,
        ros(arguments) as rest,
        ros_node(NODE_NAME, automatically_declare_parameters_from_overrides=True) as node,
    ):
        argparse.ArgumentParser(
            prog="pose_regressor_fusion", description="Fuses the poses that several cameras see to one of each object."
        ).parse_args(rest)
        fusion = RosFusion(node, declare_parameters(node, FusionConfig, config))
        with spinning(node, stop) as failed:
            stop.wait()
        if failed.is_set():
            status = INTERNAL_ERROR
        RosLog(node).info(f"moments and messages: {dict(fusion.core.counts)}")
    return end_without_threads(status)


def main(arguments: Sequence[str]) -> int:
    return run(arguments=arguments)
