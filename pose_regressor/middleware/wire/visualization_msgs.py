"""The messages of visualization_msgs."""

# The annotations are values, so there is no `from __future__ import annotations`, and mypy cannot read them.
# mypy: ignore-errors
from dataclasses import dataclass, field

from pose_regressor.middleware.wire.fields import float32, int32, sequence, uint8
from pose_regressor.middleware.wire.geometry_msgs import ColorRGBA, Duration, Header, Point, Pose, Vector3
from pose_regressor.middleware.wire.message import Message
from pose_regressor.middleware.wire.sensor_msgs import CompressedImage


@dataclass
class UVCoordinate(Message, name="visualization_msgs/msg/UVCoordinate"):
    u: float32 = 0.0
    v: float32 = 0.0


@dataclass
class MeshFile(Message, name="visualization_msgs/msg/MeshFile"):
    filename: str = ""
    data: sequence[uint8] = field(default_factory=list)


@dataclass
class Marker(Message, name="visualization_msgs/msg/Marker"):
    header: Header = field(default_factory=Header)
    ns: str = ""
    id: int32 = 0
    type: int32 = 0
    action: int32 = 0
    pose: Pose = field(default_factory=Pose)
    scale: Vector3 = field(default_factory=Vector3)
    color: ColorRGBA = field(default_factory=ColorRGBA)
    lifetime: Duration = field(default_factory=Duration)
    frame_locked: bool = False
    points: sequence[Point] = field(default_factory=list)
    colors: sequence[ColorRGBA] = field(default_factory=list)
    texture_resource: str = ""
    texture: CompressedImage = field(default_factory=CompressedImage)
    uv_coordinates: sequence[UVCoordinate] = field(default_factory=list)
    text: str = ""
    mesh_resource: str = ""
    mesh_file: MeshFile = field(default_factory=MeshFile)
    mesh_use_embedded_materials: bool = False


@dataclass
class MarkerArray(Message, name="visualization_msgs/msg/MarkerArray"):
    markers: sequence[Marker] = field(default_factory=list)
