"""An independent participant beside the node: cyclonedds alone, with its own definitions of the ROS 2 messages and QoS.
It knows of no ROS 2 either: whichever node it talks to, the wire is the same. Loaded by conftest.py."""

import sys
import time
from dataclasses import dataclass

from cyclonedds.domain import DomainParticipant
from cyclonedds.idl import IdlStruct
from cyclonedds.idl.types import (
    array,
    bounded_str,
    byte,
    float32,
    float64,
    int32,
    int64,
    sequence,
    uint8,
    uint32,
    uint64,
)
from cyclonedds.internal import InvalidSample
from cyclonedds.pub import DataWriter
from cyclonedds.qos import Policy, Qos
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic
from cyclonedds.util import duration


@dataclass
class Time(IdlStruct, typename="builtin_interfaces::msg::dds_::Time_"):
    sec: int32
    nanosec: uint32


@dataclass
class Header(IdlStruct, typename="std_msgs::msg::dds_::Header_"):
    stamp: Time
    frame_id: str


@dataclass
class Image(IdlStruct, typename="sensor_msgs::msg::dds_::Image_"):
    header: Header
    height: uint32
    width: uint32
    encoding: str
    is_bigendian: uint8
    step: uint32
    data: sequence[uint8]


@dataclass
class CompressedImage(IdlStruct, typename="sensor_msgs::msg::dds_::CompressedImage_"):
    header: Header
    format: str
    data: sequence[uint8]


@dataclass
class RegionOfInterest(IdlStruct, typename="sensor_msgs::msg::dds_::RegionOfInterest_"):
    x_offset: uint32
    y_offset: uint32
    height: uint32
    width: uint32
    do_rectify: bool


@dataclass
class CameraInfo(IdlStruct, typename="sensor_msgs::msg::dds_::CameraInfo_"):
    header: Header
    height: uint32
    width: uint32
    distortion_model: str
    d: sequence[float64]
    k: array[float64, 9]
    r: array[float64, 9]
    p: array[float64, 12]
    binning_x: uint32
    binning_y: uint32
    roi: RegionOfInterest


@dataclass
class Triple(IdlStruct, typename="geometry_msgs::msg::dds_::Vector3_"):
    x: float64
    y: float64
    z: float64


@dataclass
class Place(IdlStruct, typename="geometry_msgs::msg::dds_::Point_"):
    x: float64
    y: float64
    z: float64


@dataclass
class Quaternion(IdlStruct, typename="geometry_msgs::msg::dds_::Quaternion_"):
    x: float64
    y: float64
    z: float64
    w: float64


@dataclass
class Transform(IdlStruct, typename="geometry_msgs::msg::dds_::Transform_"):
    translation: Triple
    rotation: Quaternion


@dataclass
class TransformStamped(IdlStruct, typename="geometry_msgs::msg::dds_::TransformStamped_"):
    header: Header
    child_frame_id: str
    transform: Transform


@dataclass
class TFMessage(IdlStruct, typename="tf2_msgs::msg::dds_::TFMessage_"):
    transforms: sequence[TransformStamped]


@dataclass
class Pose(IdlStruct, typename="geometry_msgs::msg::dds_::Pose_"):
    position: Place
    orientation: Quaternion


@dataclass
class PoseWithCovariance(IdlStruct, typename="geometry_msgs::msg::dds_::PoseWithCovariance_"):
    pose: Pose
    covariance: array[float64, 36]


@dataclass
class Hypothesis(IdlStruct, typename="vision_msgs::msg::dds_::ObjectHypothesis_"):
    class_id: str
    score: float64


@dataclass
class HypothesisWithPose(IdlStruct, typename="vision_msgs::msg::dds_::ObjectHypothesisWithPose_"):
    hypothesis: Hypothesis
    pose: PoseWithCovariance


@dataclass
class BoundingBox3D(IdlStruct, typename="vision_msgs::msg::dds_::BoundingBox3D_"):
    center: Pose
    size: Triple


@dataclass
class Detection3D(IdlStruct, typename="vision_msgs::msg::dds_::Detection3D_"):
    header: Header
    results: sequence[HypothesisWithPose]
    bbox: BoundingBox3D
    id: str


