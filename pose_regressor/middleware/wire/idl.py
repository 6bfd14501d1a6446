"""The ROS 2 messages spoken here as DDS types.

The wire of ROS 2: type names ``<package>::msg::dds_::<Name>_``, nested types likewise; fields in the order of the
.msg file; final extensibility, which is cyclonedds' default; XCDR1. Every field has ROS 2's default, so the classes
take their fields as keywords as rclpy's do, and this module serves as the `types` namespace of `middleware.messages`.
"""

# cyclonedds reads the annotations as types, so there is no `from __future__ import annotations`, and mypy takes
# its sequence[...] and array[...] for classes of their own.
# mypy: ignore-errors
import struct
from dataclasses import dataclass, field
from typing import Any

from cyclonedds.idl import IdlStruct
from cyclonedds.idl.types import array, bounded_str, byte, float32, float64, int32, sequence, uint8, uint32

from pose_regressor.middleware.wire import cdr

# ------------------------------------------------------------------ builtin_interfaces, std_msgs, geometry_msgs


@dataclass
class Time(IdlStruct, typename="builtin_interfaces::msg::dds_::Time_"):
    sec: int32 = 0
    nanosec: uint32 = 0


@dataclass
class Header(IdlStruct, typename="std_msgs::msg::dds_::Header_"):
    stamp: Time = field(default_factory=Time)
    frame_id: str = ""


@dataclass
class Duration(IdlStruct, typename="builtin_interfaces::msg::dds_::Duration_"):
    sec: int32 = 0
    nanosec: uint32 = 0


@dataclass
class ColorRGBA(IdlStruct, typename="std_msgs::msg::dds_::ColorRGBA_"):
    r: float32 = 0.0
    g: float32 = 0.0
    b: float32 = 0.0
    a: float32 = 0.0


@dataclass
class Vector3(IdlStruct, typename="geometry_msgs::msg::dds_::Vector3_"):
    x: float64 = 0.0
    y: float64 = 0.0
    z: float64 = 0.0


@dataclass
class Point(IdlStruct, typename="geometry_msgs::msg::dds_::Point_"):
    x: float64 = 0.0
    y: float64 = 0.0
    z: float64 = 0.0


@dataclass
class Quaternion(IdlStruct, typename="geometry_msgs::msg::dds_::Quaternion_"):
    x: float64 = 0.0
    y: float64 = 0.0
    z: float64 = 0.0
    w: float64 = 1.0


@dataclass
class Pose(IdlStruct, typename="geometry_msgs::msg::dds_::Pose_"):
    position: Point = field(default_factory=Point)
    orientation: Quaternion = field(default_factory=Quaternion)


@dataclass
class PoseWithCovariance(IdlStruct, typename="geometry_msgs::msg::dds_::PoseWithCovariance_"):
    pose: Pose = field(default_factory=Pose)
    covariance: array[float64, 36] = field(default_factory=lambda: [0.0] * 36)


@dataclass
class Transform(IdlStruct, typename="geometry_msgs::msg::dds_::Transform_"):
    translation: Vector3 = field(default_factory=Vector3)
    rotation: Quaternion = field(default_factory=Quaternion)


@dataclass
class TransformStamped(IdlStruct, typename="geometry_msgs::msg::dds_::TransformStamped_"):
    header: Header = field(default_factory=Header)
    child_frame_id: str = ""
    transform: Transform = field(default_factory=Transform)


@dataclass
class TFMessage(IdlStruct, typename="tf2_msgs::msg::dds_::TFMessage_"):
    transforms: sequence[TransformStamped] = field(default_factory=list)


# ------------------------------------------------------------------ sensor_msgs


@dataclass
class RegionOfInterest(IdlStruct, typename="sensor_msgs::msg::dds_::RegionOfInterest_"):
    x_offset: uint32 = 0
    y_offset: uint32 = 0
    height: uint32 = 0
    width: uint32 = 0
    do_rectify: bool = False


