"""Messages of ROS 2 by rosbags: its own definitions, CDR and type hashes."""

from types import SimpleNamespace

import numpy as np
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

STORE = get_typestore(Stores.ROS2_JAZZY)
#: What rosbags lacks: vision_msgs, and the two halves of services.
MORE = {
    "vision_msgs/msg/ObjectHypothesis": "string class_id\nfloat64 score",
    "vision_msgs/msg/ObjectHypothesisWithPose": "ObjectHypothesis hypothesis\ngeometry_msgs/PoseWithCovariance pose",
    "vision_msgs/msg/BoundingBox3D": "geometry_msgs/Pose center\ngeometry_msgs/Vector3 size",
    "vision_msgs/msg/Detection3D": "std_msgs/Header header\nObjectHypothesisWithPose[] results\n"
    "BoundingBox3D bbox\nstring id",
    "vision_msgs/msg/Detection3DArray": "std_msgs/Header header\nDetection3D[] detections",
    "lifecycle_msgs/msg/ChangeState_Request": "Transition transition",
    "lifecycle_msgs/msg/ChangeState_Response": "bool success",
    "lifecycle_msgs/msg/GetState_Request": "uint8 structure_needs_at_least_one_member",
    "lifecycle_msgs/msg/GetState_Response": "State current_state",
    "rcl_interfaces/msg/SetParameters_Request": "Parameter[] parameters",
    "rcl_interfaces/msg/SetParameters_Response": "SetParametersResult[] results",
}
for _name, _text in MORE.items():
    STORE.register(get_types_from_msg(_text, _name))


class Word:
    """A message class whose fields can be given by position; those that are not given are as in a new message."""

    def __init__(self, name):
        self.name, self._kind = name, STORE.types[name]
        self.fields = dict(STORE.fielddefs[name][1])

    def __call__(self, *values, **named):
        given = {**dict(zip(self.fields, values, strict=False)), **named}
        return self._kind(**{f: _fitting(given[f], t) if f in given else _empty(t) for f, t in self.fields.items()})


def _fitting(value, described):
    """Numbers of arrays and sequences as rosbags has them."""
    kind, about = described[0].name, described[1]
    if kind in ("ARRAY", "SEQUENCE") and about[0][0].name == "BASE" and about[0][1][0] != "string":
        return np.array(value, about[0][1][0])
    return list(value) if kind in ("ARRAY", "SEQUENCE") else value


def _empty(described):
    kind, about = described[0].name, described[1]
    if kind == "NAME":
        return Word(about)()
    if kind == "BASE":
        return {"string": "", "bool": False}.get(about[0], 0)
    return _fitting([0] * about[1] if kind == "ARRAY" else [], described)


def plain(value):
    """A message as plain values: lists, numbers and text."""
    if hasattr(value, "__msgtype__"):
        return SimpleNamespace(**{name: plain(getattr(value, name)) for name in Word(value.__msgtype__).fields})
    if isinstance(value, np.ndarray):
        return value.tolist()
    return [plain(v) for v in value] if isinstance(value, list) else value


def type_name(name):
    """sensor_msgs/msg/Image -> sensor_msgs::msg::dds_::Image_"""
    package, middle, kind = name.split("/")
    return f"{package}::{middle}::dds_::{kind}_"


Time, Header = Word("builtin_interfaces/msg/Time"), Word("std_msgs/msg/Header")
Image, CompressedImage = Word("sensor_msgs/msg/Image"), Word("sensor_msgs/msg/CompressedImage")
CameraInfo, RegionOfInterest = Word("sensor_msgs/msg/CameraInfo"), Word("sensor_msgs/msg/RegionOfInterest")
Triple, Place = Word("geometry_msgs/msg/Vector3"), Word("geometry_msgs/msg/Point")
Quaternion, Transform = Word("geometry_msgs/msg/Quaternion"), Word("geometry_msgs/msg/Transform")
TransformStamped, TFMessage = Word("geometry_msgs/msg/TransformStamped"), Word("tf2_msgs/msg/TFMessage")
Pose, PoseWithCovariance = Word("geometry_msgs/msg/Pose"), Word("geometry_msgs/msg/PoseWithCovariance")
Hypothesis = Word("vision_msgs/msg/ObjectHypothesis")
HypothesisWithPose = Word("vision_msgs/msg/ObjectHypothesisWithPose")
BoundingBox3D = Word("vision_msgs/msg/BoundingBox3D")
Detection3D, Detection3DArray = Word("vision_msgs/msg/Detection3D"), Word("vision_msgs/msg/Detection3DArray")
MarkerArray = Word("visualization_msgs/msg/MarkerArray")
DiagnosticArray = Word("diagnostic_msgs/msg/DiagnosticArray")
LifecycleTransition = Word("lifecycle_msgs/msg/Transition")
Parameter, ParameterValue = Word("rcl_interfaces/msg/Parameter"), Word("rcl_interfaces/msg/ParameterValue")