@dataclass
class Detection3DArray(IdlStruct, typename="vision_msgs::msg::dds_::Detection3DArray_"):
    header: Header
    detections: sequence[Detection3D]


@dataclass
class Duration(IdlStruct, typename="builtin_interfaces::msg::dds_::Duration_"):
    sec: int32
    nanosec: uint32


@dataclass
class Color(IdlStruct, typename="std_msgs::msg::dds_::ColorRGBA_"):
    r: float32
    g: float32
    b: float32
    a: float32


@dataclass
class UVCoordinate(IdlStruct, typename="visualization_msgs::msg::dds_::UVCoordinate_"):
    u: float32
    v: float32


@dataclass
class MeshFile(IdlStruct, typename="visualization_msgs::msg::dds_::MeshFile_"):
    filename: str
    data: sequence[uint8]


@dataclass
class Marker(IdlStruct, typename="visualization_msgs::msg::dds_::Marker_"):
    header: Header
    ns: str
    id: int32
    type: int32
    action: int32
    pose: Pose
    scale: Triple
    color: Color
    lifetime: Duration
    frame_locked: bool
    points: sequence[Place]
    colors: sequence[Color]
    texture_resource: str
    texture: CompressedImage
    uv_coordinates: sequence[UVCoordinate]
    text: str
    mesh_resource: str
    mesh_file: MeshFile
    mesh_use_embedded_materials: bool


@dataclass
class MarkerArray(IdlStruct, typename="visualization_msgs::msg::dds_::MarkerArray_"):
    markers: sequence[Marker]


@dataclass
class Gid(IdlStruct, typename="rmw_dds_common::msg::dds_::Gid_"):
    data: array[uint8, 16]


@dataclass
class NodeEntities(IdlStruct, typename="rmw_dds_common::msg::dds_::NodeEntitiesInfo_"):
    node_namespace: bounded_str[256]
    node_name: bounded_str[256]
    reader_gid_seq: sequence[Gid]
    writer_gid_seq: sequence[Gid]


@dataclass
class ParticipantEntities(IdlStruct, typename="rmw_dds_common::msg::dds_::ParticipantEntitiesInfo_"):
    gid: Gid
    node_entities_info_seq: sequence[NodeEntities]


@dataclass
class KeyValue(IdlStruct, typename="diagnostic_msgs::msg::dds_::KeyValue_"):
    key: str
    value: str


@dataclass
class DiagnosticStatus(IdlStruct, typename="diagnostic_msgs::msg::dds_::DiagnosticStatus_"):
    level: byte
    name: str
    message: str
    hardware_id: str
    values: sequence[KeyValue]


@dataclass
class DiagnosticArray(IdlStruct, typename="diagnostic_msgs::msg::dds_::DiagnosticArray_"):
    header: Header
    status: sequence[DiagnosticStatus]


@dataclass
class LifecycleTransition(IdlStruct, typename="lifecycle_msgs::msg::dds_::Transition_"):
    id: uint8
    label: str


@dataclass
class LifecycleState(IdlStruct, typename="lifecycle_msgs::msg::dds_::State_"):
    id: uint8
    label: str


@dataclass
class ChangeStateRequest(IdlStruct, typename="lifecycle_msgs::srv::dds_::ChangeState_Request_"):
    guid: uint64
    sequence_number: int64
    transition: LifecycleTransition


@dataclass
class ChangeStateResponse(IdlStruct, typename="lifecycle_msgs::srv::dds_::ChangeState_Response_"):
    guid: uint64
    sequence_number: int64
    success: bool


@dataclass
class GetStateRequest(IdlStruct, typename="lifecycle_msgs::srv::dds_::GetState_Request_"):
    guid: uint64
    sequence_number: int64
    structure_needs_at_least_one_member: uint8


@dataclass
class GetStateResponse(IdlStruct, typename="lifecycle_msgs::srv::dds_::GetState_Response_"):
    guid: uint64
    sequence_number: int64
    current_state: LifecycleState