@dataclass
class CameraInfo(IdlStruct, typename="sensor_msgs::msg::dds_::CameraInfo_"):
    header: Header = field(default_factory=Header)
    height: uint32 = 0
    width: uint32 = 0
    distortion_model: str = ""
    d: sequence[float64] = field(default_factory=list)
    k: array[float64, 9] = field(default_factory=lambda: [0.0] * 9)
    r: array[float64, 9] = field(default_factory=lambda: [0.0] * 9)
    p: array[float64, 12] = field(default_factory=lambda: [0.0] * 12)
    binning_x: uint32 = 0
    binning_y: uint32 = 0
    roi: RegionOfInterest = field(default_factory=RegionOfInterest)

    @classmethod
    def deserialize(cls, data: bytes, has_header: bool = True, use_version_2: bool | None = None) -> "CameraInfo":
        """By hand, for it comes with every image: seven times as fast, and whatever is wrong is an InputError."""
        with cdr.reading("sensor_msgs/CameraInfo", "camera info"):
            order, sec, nanosec, frame_id, end = cdr.read_header(data)
            height, width = struct.unpack_from(order + "II", data, cdr.aligned(end))
            model, end = cdr.read_string(data, cdr.aligned(end) + 8, order)
            (count,) = struct.unpack_from(order + "I", data, cdr.aligned(end))
            d, end = cdr.read_doubles(data, cdr.aligned(end) + 4, order, count)
            values, end = cdr.read_doubles(data, end, order, 30)
            *rest, do_rectify = struct.unpack_from(order + "6I?", data, end)
        header, roi = Header(Time(sec, nanosec), frame_id), RegionOfInterest(*rest[2:], do_rectify)
        return cls(header, height, width, model, d, values[:9], values[9:18], values[18:], *rest[:2], roi)


@dataclass
class Image(IdlStruct, typename="sensor_msgs::msg::dds_::Image_"):
    """data: a flat uint8 array, or anything with a buffer of bytes. (De)serialised by `cdr`."""

    header: Header = field(default_factory=Header)
    height: uint32 = 0
    width: uint32 = 0
    encoding: str = ""
    is_bigendian: uint8 = 0
    step: uint32 = 0
    data: sequence[uint8] = field(default_factory=list)

    def serialize(self, buffer: Any = None, endianness: Any = None, use_version_2: bool | None = None) -> bytes:
        """The sample in little-endian XCDR1 with its encapsulation header, whatever else is asked for: the writers
        here offer nothing else."""
        out = cdr.begin(self.header.stamp.sec, self.header.stamp.nanosec, self.header.frame_id)
        cdr.align(out)
        out += struct.pack("<II", self.height, self.width)
        cdr.put_string(out, self.encoding)
        out += struct.pack("<B", self.is_bigendian)
        cdr.align(out)
        out += struct.pack("<I", self.step)
        return cdr.end(out, self.data)

    @classmethod
    def deserialize(cls, data: bytes, has_header: bool = True, use_version_2: bool | None = None) -> "Image":
        """The pixels stay where they are: `data` of the result is a read-only view of the bytes given here."""
        with cdr.reading("sensor_msgs/Image"):
            order, sec, nanosec, frame_id, end = cdr.read_header(data)
            height, width = struct.unpack_from(order + "II", data, cdr.aligned(end))
            encoding, end = cdr.read_string(data, cdr.aligned(end) + 8, order)
            is_bigendian, end = data[end] if end < len(data) else 0, cdr.aligned(end + 1)
            (step,) = struct.unpack_from(order + "I", data, end)
            pixels = cdr.read_bytes(data, end + 4, order)
        return cls(Header(Time(sec, nanosec), frame_id), height, width, encoding, is_bigendian, step, pixels)


@dataclass
class CompressedImage(IdlStruct, typename="sensor_msgs::msg::dds_::CompressedImage_"):
    """data and (de)serialisation as an Image's."""

    header: Header = field(default_factory=Header)
    format: str = ""
    data: sequence[uint8] = field(default_factory=list)

    def serialize(self, buffer: Any = None, endianness: Any = None, use_version_2: bool | None = None) -> bytes:
        out = cdr.begin(self.header.stamp.sec, self.header.stamp.nanosec, self.header.frame_id)
        cdr.put_string(out, self.format)
        return cdr.end(out, self.data)

    @classmethod
    def deserialize(cls, data: bytes, has_header: bool = True, use_version_2: bool | None = None) -> "CompressedImage":
        with cdr.reading("sensor_msgs/CompressedImage"):
            order, sec, nanosec, frame_id, end = cdr.read_header(data)
            text, end = cdr.read_string(data, cdr.aligned(end), order)
            found = cdr.read_bytes(data, cdr.aligned(end), order)
        return cls(Header(Time(sec, nanosec), frame_id), text, found)


