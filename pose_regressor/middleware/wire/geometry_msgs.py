"""The messages of builtin_interfaces, std_msgs, geometry_msgs and tf2_msgs."""

from pose_regressor.middleware.wire.message import message

Time = message("builtin_interfaces/msg/Time", "int32 sec", "uint32 nanosec")
Duration = message("builtin_interfaces/msg/Duration", "int32 sec", "uint32 nanosec")
Header = message("std_msgs/msg/Header", "builtin_interfaces/Time stamp", "string frame_id")
ColorRGBA = message("std_msgs/msg/ColorRGBA", "float32 r", "float32 g", "float32 b", "float32 a")
Vector3 = message("geometry_msgs/msg/Vector3", "float64 x", "float64 y", "float64 z")
Point = message("geometry_msgs/msg/Point", "float64 x", "float64 y", "float64 z")
Quaternion = message("geometry_msgs/msg/Quaternion", "float64 x", "float64 y", "float64 z", "float64 w 1")
Pose = message("geometry_msgs/msg/Pose", "Point position", "Quaternion orientation")
PoseWithCovariance = message("geometry_msgs/msg/PoseWithCovariance", "Pose pose", "float64[36] covariance")
Transform = message("geometry_msgs/msg/Transform", "Vector3 translation", "Quaternion rotation")
TransformStamped = message(
    "geometry_msgs/msg/TransformStamped", "std_msgs/Header header", "string child_frame_id", "Transform transform"
)
TFMessage = message("tf2_msgs/msg/TFMessage", "geometry_msgs/TransformStamped[] transforms")