@dataclass
class ParameterValue(IdlStruct, typename="rcl_interfaces::msg::dds_::ParameterValue_"):
    type: uint8 = 0
    bool_value: bool = False
    integer_value: int64 = 0
    double_value: float64 = 0.0
    string_value: str = ""
    byte_array_value: sequence[byte] = ()
    bool_array_value: sequence[bool] = ()
    integer_array_value: sequence[int64] = ()
    double_array_value: sequence[float64] = ()
    string_array_value: sequence[str] = ()


@dataclass
class Parameter(IdlStruct, typename="rcl_interfaces::msg::dds_::Parameter_"):
    name: str
    value: ParameterValue


@dataclass
class SetParametersResult(IdlStruct, typename="rcl_interfaces::msg::dds_::SetParametersResult_"):
    successful: bool
    reason: str


@dataclass
class SetParametersRequest(IdlStruct, typename="rcl_interfaces::srv::dds_::SetParameters_Request_"):
    guid: uint64
    sequence_number: int64
    parameters: sequence[Parameter]


@dataclass
class SetParametersResponse(IdlStruct, typename="rcl_interfaces::srv::dds_::SetParameters_Response_"):
    guid: uint64
    sequence_number: int64
    results: sequence[SetParametersResult]


RELIABLE = Policy.Reliability.Reliable(duration(seconds=1))
#: QoS as ROS 2's own subscribers and publishers have it.
TF_QOS = Qos(RELIABLE, Policy.Durability.Volatile, Policy.History.KeepLast(100))
SENSOR_QOS = Qos(Policy.Reliability.BestEffort, Policy.Durability.Volatile, Policy.History.KeepLast(5))
RELIABLE_QOS = Qos(RELIABLE, Policy.Durability.Volatile, Policy.History.KeepLast(10))
DISCOVERY_QOS = Qos(RELIABLE, Policy.Durability.TransientLocal, Policy.History.KeepLast(1))
NODE = "pose_regressor"
VGA = {"width": 640, "height": 480, "k": (500.0, 0, 319.5, 0, 500, 239.5, 0, 0, 1)}


def until(condition, what, seconds=30.0):
    end = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.005)
    return result


class Client:
    """Of a service of a node."""

    def __init__(self, dds, node, service, request, response):
        self.requests = DataWriter(dds, Topic(dds, f"rq/{node}/{service}Request", request), qos=RELIABLE_QOS)
        self.replies = DataReader(dds, Topic(dds, f"rr/{node}/{service}Reply", response), qos=RELIABLE_QOS)
        self.request, self.count = request, 0

    def __call__(self, *fields):
        if not self.count:
            until(lambda: self.requests.matched_sub and self.replies.matched_pub, "the service")
            time.sleep(0.3)  # as in Peer.match
        self.count += 1
        self.requests.write(self.request(42, self.count, *fields))
        samples = until(lambda: [s for s in self.replies.take(1) if not isinstance(s, InvalidSample)], "the answer")
        assert (samples[0].guid, samples[0].sequence_number) == (42, self.count)
        return samples[0]


