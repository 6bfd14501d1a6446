"""The ROS 2 messages that the nodes use: this module is the `types` namespace of `messages`.

Each module beside this one holds the packages that its name or first line says.
"""

# ruff: noqa: F401
# mypy: implicit-reexport
from pose_regressor.middleware.wire.diagnostic_msgs import DiagnosticArray, DiagnosticStatus, KeyValue, octet
from pose_regressor.middleware.wire.geometry_msgs import (
    ColorRGBA,
    Duration,
    Header,
    Point,
    Pose,
    PoseWithCovariance,
    Quaternion,
    TFMessage,
    Time,
    Transform,
    TransformStamped,
    Vector3,
)
from pose_regressor.middleware.wire.sensor_msgs import CameraInfo, CompressedImage, Image, RegionOfInterest
from pose_regressor.middleware.wire.vision_msgs import (
    BoundingBox3D,
    Detection3D,
    Detection3DArray,
    ObjectHypothesis,
    ObjectHypothesisWithPose,
)
from pose_regressor.middleware.wire.visualization_msgs import Marker, MarkerArray, MeshFile, UVCoordinate
