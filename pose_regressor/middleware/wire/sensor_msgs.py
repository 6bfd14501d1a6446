"""The messages of sensor_msgs."""

# The annotations are values, so there is no `from __future__ import annotations`, and mypy cannot read them.
# mypy: ignore-errors
from dataclasses import dataclass, field

from pose_regressor.middleware.wire.fields import array, float64, sequence, uint8, uint32
from pose_regressor.middleware.wire.geometry_msgs import Header
from pose_regressor.middleware.wire.message import Message


@dataclass
class RegionOfInterest(Message, name="sensor_msgs/msg/RegionOfInterest"):
    x_offset: uint32 = 0
    y_offset: uint32 = 0
    height: uint32 = 0
    width: uint32 = 0
    do_rectify: bool = False


@dataclass
class CameraInfo(Message, name="sensor_msgs/msg/CameraInfo", words="camera info"):
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
class Image(Message, name="sensor_msgs/msg/Image", words="image"):
    """data: a flat uint8 array, or anything with a buffer of bytes."""

    header: Header = field(default_factory=Header)
    height: uint32 = 0
    width: uint32 = 0
    encoding: str = ""
    is_bigendian: uint8 = 0
    step: uint32 = 0
    data: sequence[uint8] = field(default_factory=list)


@dataclass
class CompressedImage(Message, name="sensor_msgs/msg/CompressedImage", words="image"):
    """data: as an Image's."""

    header: Header = field(default_factory=Header)
    format: str = ""
    data: sequence[uint8] = field(default_factory=list)
