"""Poses: into messages, and from messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from pose_regressor.geometry.so3 import from_quaternion, to_quaternion
from pose_regressor.middleware.messages.images import header
from pose_regressor.types import FloatArray, InputError, ObjectModel, PoseEstimate

#: Norms of a quaternion that still say how something is turned.
LEAST_NORM, LARGEST_NORM = 1e-3, 1e3


class Stamped(Protocol):
    """When and where poses were seen: a Frame, for example."""

    @property
    def stamp(self) -> int:
        """Nanoseconds since the epoch."""

    @property
    def frame_id(self) -> str:
        """The TF frame that the poses are in."""


def object_frame(estimate: PoseEstimate, prefix: str = "") -> str:
    """Name of the object's TF frame: <prefix><object>_<instance>."""
    return f"{prefix}{estimate.model.name}_{estimate.instance}"


def pose_message(types: Any, pose: FloatArray) -> Any:
    """(4, 4) -> geometry_msgs/Pose."""
    x, y, z = pose[:3, 3].tolist()
    return types.Pose(position=types.Point(x=x, y=y, z=z), orientation=_quaternion(types, pose[:3, :3]))


def tf_message(types: Any, frame: Stamped, estimates: Sequence[PoseEstimate], prefix: str = "") -> Any:
    """tf2_msgs/TFMessage with one transform per estimate, from `frame` to the object's frame."""
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
    """vision_msgs/Detection3DArray with one detection per estimate.

    class_id: the object's name; id: its name and instance; pose: of the object's frame, with the 6x6 covariance (m²,
    rad²); bbox: the object's bounding box (m), its centre in the middle of the box, its axes the object's.
    """
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


def rigid(position: Any, orientation: Any) -> FloatArray:
    """geometry_msgs/Point or Vector3, and Quaternion -> (4, 4). InputError: they are no pose."""
    result = np.eye(4)
    result[:3, 3] = (position.x, position.y, position.z)
    quaternion = np.array((orientation.x, orientation.y, orientation.z, orientation.w), dtype=np.float64)
    if not np.isfinite(result).all() or not LEAST_NORM < np.linalg.norm(quaternion) < LARGEST_NORM:
        got = f"got position {result[:3, 3].tolist()} and orientation {quaternion.tolist()}"
        raise InputError("pose: expected finite numbers and a quaternion", got)
    result[:3, :3] = from_quaternion(quaternion)
    return result


def estimate_from_detection(detection: Any, models: dict[str, ObjectModel]) -> PoseEstimate:
    """vision_msgs/Detection3D -> the pose of its best hypothesis, in the detection's TF frame.

    models: known objects by name; an unknown one is added to it, with the detection's box as its bounds.
    InputError: a pose, the covariance, the box or the object's name cannot be used.
    """
    result = max(detection.results, key=lambda r: float(r.hypothesis.score))
    name, pose = str(result.hypothesis.class_id), _detected(result.pose.pose)
    covariance = np.array(result.pose.covariance, dtype=np.float64).reshape(6, 6)
    if not np.isfinite(covariance).all() or np.linalg.eigvalsh((covariance + covariance.T) / 2).min() <= 0:
        raise InputError("detections: expected a positive definite covariance", f"got another one of {name}")
    if name not in models:
        models[name] = _model_from_box(name, pose, detection.bbox)
    score = min(max(float(result.hypothesis.score), 0.0), 1.0)
    return PoseEstimate(models[name], pose, (covariance + covariance.T) / 2, score)


def _detected(pose: Any) -> FloatArray:
    try:
        return rigid(pose.position, pose.orientation)
    except InputError as error:
        raise error.of("detections") from None


def _model_from_box(name: str, pose: FloatArray, box: Any) -> ObjectModel:
    """An object of which nothing is known but its box; it has no symmetries."""
    size = np.array([box.size.x, box.size.y, box.size.z])
    middle = np.linalg.inv(pose) @ _detected(box.center)[:, 3]
    bounds = middle[:3] + np.stack([-size, size]) / 2
    try:
        return ObjectModel(name, 0, float(np.linalg.norm(size)), bounds, bounds.copy(), bounds.copy())
    except InputError as error:
        raise error.of("detections") from None


def _quaternion(types: Any, rotation: FloatArray) -> Any:
    x, y, z, w = to_quaternion(rotation).tolist()
    return types.Quaternion(x=x, y=y, z=z, w=w)
