"""Poses as messages. Apart from `messages`, for it needs torch, and players and listeners start and end without."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch

from pose_regressor.geometry.rotation import quaternion_from_matrix
from pose_regressor.middleware.messages import header
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


def _quaternions(types: Any, estimates: Sequence[PoseEstimate]) -> list[Any]:
    rotations = torch.from_numpy(np.stack([e.rotation for e in estimates]).astype(np.float64))
    return [types.Quaternion(x=x, y=y, z=z, w=w) for x, y, z, w in quaternion_from_matrix(rotations).tolist()]


def pose_message(types: Any, pose: FloatArray) -> Any:
    """(4, 4) -> geometry_msgs/Pose."""
    x, y, z, w = quaternion_from_matrix(torch.from_numpy(pose[:3, :3])).tolist()
    position = dict(zip("xyz", pose[:3, 3].tolist(), strict=True))
    return types.Pose(position=types.Point(**position), orientation=types.Quaternion(x=x, y=y, z=z, w=w))


def tf_message(types: Any, frame: Stamped, estimates: Sequence[PoseEstimate], prefix: str = "") -> Any:
    """tf2_msgs/TFMessage: one transform an estimate, parent = the image's frame, stamp = the image's stamp."""
    if not estimates:
        return types.TFMessage(transforms=[])
    transforms = []
    for estimate, quaternion in zip(estimates, _quaternions(types, estimates), strict=True):
        x, y, z = estimate.translation.tolist()
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
    quaternions = _quaternions(types, estimates) if estimates else []
    for estimate, quaternion in zip(estimates, quaternions, strict=True):
        x, y, z = estimate.translation.tolist()
        centre = estimate.rotation @ estimate.model.bounds.mean(axis=0) + estimate.translation
        size = estimate.model.size.tolist()
        pose = types.Pose(position=types.Point(x=x, y=y, z=z), orientation=quaternion)
        result = types.ObjectHypothesisWithPose(
            hypothesis=types.ObjectHypothesis(class_id=estimate.model.name, score=float(estimate.score)),
            pose=types.PoseWithCovariance(
                pose=pose, covariance=np.asarray(estimate.covariance, dtype=np.float64).reshape(36).tolist()
            ),
        )
        box = types.BoundingBox3D(
            center=types.Pose(
                position=types.Point(**dict(zip("xyz", centre.tolist(), strict=True))), orientation=quaternion
            ),
            size=types.Vector3(x=size[0], y=size[1], z=size[2]),
        )
        detections.append(
            types.Detection3D(
                header=header(types, frame.stamp, frame.frame_id), results=[result], bbox=box, id=object_frame(estimate)
            )
        )
    return types.Detection3DArray(header=header(types, frame.stamp, frame.frame_id), detections=detections)
