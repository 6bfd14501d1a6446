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
from visualization_msgs.msg import Marker, MarkerArray

from pose_regressor.types import InputError

try:  # those that a ROS 2 may lack, and that the package index does lack
    from tf2_msgs.msg import TFMessage
    from vision_msgs.msg import (
        BoundingBox3D,
        Detection3D,
        Detection3DArray,
        ObjectHypothesis,
        ObjectHypothesisWithPose,
    )
except ModuleNotFoundError as error:
    raise InputError(
        f"ROS 2: {error.name} does not import; apt-get install ros-$ROS_DISTRO-vision-msgs ros-$ROS_DISTRO-tf2-msgs, "
        "or where pip installed rclpy: pose_regressor_build_messages"
    ) from error


def octet(value: int) -> bytes:
    """A number as the value of a field of type byte."""
    return bytes([value])


def image_data(pixels: NDArray[np.uint8]) -> Any:
    """Pixels as a message's data. Anything but an array is slow: rclpy checks each byte of it."""
    return array("B", pixels.tobytes())