class Peer:
    """A camera, a listener and an operator in one."""

    def __init__(self, domain, image_qos=RELIABLE_QOS, compressed=False, node=NODE):
        self.dds = DomainParticipant(domain)
        topic, kind = ("rt/image/compressed", CompressedImage) if compressed else ("rt/image", Image)
        self.images = self.writer(topic, kind, image_qos)
        self.infos = self.writer("rt/camera_info", CameraInfo, RELIABLE_QOS)
        self.tf = self.reader("rt/tf", TFMessage, TF_QOS)
        self.detections = self.reader(f"rt/{node}/detections", Detection3DArray, RELIABLE_QOS)
        self._change_state = Client(self.dds, node, "change_state", ChangeStateRequest, ChangeStateResponse)
        self._get_state = Client(self.dds, node, "get_state", GetStateRequest, GetStateResponse)
        self._set_parameters = Client(self.dds, node, "set_parameters", SetParametersRequest, SetParametersResponse)

    def reader(self, topic, kind, qos=RELIABLE_QOS):
        return DataReader(self.dds, Topic(self.dds, topic, kind), qos=qos)

    def writer(self, topic, kind, qos=RELIABLE_QOS):
        return DataWriter(self.dds, Topic(self.dds, topic, kind), qos=qos)

    def overlay_reader(self):
        return self.reader(f"rt/{NODE}/overlay", Image)

    def diagnostics_reader(self):
        return self.reader("rt/diagnostics", DiagnosticArray)

    def match(self):
        ends = (self.images, self.infos)
        until(lambda: all(w.matched_sub for w in ends) and self.tf.matched_pub, "the node's endpoints")
        time.sleep(0.3)  # the node may hear of this side a little later, and a volatile reader misses what came before

    def send_info(self, width=8, height=6, k=(50.0, 0, 3.5, 0, 50, 2.5, 0, 0, 1), model="plumb_bob", d=(0.0,) * 5):
        roi = RegionOfInterest(0, 0, 0, 0, False)
        header = Header(Time(0, 0), "optical")
        p = [0.0] * 12
        self.infos.write(CameraInfo(header, height, width, model, list(d), list(k), [0.0] * 9, p, 0, 0, roi))
        time.sleep(0.05)  # another topic: DDS promises no order between the two

    def calibrate(self, width=8, height=6, focal=50.0):
        """As a camera does: camera infos and images of stamp 0, until one is answered that was seen through it."""
        seen = []

        def answered():
            self.send_info(width, height, (focal, 0, width / 2, 0, focal, height / 2, 0, 0, 1))
            self.send_image(1, 0, width, height)
            time.sleep(0.05)
            seen.extend(t for m in self.tf.take(100) for t in getattr(m, "transforms", ()))
            return any(t.transform.translation.y == -0.2 * focal / 50 for t in seen)

        until(answered, f"an answer through the camera {width}x{height} of focal length {focal}")

    def send_image(self, brightness, stamp, width=8, height=6, **changes):
        header = Header(Time(stamp, 5), "optical")
        data = [brightness] * (width * height * 3)
        values = {"encoding": "rgb8", "is_bigendian": 0, "step": width * 3, "data": data, **changes}
        self.images.write(Image(header, height, width, **values))

    def send_compressed(self, data, stamp, text="bgr8; jpeg compressed bgr8"):
        self.images.write(CompressedImage(Header(Time(stamp, 5), "optical"), text, list(data)))

    def take(self, reader, what="a message", seconds=30.0):
        return until(lambda: [s for s in reader.take(100) if not isinstance(s, InvalidSample)], what, seconds)

    def take_tf(self):
        return [t for message in self.take(self.tf, "a transform") for t in message.transforms]

    def pose_at(self, stamp, depth):
        """Waits for the transform of the image of this stamp: the crate, so many metres away."""
        seen = []

        def found():
            seen.extend(t for m in self.tf.take(100) for t in getattr(m, "transforms", ()))
            return [t for t in seen if t.header.stamp.sec == stamp]

        (transform,) = until(found, f"the transform of image {stamp}")
        assert transform.child_frame_id == "crate_0"
        assert transform.transform.translation.z == depth
        return transform

    def diagnostics(self, reader, good, what):
        """Waits for a report in which ``good(level and message by name)`` holds; its values by name."""

        def found():
            for report in reader.take(100):
                statuses = getattr(report, "status", ())
                if statuses and good({s.name.partition(": ")[2]: (s.level, s.message) for s in statuses}):
                    return {s.name: {v.key: v.value for v in s.values} for s in statuses}
            return None

        return until(found, what)

    def change_state(self, transition):
        """By label or number; whether it was made."""
        number, label = (transition, "") if isinstance(transition, int) else (0, transition)
        return self._change_state(LifecycleTransition(number, label)).success

    def state(self):
        return self._get_state(0).current_state.label

    def set_parameter(self, name, **value):
        """``set_parameter("follow", type=1, bool_value=False)``: '' or why not."""
        (result,) = self._set_parameters([Parameter(name, ParameterValue(**value))]).results
        assert result.successful == (not result.reason)
        return result.reason


if __name__ == "__main__":  # a listener to everything, as a process: wire.py DOMAIN
    listener = Peer(int(sys.argv[1]))
    overlays = listener.overlay_reader()
    until(lambda: listener.tf.matched_pub and overlays.matched_pub, "the node")
    print("listening", flush=True)
    time.sleep(3600)
