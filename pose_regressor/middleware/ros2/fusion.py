"""The fusion node over rclpy: a managed node."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.time import Time
from tf2_ros import Buffer, TransformBroadcaster, TransformException, TransformListener

from pose_regressor.middleware.fusion.core import FusionCore, Lookup, Moment, Publish
from pose_regressor.middleware.fusion.health import FusionHealth
from pose_regressor.middleware.fusion.managed import ManagedFusion
from pose_regressor.middleware.fusion.parameters import FusionConfig
from pose_regressor.middleware.kit.interrupts import end_without_threads, interruptible
from pose_regressor.middleware.messages.poses import detections_message, tf_message
from pose_regressor.middleware.messages.transform_tree import pose_of
from pose_regressor.middleware.ros2 import interfaces
from pose_regressor.middleware.ros2.managed import ManagedRosNode, namesakes
from pose_regressor.middleware.ros2.parameters import declare_parameters
from pose_regressor.middleware.ros2.session import RosLog, ros, ros_node
from pose_regressor.types import FloatArray, InputError, PoseEstimate

NODE_NAME = "pose_regressor_fusion"


class RosFusionEnds:
    """The node's ends on a ROS node."""

    def __init__(self, node: Node, config: FusionConfig) -> None:
        self._node, self._config = node, config
        self._patience = Duration(seconds=config.window)
        self._buffer = Buffer()
        self._listener: TransformListener | None = None
        self._publishers: list[Any] = []
        self._subscriptions: list[Any] = []

    def advertise(self) -> tuple[Lookup, Publish]:
        prefix = self._config.frame_prefix
        broadcaster = TransformBroadcaster(self._node)
        self._publishers.append(broadcaster.pub_tf)
        detections = self._node.create_publisher(interfaces.Detection3DArray, "~/detections", QoSProfile(depth=10))
        self._publishers.append(detections)
        self._buffer = Buffer()  # where a camera was before a pause is no place to look
        self._listener = TransformListener(self._buffer, self._node)

        def publish(moment: Moment, poses: list[PoseEstimate]) -> None:
            if poses:
                broadcaster.sendTransform(tf_message(interfaces, moment, poses, prefix).transforms)
            detections.publish(detections_message(interfaces, moment, poses))

        return self._lookup, publish

    def withdraw(self) -> None:
        if self._listener:
            self._listener.unregister()
        self._listener = None
        for publisher in self._publishers:
            self._node.destroy_publisher(publisher)
        self._publishers.clear()

    def subscribe(self, core: FusionCore) -> None:
        for topic in self._config.detections:
            self._subscriptions.append(
                self._node.create_subscription(
                    interfaces.Detection3DArray, topic, core.on_detections, QoSProfile(depth=10)
                )
            )

    def unsubscribe(self) -> None:
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()

    def namesakes(self) -> int:
        return namesakes(self._node)

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


def run(config: FusionConfig | None = None, arguments: Sequence[str] = ()) -> int:
    """Runs the node until SIGINT or SIGTERM; the exit code. In the main thread. InputError: it cannot start.

    config: None takes the parameters from `arguments` (``--ros-args -p name:=value --params-file FILE``).
    """
    status = 0
    with interruptible() as stop, ros(arguments) as rest, ros_node(NODE_NAME, ManagedRosNode) as node:
        argparse.ArgumentParser(
            prog="pose_regressor_fusion", description="Fuses the poses that several cameras see to one of each object."
        ).parse_args(rest)
        values = declare_parameters(node, FusionConfig, config)
        managed = ManagedFusion(values, RosFusionEnds(node, values), RosLog(node))
        node.manage(managed, FusionHealth(managed))
        status = node.run(stop)
    return end_without_threads(status)


def main(arguments: Sequence[str]) -> int:
    return run(arguments=arguments)