# ------------------------------------------------------------------ diagnostic_msgs


@dataclass
class KeyValue(IdlStruct, typename="diagnostic_msgs::msg::dds_::KeyValue_"):
    key: str = ""
    value: str = ""


@dataclass
class DiagnosticStatus(IdlStruct, typename="diagnostic_msgs::msg::dds_::DiagnosticStatus_"):
    level: byte = 0
    name: str = ""
    message: str = ""
    hardware_id: str = ""
    values: sequence[KeyValue] = field(default_factory=list)


@dataclass
class DiagnosticArray(IdlStruct, typename="diagnostic_msgs::msg::dds_::DiagnosticArray_"):
    header: Header = field(default_factory=Header)
    status: sequence[DiagnosticStatus] = field(default_factory=list)


def octet(value: int) -> int:
    """A number as a field of the type byte."""
    return int(value)


# ------------------------------------------------------------------ vision_msgs


@dataclass
class ObjectHypothesis(IdlStruct, typename="vision_msgs::msg::dds_::ObjectHypothesis_"):
    class_id: str = ""
    score: float64 = 0.0


@dataclass
class ObjectHypothesisWithPose(IdlStruct, typename="vision_msgs::msg::dds_::ObjectHypothesisWithPose_"):
    hypothesis: ObjectHypothesis = field(default_factory=ObjectHypothesis)
    pose: PoseWithCovariance = field(default_factory=PoseWithCovariance)


@dataclass
class BoundingBox3D(IdlStruct, typename="vision_msgs::msg::dds_::BoundingBox3D_"):
    center: Pose = field(default_factory=Pose)
    size: Vector3 = field(default_factory=Vector3)


@dataclass
class Detection3D(IdlStruct, typename="vision_msgs::msg::dds_::Detection3D_"):
    header: Header = field(default_factory=Header)
    results: sequence[ObjectHypothesisWithPose] = field(default_factory=list)
    bbox: BoundingBox3D = field(default_factory=BoundingBox3D)
    id: str = ""


@dataclass
class Detection3DArray(IdlStruct, typename="vision_msgs::msg::dds_::Detection3DArray_"):
    header: Header = field(default_factory=Header)
    detections: sequence[Detection3D] = field(default_factory=list)


# ------------------------------------------------------------------ visualization_msgs


@dataclass
class UVCoordinate(IdlStruct, typename="visualization_msgs::msg::dds_::UVCoordinate_"):
    u: float32 = 0.0
    v: float32 = 0.0


@dataclass
class MeshFile(IdlStruct, typename="visualization_msgs::msg::dds_::MeshFile_"):
    filename: str = ""
    data: sequence[uint8] = field(default_factory=list)


@dataclass
class Marker(IdlStruct, typename="visualization_msgs::msg::dds_::Marker_"):
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
class MarkerArray(IdlStruct, typename="visualization_msgs::msg::dds_::MarkerArray_"):
    markers: sequence[Marker] = field(default_factory=list)


# ------------------------------------------------------------------ rmw_dds_common (ROS 2 Iron and later)


@dataclass
class Gid(IdlStruct, typename="rmw_dds_common::msg::dds_::Gid_"):
    data: array[uint8, 16] = field(default_factory=lambda: [0] * 16)


@dataclass
class NodeEntitiesInfo(IdlStruct, typename="rmw_dds_common::msg::dds_::NodeEntitiesInfo_"):
    node_namespace: bounded_str[256] = ""
    node_name: bounded_str[256] = ""
    reader_gid_seq: sequence[Gid] = field(default_factory=list)
    writer_gid_seq: sequence[Gid] = field(default_factory=list)


@dataclass
class ParticipantEntitiesInfo(IdlStruct, typename="rmw_dds_common::msg::dds_::ParticipantEntitiesInfo_"):
    gid: Gid = field(default_factory=Gid)
    node_entities_info_seq: sequence[NodeEntitiesInfo] = field(default_factory=list)
