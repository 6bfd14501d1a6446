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

import numpy as np
from cyclonedds.idl import IdlStruct
from cyclonedds.idl.types import array, bounded_str, float64, int32, sequence, uint8, uint32
from numpy.typing import NDArray

from pose_regressor.types import InputError

#: REP-2016 hashes of the types of whole topics, as ROS 2 Jazzy has them; a test computes them from the classes below.
TYPE_HASHES = {
    "sensor_msgs::msg::dds_::Image_": "RIHS01_d31d41a9a4c4bc8eae9be757b0beed306564f7526c88ea6a4588fb9582527d47",
    "sensor_msgs::msg::dds_::CameraInfo_": "RIHS01_b3dfd68ff46c9d56c80fd3bd4ed22c7a4ddce8c8348f2f59c299e73118e7e275",
    "tf2_msgs::msg::dds_::TFMessage_": "RIHS01_e369d0f05a23ae52508854b66f6aa0437f3449d652e8cbf22d5abe85d020f087",
    "vision_msgs::msg::dds_::Detection3DArray_": (
        "RIHS01_793f5eab9595ac1c0da07873cc859db42eae51f0ee76056db8562515d830e018"
    ),
    "rmw_dds_common::msg::dds_::ParticipantEntitiesInfo_": (
        "RIHS01_e725f4a506958c79f95dd693b965722c57b19cd18e7eff984f49561b93dc985d"
    ),
}


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


@dataclass
class Image(IdlStruct, typename="sensor_msgs::msg::dds_::Image_"):
    """data: a flat uint8 array, or anything with a buffer of bytes.

    cyclonedds' own (de)serialisation goes through every byte in Python: 30 ms for a VGA image, 300 ms for 1080p. Its
    two public hooks are overridden: one copy out, none in.
    """

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
        out = bytearray(b"\x00\x01\x00\x00")  # CDR_LE, no options
        out += struct.pack("<iI", self.header.stamp.sec, self.header.stamp.nanosec)
        out += _cdr_string(self.header.frame_id)
        _align(out)
        out += struct.pack("<II", self.height, self.width)
        out += _cdr_string(self.encoding)
        out += struct.pack("<B", self.is_bigendian)
        _align(out)
        data = memoryview(self.data if not isinstance(self.data, list) else bytes(self.data)).cast("B")
        out += struct.pack("<II", self.step, data.nbytes)
        return b"".join((out, data))

    @classmethod
    def deserialize(cls, data: bytes, has_header: bool = True, use_version_2: bool | None = None) -> "Image":
        """The pixels stay where they are: `data` of the result is a read-only view of the bytes given here."""
        try:
            return cls._read(data)
        except (struct.error, UnicodeDecodeError, ValueError) as error:
            raise InputError(f"image: expected a sensor_msgs/Image in CDR, got bytes that are none ({error})") from None

    @classmethod
    def _read(cls, data: bytes) -> "Image":
        if data[:2] not in (b"\0\0", b"\0\1"):
            raise ValueError(f"encapsulation {data[:2].hex()}, not plain CDR")
        order = "<" if data[1] else ">"
        sec, nanosec, length = struct.unpack_from(order + "iII", data, 4)
        frame_id, end = _read_string(data, 16, length)
        height, width, length = struct.unpack_from(order + "III", data, _aligned(end))
        encoding, end = _read_string(data, _aligned(end) + 12, length)
        is_bigendian = data[end] if end < len(data) else 0
        step, length = struct.unpack_from(order + "II", data, _aligned(end + 1))
        start = _aligned(end + 1) + 8
        pixels: NDArray[np.uint8] = np.frombuffer(data, np.uint8)[start : start + length]
        if pixels.size != length:
            raise ValueError(f"{length} bytes of pixels announced, {pixels.size} there")
        return cls(Header(Time(sec, nanosec), frame_id), height, width, encoding, is_bigendian, step, pixels)


def _cdr_string(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<I", len(raw) + 1) + raw + b"\0"


def _aligned(position: int) -> int:
    return (position + 3) & ~3  # the encapsulation header is 4 bytes itself


def _align(out: bytearray) -> None:
    out += bytes(-len(out) % 4)


def _read_string(data: bytes, start: int, length: int) -> tuple[str, int]:
    if length < 1 or start + length > len(data):
        raise ValueError(f"a string of {length} bytes at {start} of {len(data)}")
    return bytes(data[start : start + length - 1]).decode(), start + length


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
