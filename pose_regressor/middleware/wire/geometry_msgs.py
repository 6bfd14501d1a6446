"""The messages of builtin_interfaces, std_msgs, geometry_msgs and tf2_msgs. `idl` says how they are written."""

# The annotations are values, so there is no `from __future__ import annotations`, and mypy cannot read them.
# mypy: ignore-errors
from dataclasses import dataclass, field

from pose_regressor.middleware.wire.fields import array, float32, float64, int32, sequence, uint32
from pose_regressor.middleware.wire.message import Message


@dataclass
class Time(Message, name="builtin_interfaces/msg/Time"):
    sec: int32 = 0
    nanosec: uint32 = 0


@dataclass
class Duration(Message, name="builtin_interfaces/msg/Duration"):
    sec: int32 = 0
    nanosec: uint32 = 0


@dataclass
class Header(Message, name="std_msgs/msg/Header"):
    stamp: Time = field(default_factory=Time)
    frame_id: str = ""


@dataclass
class ColorRGBA(Message, name="std_msgs/msg/ColorRGBA"):
    r: float32 = 0.0
    g: float32 = 0.0
    b: float32 = 0.0
    a: float32 = 0.0


@dataclass
class Vector3(Message, name="geometry_msgs/msg/Vector3"):
    x: float64 = 0.0
    y: float64 = 0.0
    z: float64 = 0.0


@dataclass
class Point(Message, name="geometry_msgs/msg/Point"):
    x: float64 = 0.0
    y: float64 = 0.0
    z: float64 = 0.0


@dataclass
class Quaternion(Message, name="geometry_msgs/msg/Quaternion"):
    x: float64 = 0.0
    y: float64 = 0.0
    z: float64 = 0.0
    w: float64 = 1.0


@dataclass
class Pose(Message, name="geometry_msgs/msg/Pose"):
    position: Point = field(default_factory=Point)
    orientation: Quaternion = field(default_factory=Quaternion)


@dataclass
class PoseWithCovariance(Message, name="geometry_msgs/msg/PoseWithCovariance"):
    pose: Pose = field(default_factory=Pose)
    covariance: array[float64, 36] = field(default_factory=lambda: [0.0] * 36)


@dataclass
class Transform(Message, name="geometry_msgs/msg/Transform"):
    translation: Vector3 = field(default_factory=Vector3)
    rotation: Quaternion = field(default_factory=Quaternion)


@dataclass
class TransformStamped(Message, name="geometry_msgs/msg/TransformStamped"):
    header: Header = field(default_factory=Header)
    child_frame_id: str = ""
    transform: Transform = field(default_factory=Transform)


@dataclass
class TFMessage(Message, name="tf2_msgs/msg/TFMessage"):
    transforms: sequence[TransformStamped] = field(default_factory=list)
