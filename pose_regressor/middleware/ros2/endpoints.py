"""The `Endpoints` of a node of rclpy."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.exceptions import NameValidationException
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

from pose_regressor.middleware.kit.endpoints import Closing, Subscription, Transforms, hear_transforms
from pose_regressor.middleware.messages.images import image_message
from pose_regressor.middleware.ros2 import interfaces
from pose_regressor.types import InputError


class RosPublisher:
    """A `Publisher` on a ROS node."""

    def __init__(self, node: Node, topic: str, message: type, depth: int) -> None:
        self._node = node
        self._publisher = node.create_publisher(message, topic, QoSProfile(depth=depth))

    def publish(self, message: Any, /) -> None:
        self._publisher.publish(message)

    def subscribers(self) -> int:
        return int(self._publisher.get_subscription_count())

    def close(self) -> None:
        self._node.destroy_publisher(self._publisher)


class RosEndpoints:
    """What a node publishes and hears under ROS 2."""

    types = interfaces

    def __init__(self, node: Node) -> None:
        self._node = node
        self.domain: int = node.context.get_domain_id()

    def full_name(self, topic: str) -> str:
        """With the node's remappings."""
        try:
            return str(self._node.resolve_topic_name(topic))
        except (NameValidationException, RuntimeError, ValueError):
            expected = "expected a ROS 2 topic name such as image or /camera/image_raw"
            raise InputError(f"topic: {expected}, got {topic!r}") from None

    def publisher(self, topic: str, message: type, depth: int) -> RosPublisher:
        return RosPublisher(self._node, topic, message, depth)

    def subscribe(self, subscriptions: Sequence[Subscription]) -> Closing:
        """Never calls `reject`: rclpy itself drops a message that cannot be read."""
        with ExitStack() as stack:
            for s in subscriptions:
                made = self._node.create_subscription(s.message, s.topic, s.handle, _qos(s))
                stack.callback(self._node.destroy_subscription, made)
            return stack.pop_all()

    def transforms(self, patience: float) -> Transforms:
        return hear_transforms(self, patience)

    def image(self, pixels: NDArray[np.uint8], stamp: int, frame_id: str) -> Any:
        return image_message(interfaces, pixels, stamp, frame_id, interfaces.image_data)

    def namesakes(self) -> int:
        own = (self._node.get_name(), self._node.get_namespace())
        return max(0, self._node.get_node_names_and_namespaces().count(own) - 1)

    def trouble(self) -> str:
        """Nothing: the RMW logs by itself."""
        return ""


def _qos(subscription: Subscription) -> QoSProfile:
    durability = DurabilityPolicy.TRANSIENT_LOCAL if subscription.transient_local else DurabilityPolicy.VOLATILE
    return QoSProfile(
        depth=subscription.depth,
        history=HistoryPolicy.KEEP_LAST,
        durability=durability,
        reliability=ReliabilityPolicy.RELIABLE if subscription.reliable else ReliabilityPolicy.BEST_EFFORT,
    )
