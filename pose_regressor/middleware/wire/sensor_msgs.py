"""The messages of sensor_msgs. An image's `data` is a flat uint8 array, or anything with a buffer of bytes."""

from pose_regressor.middleware.wire import geometry_msgs  # noqa: F401  (defines what these are made of)
from pose_regressor.middleware.wire.message import message

RegionOfInterest = message(
    "sensor_msgs/msg/RegionOfInterest",
    "uint32 x_offset",
    "uint32 y_offset",
    "uint32 height",
    "uint32 width",
    "bool do_rectify",
)
CameraInfo = message(
    "sensor_msgs/msg/CameraInfo",
    "std_msgs/Header header",
    "uint32 height",
    "uint32 width",
    "string distortion_model",
    "float64[] d",
    "float64[9] k",
    "float64[9] r",
    "float64[12] p",
    "uint32 binning_x",
    "uint32 binning_y",
    "RegionOfInterest roi",
)
Image = message(
    "sensor_msgs/msg/Image",
    "std_msgs/Header header",
    "uint32 height",
    "uint32 width",
    "string encoding",
    "uint8 is_bigendian",
    "uint32 step",
    "uint8[] data",
)
CompressedImage = message("sensor_msgs/msg/CompressedImage", "std_msgs/Header header", "string format", "uint8[] data")
