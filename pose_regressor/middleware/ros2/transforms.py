"""Transforms from tf2's buffer."""

from __future__ import annotations

from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time
from tf2_ros import Buffer, TransformException, TransformListener

from pose_regressor.middleware.kit.endpoints import Transforms
from pose_regressor.middleware.messages.transform_tree import UNKNOWN_FRAME, pose_of
from pose_regressor.middleware.ros2 import interfaces
from pose_regressor.types import FloatArray, InputError


def listen(node: Node, patience: float) -> Transforms:
    """Listens to TF with a new buffer. patience: as for `Endpoints.transforms`."""
    buffer, longest = Buffer(), Duration(seconds=patience)
    listener = TransformListener(buffer, node)

    def lookup(target: str, source: str, stamp: int) -> FloatArray:
        at = Time(nanoseconds=stamp)
        try:
            found = buffer.lookup_transform(target, source, at)
        except TransformException as error:
            newest = _newest(buffer, target, source)
            if newest is None or not Duration() < at - Time.from_msg(newest.header.stamp) <= longest:
                text = " ".join(str(error).split())
                raise InputError(UNKNOWN_FRAME, f"{source} is not known in {target}: {text}") from None
            found = newest  # the frame is taken to have stayed there
        return pose_of(found.transform)

    return Transforms(lookup, listener.unregister)


def _newest(buffer: Buffer, target: str, source: str) -> interfaces.TransformStamped | None:
    try:
        return buffer.lookup_transform(target, source, Time())
    except TransformException:
        return None
