"""The messages of vision_msgs."""

# The annotations are values, so there is no `from __future__ import annotations`, and mypy cannot read them.
# mypy: ignore-errors
from dataclasses import dataclass, field

from pose_regressor.middleware.wire.fields import float64, sequence
from pose_regressor.middleware.wire.geometry_msgs import Header, Pose, PoseWithCovariance, Vector3
from pose_regressor.middleware.wire.message import Message


@dataclass
class ObjectHypothesis(Message, name="vision_msgs/msg/ObjectHypothesis"):
    class_id: str = ""
    score: float64 = 0.0


@dataclass
class ObjectHypothesisWithPose(Message, name="vision_msgs/msg/ObjectHypothesisWithPose"):
    hypothesis: ObjectHypothesis = field(default_factory=ObjectHypothesis)
    pose: PoseWithCovariance = field(default_factory=PoseWithCovariance)


@dataclass
class BoundingBox3D(Message, name="vision_msgs/msg/BoundingBox3D"):
    center: Pose = field(default_factory=Pose)
    size: Vector3 = field(default_factory=Vector3)


@dataclass
class Detection3D(Message, name="vision_msgs/msg/Detection3D"):
    header: Header = field(default_factory=Header)
    results: sequence[ObjectHypothesisWithPose] = field(default_factory=list)
    bbox: BoundingBox3D = field(default_factory=BoundingBox3D)
    id: str = ""


@dataclass
class Detection3DArray(Message, name="vision_msgs/msg/Detection3DArray"):
    header: Header = field(default_factory=Header)
    detections: sequence[Detection3D] = field(default_factory=list)
