"""The node as a process of its own, against an independent participant: cyclonedds alone, with its own definitions of
the ROS 2 messages and QoS, in this process."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cyclonedds")
from cyclonedds.builtin import BuiltinDataReader, BuiltinTopicDcpsParticipant
from cyclonedds.domain import DomainParticipant
from cyclonedds.idl import IdlStruct
from cyclonedds.idl.types import array, bounded_str, float64, int32, sequence, uint8, uint32
from cyclonedds.pub import DataWriter
from cyclonedds.qos import Policy, Qos
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic
from cyclonedds.util import duration

from pose_regressor.middleware.dds.node import run
from pose_regressor.middleware.parameters import NodeConfig
from pose_regressor.types import InputError

ROOT = Path(__file__).parents[3]
CUBE = ROOT.parent / "shared" / "data" / "cube"
STANDIN = ROOT / "test" / "middleware" / "standin_node.py"


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


RELIABLE = Policy.Reliability.Reliable(duration(seconds=1))
#: QoS as ROS 2's own subscribers and publishers have it.
TF_QOS = Qos(RELIABLE, Policy.Durability.Volatile, Policy.History.KeepLast(100))
SENSOR_QOS = Qos(Policy.Reliability.BestEffort, Policy.Durability.Volatile, Policy.History.KeepLast(5))
RELIABLE_QOS = Qos(RELIABLE, Policy.Durability.Volatile, Policy.History.KeepLast(5))
DISCOVERY_QOS = Qos(RELIABLE, Policy.Durability.TransientLocal, Policy.History.KeepLast(1))


def until(condition, what, seconds=20.0):
    end = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.005)
    return result


class Peer:
    """An independent participant beside the node."""

    def __init__(self, domain, image_qos=SENSOR_QOS, overlay=False):
        self.dds = DomainParticipant(domain)
        self.images = DataWriter(self.dds, Topic(self.dds, "rt/image", Image), qos=image_qos)
        self.infos = DataWriter(self.dds, Topic(self.dds, "rt/camera_info", CameraInfo), qos=RELIABLE_QOS)
        self.tf = DataReader(self.dds, Topic(self.dds, "rt/tf", TFMessage), qos=TF_QOS)
        name = "rt/pose_regressor/detections"
        self.detections = DataReader(self.dds, Topic(self.dds, name, Detection3DArray), qos=RELIABLE_QOS)
        if overlay:
            self.overlay = self.overlay_reader()

    def overlay_reader(self):
        return DataReader(self.dds, Topic(self.dds, "rt/pose_regressor/overlay", Image), qos=RELIABLE_QOS)

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

    def send_image(self, brightness, stamp, width=8, height=6, **changes):
        header = Header(Time(stamp, 5), "optical")
        data = [brightness] * (width * height * 3)
        values = {"encoding": "rgb8", "is_bigendian": 0, "step": width * 3, "data": data, **changes}
        self.images.write(Image(header, height, width, **values))

    def take(self, reader, what="a message", seconds=10.0):
        return until(lambda: [s for s in reader.take(100) if hasattr(s, "__dataclass_fields__")], what, seconds)

    def take_tf(self):
        return [t for message in self.take(self.tf, "a transform") for t in message.transforms]


class Node:
    def __init__(self, parameters, tmp_path, script=STANDIN):
        self.log = tmp_path / "node.log"
        env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        with self.log.open("w") as log:
            command = [sys.executable, str(script), json.dumps(parameters)]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=env, cwd=tmp_path)

    def end(self, number=signal.SIGINT):
        """Sends the signal; exit code and seconds."""
        start = time.monotonic()
        self.process.send_signal(number)
        code = self.process.wait(10)
        return code, time.monotonic() - start

    @property
    def text(self):
        return self.log.read_text()


@pytest.fixture
def start(tmp_path):
    nodes = []

    def start(script=STANDIN, **parameters):
        nodes.append(Node(parameters, tmp_path, script))
        return nodes[-1]

    yield start
    for node in nodes:
        if node.process.poll() is None:
            node.process.kill()
            node.process.wait()


def test_image_in_transform_and_detection_out(domain, start):
    node = start(frame_prefix="seen/")
    peer = Peer(domain)
    peer.match()
    peer.send_info()
    peer.send_image(15, stamp=1_700_000_000)
    (transform,) = peer.take_tf()
    assert (transform.header.stamp.sec, transform.header.stamp.nanosec) == (1_700_000_000, 5)
    assert (transform.header.frame_id, transform.child_frame_id) == ("optical", "seen/crate_0")
    t, q = transform.transform.translation, transform.transform.rotation
    assert (t.x, t.y, t.z) == (0.1, -0.2, 1.5)
    np.testing.assert_allclose((q.x, q.y, q.z, q.w), (0, 0, np.sqrt(0.5), np.sqrt(0.5)), atol=1e-9)
    (message,) = peer.take(peer.detections)
    (detection,) = message.detections
    assert detection.results[0].hypothesis.class_id == "crate"
    assert detection.results[0].pose.covariance[::7] == [1, 2, 3, 4, 5, 6]
    assert (detection.bbox.size.x, detection.bbox.size.y, detection.bbox.size.z) == pytest.approx((0.2, 0.1, 0.2))

    peer.send_image(0, stamp=1_700_000_001)  # nothing to be seen
    (message,) = peer.take(peer.detections)
    assert (message.header.stamp.sec, message.detections) == (1_700_000_001, [])
    assert peer.tf.take(1) == []
    assert node.end()[0] == 0
    assert "2 received, 2 processed, none dropped" in node.text


def test_a_reliable_reader_and_other_frames(domain, start):
    start(image_reliability="reliable", frame_id="head")
    peer = Peer(domain, image_qos=RELIABLE_QOS)
    peer.match()
    peer.send_info()
    peer.send_image(20, stamp=3)
    (transform,) = peer.take_tf()
    assert (transform.header.frame_id, transform.child_frame_id) == ("head", "crate_0")


def test_bad_messages_cost_a_frame_and_never_the_node(domain, start):
    node = start()
    peer = Peer(domain, image_qos=RELIABLE_QOS)
    peer.match()

    def dropped(reason):
        until(lambda: reason in node.text, f"{reason!r} in the log")

    peer.send_image(1, stamp=1)
    dropped("frame dropped: no camera info yet")
    for changes, reason in (
        ({"k": (0.0,) * 9}, "camera info: expected a calibrated camera matrix K"),
        ({"k": (float("nan"),) * 9}, "camera info: expected a calibrated camera matrix K"),
        ({"model": "equidistant", "d": (0.1,) * 4}, "distortion model 'equidistant' is not known"),
        ({"width": 640, "height": 480}, "image: 8x6 does not match its camera info, which is for 640x480"),
    ):
        peer.send_info(**changes)
        peer.send_image(1, stamp=1)
        dropped(reason)
    peer.send_info()
    for changes, reason in (
        ({"width": 0, "height": 0}, "expected at least one pixel, got 0x0"),
        ({"encoding": "h264"}, "encoding 'h264' is not known, expected one of rgb8, bgr8"),
        ({"data": [1] * 10}, "expected 144 bytes of data (step 24 x height 6), got 10"),
        ({"step": 7}, "expected a step of at least 24"),
    ):
        peer.send_image(1, stamp=1, **changes)
        dropped(reason)
    peer.send_image(255, stamp=1)
    dropped("internal error RuntimeError")

    peer.send_image(30, stamp=2)
    (transform,) = peer.take_tf()
    assert transform.header.stamp.sec == 2
    assert node.end()[0] == 0
    assert "Traceback" not in node.text


def test_the_same_fault_is_said_once_and_counted(domain, start):
    node = start()
    peer = Peer(domain, image_qos=RELIABLE_QOS)
    peer.match()
    peer.send_info()
    for _ in range(20):
        peer.send_image(1, stamp=1, encoding="h264")
        time.sleep(0.01)
    node.end()
    assert node.text.count("WARNING") == 1
    received, processed, dropped = map(
        int, re.search(r"(\d+) received, (\d+) processed, (\d+) dropped", node.text).groups()
    )
    assert received == dropped > 10
    assert processed == 0


def test_overlay_is_drawn_for_readers_only(domain, start):
    node = start()
    peer = Peer(domain)
    peer.match()
    peer.send_info(width=64, height=48, k=(50.0, 0, 31.5, 0, 50, 23.5, 0, 0, 1))
    peer.send_image(10, stamp=1, width=64, height=48)
    peer.take_tf()
    reader = peer.overlay_reader()
    until(lambda: reader.matched_pub, "the overlay's writer")
    time.sleep(0.2)
    assert reader.take(1) == []
    peer.send_image(10, stamp=2, width=64, height=48)
    (overlay,) = peer.take(reader, "an overlay")
    assert (overlay.width, overlay.height, overlay.encoding, overlay.step) == (64, 48, "rgb8", 192)
    assert (overlay.header.stamp.sec, overlay.header.frame_id) == (2, "optical")
    assert set(overlay.data) != {10}, "something is drawn"
    assert node.end()[0] == 0


def test_seen_as_a_node_of_ros_2(domain, start):
    """What `ros2 node list` and `ros2 topic list` go by."""
    start()
    peer = Peer(domain, overlay=True)
    peer.match()
    topic = Topic(peer.dds, "ros_discovery_info", ParticipantEntities)
    reader = DataReader(peer.dds, topic, qos=DISCOVERY_QOS)
    info = until(
        lambda: next((s for s in reader.take(10) if len(s.node_entities_info_seq[0].reader_gid_seq) == 2), None),
        "the node's readers in ros_discovery_info",
    )
    (node,) = info.node_entities_info_seq
    assert (node.node_namespace, node.node_name) == ("/", "pose_regressor")
    endpoints = [
        peer.tf.get_matched_publication_data(peer.tf.matched_pub[0]),
        peer.detections.get_matched_publication_data(peer.detections.matched_pub[0]),
        peer.overlay.get_matched_publication_data(peer.overlay.matched_pub[0]),
    ]
    assert sorted(bytes(gid.data) for gid in node.writer_gid_seq) == sorted(e.key.bytes for e in endpoints)
    for endpoint in endpoints:
        assert re.fullmatch(rb"typehash=RIHS01_[0-9a-f]{64};", endpoint.qos[Policy.Userdata].data)
        assert bytes(info.gid.data) == endpoint.participant_key.bytes
    participants = BuiltinDataReader(peer.dds, BuiltinTopicDcpsParticipant).take(10)
    (own,) = (p for p in participants if p.key.bytes == bytes(info.gid.data))
    assert own.qos[Policy.Userdata].data == b"enclave=/;"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_within_two_seconds_and_peers_see_it_go(domain, start, number):
    node = start()
    peer = Peer(domain)
    peer.match()
    peer.send_info()
    for stamp in range(30):
        peer.send_image(10, stamp=stamp)
    code, seconds = node.end(number)
    assert code == 0
    assert seconds < 2
    assert "Traceback" not in node.text
    until(lambda: not peer.tf.matched_pub, "the node to be gone", 3)


@pytest.mark.parametrize("delay", [0.0, 0.3, 0.8])
def test_a_signal_while_it_starts_ends_it_too(domain, start, delay):
    node = start()
    time.sleep(delay)
    code, seconds = node.end(signal.SIGTERM)
    assert seconds < 2
    assert code in (0, -signal.SIGTERM)  # the latter before the node's own code runs
    assert "Traceback" not in node.text


def test_a_bad_domain_refuses_to_start(domain, standin, monkeypatch):
    monkeypatch.setenv("ROS_DOMAIN_ID", "300")
    with pytest.raises(InputError, match="ROS_DOMAIN_ID: expected a whole number from 0 to 232, got '300'"):
        run(NodeConfig(), open_tracker=lambda _: standin.StandIn())


def test_a_missing_camera_file_refuses_to_start(domain, start):
    node = start(camera_file="nowhere.yaml")
    assert node.process.wait(20) == 2
    assert node.text == "error: nowhere.yaml: no such file\n"


def test_a_bad_topic_name_refuses_to_start(domain, standin):
    with pytest.raises(InputError, match="expected a ROS 2 topic name such as image or /camera/image_raw, got 'a b'"):
        run(NodeConfig(), image_topic="a b", open_tracker=lambda _: standin.StandIn())


@pytest.mark.shared
@pytest.mark.skipif(not CUBE.exists(), reason="the reference data is not here")
def test_the_command_line_puts_a_video_on_tf(domain, tmp_path):
    """The real thing: a shipped bundle on real footage, as the README has it."""
    command = [sys.executable, "-m", "pose_regressor", "run", "--source", CUBE / "dev.mp4"]
    command += [
        "--camera",
        CUBE / "camera.json",
        "--model",
        ROOT / "models" / "cube.safetensors",
        "--middleware",
        "dds",
    ]
    peer = Peer(domain)
    with (tmp_path / "run.log").open("w") as log:
        process = subprocess.Popen([*map(str, command)], stdout=log, stderr=log, cwd=ROOT)
    try:
        transforms = []

        def ten():
            transforms.extend(t for m in peer.tf.take(100) for t in getattr(m, "transforms", ()))
            return len(transforms) >= 10

        until(ten, "ten transforms", 60)
        assert {t.child_frame_id for t in transforms} == {"cube_0"}
        assert {t.header.frame_id for t in transforms} == {"camera"}
        assert all(0.1 < t.transform.translation.z < 5 for t in transforms), "metres"
        stamps = [t.header.stamp.sec + 1e-9 * t.header.stamp.nanosec for t in transforms]
        assert stamps == sorted(set(stamps))
        assert abs(stamps[-1] - time.time()) < 30
        start = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert time.monotonic() - start < 2
    finally:
        process.kill()
        process.wait()
