"""Poses as messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from pose_regressor.geometry.so3 import to_quaternion
from pose_regressor.middleware.messages.images import header
from pose_regressor.types import FloatArray, PoseEstimate


class Stamped(Protocol):
    """When and in which TF frame poses were seen: a Frame, say. stamp: ns."""

    @property
    def stamp(self) -> int: ...
    @property
    def frame_id(self) -> str: ...


def object_frame(estimate: PoseEstimate, prefix: str = "") -> str:
    """Name of the object's TF frame: <prefix><object>_<instance>."""
    return f"{prefix}{estimate.model.name}_{estimate.instance}"


def _quaternion(types: Any, rotation: FloatArray) -> Any:
    x, y, z, w = to_quaternion(rotation).tolist()
    return types.Quaternion(x=x, y=y, z=z, w=w)


def pose_message(types: Any, pose: FloatArray) -> Any:
    """(4, 4) -> geometry_msgs/Pose."""
    x, y, z = pose[:3, 3].tolist()
    return types.Pose(position=types.Point(x=x, y=y, z=z), orientation=_quaternion(types, pose[:3, :3]))


def tf_message(types: Any, frame: Stamped, estimates: Sequence[PoseEstimate], prefix: str = "") -> Any:
    """tf2_msgs/TFMessage: one transform an estimate, parent = the image's frame, stamp = the image's stamp."""
    transforms = []
    for estimate in estimates:
        x, y, z = estimate.translation.tolist()
        quaternion = _quaternion(types, estimate.rotation)
        transforms.append(
            types.TransformStamped(
                header=header(types, frame.stamp, frame.frame_id),
                child_frame_id=object_frame(estimate, prefix),
                transform=types.Transform(translation=types.Vector3(x=x, y=y, z=z), rotation=quaternion),
            )
        )
    return types.TFMessage(transforms=transforms)


def detections_message(types: Any, frame: Stamped, estimates: Sequence[PoseEstimate]) -> Any:
    """vision_msgs/Detection3DArray: pose of the object's frame with its 6x6 covariance (m², rad²), score, and the
    bounding box (metres), whose centre is the box's own and whose axes are the object's. class_id is the object's
    name, id its name and instance number."""
    detections = []
    for estimate in estimates:
        pose = pose_message(types, estimate.cam_from_obj)
        x, y, z = (estimate.rotation @ estimate.model.bounds.mean(axis=0) + estimate.translation).tolist()
        width, depth, height = estimate.model.size.tolist()
        result = types.ObjectHypothesisWithPose(
            hypothesis=types.ObjectHypothesis(class_id=estimate.model.name, score=float(estimate.score)),
            pose=types.PoseWithCovariance(
                pose=pose, covariance=np.asarray(estimate.covariance, dtype=np.float64).reshape(36).tolist()
            ),
        )
        box = types.BoundingBox3D(
            center=types.Pose(position=types.Point(x=x, y=y, z=z), orientation=pose.orientation),
            size=types.Vector3(x=width, y=depth, z=height),
        )
        detections.append(
            types.Detection3D(
                header=header(types, frame.stamp, frame.frame_id), results=[result], bbox=box, id=object_frame(estimate)
            )
        )
    return types.Detection3DArray(header=header(types, frame.stamp, frame.frame_id), detections=detections)
