"""The messages of visualization_msgs."""

from pose_regressor.middleware.wire import sensor_msgs  # noqa: F401  (defines what these are made of)
from pose_regressor.middleware.wire.message import message

UVCoordinate = message("visualization_msgs/msg/UVCoordinate", "float32 u", "float32 v")
MeshFile = message("visualization_msgs/msg/MeshFile", "string filename", "uint8[] data")
Marker = message(
    "visualization_msgs/msg/Marker",
    "std_msgs/Header header",
    "string ns",
    "int32 id",
    "int32 type",
    "int32 action",
    "geometry_msgs/Pose pose",
    "geometry_msgs/Vector3 scale",
    "std_msgs/ColorRGBA color",
    "builtin_interfaces/Duration lifetime",
    "bool frame_locked",
    "geometry_msgs/Point[] points",
    "std_msgs/ColorRGBA[] colors",
    "string texture_resource",
    "sensor_msgs/CompressedImage texture",
    "UVCoordinate[] uv_coordinates",
    "string text",
    "string mesh_resource",
    "MeshFile mesh_file",
    "bool mesh_use_embedded_materials",
)
MarkerArray = message("visualization_msgs/msg/MarkerArray", "Marker[] markers")
