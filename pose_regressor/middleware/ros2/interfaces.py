"""The ROS 2 messages that the nodes use: this module is the `types` namespace of `messages`."""

# ruff: noqa: F401
from array import array
from typing import Any

import numpy as np
from builtin_interfaces.msg import Duration, Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import Point, Pose, PoseWithCovariance, Quaternion, Transform, TransformStamped, Vector3
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import ColorRGBA, Header
from tf2_msgs.msg import TFMessage
from vision_msgs.msg import (
    BoundingBox3D,
    Detection3D,
    Detection3DArray,
    ObjectHypothesis,
    ObjectHypothesisWithPose,
)
from visualization_msgs.msg import Marker, MarkerArray


def octet(value: int) -> bytes:
    """A number as the value of a field of type byte."""
    return bytes([value])


def image_data(pixels: NDArray[np.uint8]) -> Any:
    """Pixels as a message's data. Anything but an array is slow: rclpy checks each byte of it."""
    return array("B", pixels.tobytes())
