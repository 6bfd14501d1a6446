"""The messages of vision_msgs."""

from pose_regressor.middleware.wire import geometry_msgs  # noqa: F401  (defines what these are made of)
from pose_regressor.middleware.wire.message import message

ObjectHypothesis = message("vision_msgs/msg/ObjectHypothesis", "string class_id", "float64 score")
ObjectHypothesisWithPose = message(
    "vision_msgs/msg/ObjectHypothesisWithPose",
    "ObjectHypothesis hypothesis",
    "geometry_msgs/PoseWithCovariance pose",
)
BoundingBox3D = message("vision_msgs/msg/BoundingBox3D", "geometry_msgs/Pose center", "geometry_msgs/Vector3 size")
Detection3D = message(
    "vision_msgs/msg/Detection3D",
    "std_msgs/Header header",
    "ObjectHypothesisWithPose[] results",
    "BoundingBox3D bbox",
    "string id",
)
Detection3DArray = message("vision_msgs/msg/Detection3DArray", "std_msgs/Header header", "Detection3D[] detections")
