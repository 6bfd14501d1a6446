"""ROS 2 and the DDS twin on one wire: each hears and sees the other."""

import json
import signal
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("cyclonedds")
import rclpy
from sensor_msgs.msg import Image

from pose_regressor.middleware import program

pytestmark = pytest.mark.ros2
FAST_DDS = rclpy.get_rmw_implementation_identifier().startswith("rmw_fastrtps")

DDS_STANDIN = Path(__file__).parents[1] / "standin_node.py"
PLAYERS = {
    "dds": ["-m", "pose_regressor.middleware.dds.player"],
    "ros2": ["-c", "import sys; from pose_regressor.middleware.executables import player; sys.exit(player())"],
}
FRAMES = 12


@pytest.fixture
def clip(tmp_path):
    """A folder of images, frame n of brightness 10 n + 10, and its camera file."""
    folder = tmp_path / "clip"
    folder.mkdir()
    for number in range(FRAMES):
        cv2.imwrite(str(folder / f"{number:06d}.png"), np.full((48, 64, 3), 10 * number + 10, np.uint8))
    camera = tmp_path / "camera.json"
    values = {"width": 64, "height": 48, "fx": 60.0, "fy": 60.0, "cx": 31.5, "cy": 23.5, "depth_scale": 1.0}
    camera.write_text(json.dumps(values))
    return folder, camera


def check(transforms, record):
    """Every transform has the stamp and the depth of its own frame; a busy machine may leave some out."""
    frames = {stamp: number for number, stamp, _ in json.loads(record.read_text())}
    assert sorted(frames.values()) == list(range(FRAMES))
    numbers = [frames[t.stamp] for t in transforms if t.stamp in frames]
    assert numbers[-1] == FRAMES - 1
    assert numbers == sorted(set(numbers))
    assert [t.translation[2] for t in transforms if t.stamp in frames] == [number + 1 for number in numbers]
    assert {(t.frame_id, t.child) for t in transforms} == {("eye", "crate_0")}


@pytest.mark.parametrize("listener", ["dds", "ros2"])
@pytest.mark.parametrize("player", ["dds", "ros2"])
@pytest.mark.parametrize("node", ["dds", "ros2"])
def test_player_node_and_listener_of_either_kind(launch, start, clip, tmp_path, until, node, player, listener):
    folder, camera = clip
    record = tmp_path / "record.json"
    with program(listener, "listener", "TfListener")() as heard:
        running = launch(DDS_STANDIN, "dds", "{}") if node == "dds" else start()
        until(lambda: heard.writers, "the node's transforms")
        arguments = ["--camera", camera, "--rate", 10, "--timeout", 90, "--record", record, "--frame-id", "eye"]
        for _ in range(3):  # the node may learn of the listener late
            playing = launch(*PLAYERS[player], folder, *arguments)
            assert playing.wait() == 0, playing.text
            if heard.wait(lambda ts: bool(ts) and ts[-1].translation[2] == FRAMES, 30):
                break
        transforms = heard.transforms
    assert transforms, running.text
    check(transforms, record)
    code, prompt = running.end(signal.SIGTERM)
    assert code == 0
    assert prompt


def test_the_dds_node_is_a_node_to_ros(launch, peer, until):
    launch(DDS_STANDIN, "dds", "{}")
    peer.match()
    until(lambda: ("pose_regressor", "/") in peer.node.get_node_names_and_namespaces(), "the node's name")
    published = dict(peer.node.get_publisher_names_and_types_by_node("pose_regressor", "/"))
    assert published == {
        "/tf": ["tf2_msgs/msg/TFMessage"],
        "/pose_regressor/detections": ["vision_msgs/msg/Detection3DArray"],
        "/pose_regressor/overlay": ["sensor_msgs/msg/Image"],
        "/pose_regressor/markers": ["visualization_msgs/msg/MarkerArray"],
        "/diagnostics": ["diagnostic_msgs/msg/DiagnosticArray"],
    }
    subscribed = dict(peer.node.get_subscriber_names_and_types_by_node("pose_regressor", "/"))
    assert subscribed == {"/image": ["sensor_msgs/msg/Image"], "/camera_info": ["sensor_msgs/msg/CameraInfo"]}
    (tf,) = peer.node.get_publishers_info_by_topic("/tf")
    # What Fast DDS says here of any node over Cyclone DDS, one of rmw_cyclonedds too: discovery lacks its participant.
    name = "_CREATED_BY_BARE_DDS_APP_" if FAST_DDS else "pose_regressor"
    assert (tf.node_name, tf.qos_profile.reliability.name) == (name, "RELIABLE")

    peer.hear_overlay()
    peer.send_info(width=64, height=48, k=(50.0, 0.0, 31.5, 0.0, 50.0, 23.5, 0.0, 0.0, 1.0))
    peer.send_image(15, stamp=9, width=64, height=48)
    (transform,) = peer.take_tf()
    assert (transform.header.stamp.sec, transform.transform.translation.z) == (9, 1.5)
    (message,) = peer.detections.take()
    assert message.detections[0].results[0].pose.covariance[::7].tolist() == [1, 2, 3, 4, 5, 6]
    (overlay,) = peer.overlays.take("an overlay")
    assert (overlay.width, overlay.height, len(overlay.data)) == (64, 48, 64 * 48 * 3)


def test_tf2_knows_where_the_object_is(start, peer):
    """The way other nodes read it."""
    tf2_ros = pytest.importorskip("tf2_ros")
    start()
    buffer = tf2_ros.Buffer()
    listener = tf2_ros.TransformListener(buffer, peer.node)
    peer.match()
    peer.send_info()
    peer.send_image(20, stamp=11)
    peer.take_tf()
    found = buffer.lookup_transform("optical", "crate_0", rclpy.time.Time(), rclpy.duration.Duration(seconds=5))
    assert (found.header.stamp.sec, found.transform.translation.z) == (11, 2.0)
    listener.unregister()


@pytest.mark.parametrize("node", ["dds", "ros2"])
@pytest.mark.parametrize("player", ["dds", "ros2"])
def test_a_clip_with_depth(launch, start, clip, tmp_path, node, player):
    """The stand-ins find their object as far away as depth says."""
    folder, camera = clip
    (tmp_path / "depths").mkdir()
    for number in range(FRAMES):
        steps = np.full((48, 64), 500 + 100 * number, np.uint16)  # millimetres
        cv2.imwrite(str(tmp_path / "depths" / f"{number:06d}.png"), steps)
    record = tmp_path / "record.json"
    config = {"depth_topic": "depth", "image_reliability": "reliable", "depth_reliability": "reliable"}
    with program("dds", "listener", "TfListener")() as heard:
        parameters = [word for key, value in config.items() for word in ("-p", f"{key}:={value}")]
        running = launch(DDS_STANDIN, "dds", json.dumps(config)) if node == "dds" else start(*parameters)
        arguments = ["--camera", camera, "--rate", 10, "--timeout", 90, "--record", record, "--depth"]
        playing = launch(*PLAYERS[player], folder, *arguments, tmp_path / "depths")
        assert playing.wait() == 0, playing.text
        frames = {stamp: number for number, stamp, _ in json.loads(record.read_text())}
        assert heard.wait(lambda transforms: bool(transforms) and transforms[-1].stamp == max(frames), 90)
        transforms = heard.transforms
    assert len(transforms) > 1
    for transform in transforms[1:]:  # the first image does not wait for its depth
        assert transform.translation[2] == pytest.approx(0.5 + 0.1 * frames[transform.stamp], abs=1e-6), running.text


def test_the_ros_player_says_what_it_cannot_play(launch, clip):
    folder, camera = clip
    for arguments, words in (
        ((folder, "--camera", camera, "--timeout", 0.2), "expected a subscriber of image within 0.2 s, none came"),
        ((folder / "nothing.mp4", "--camera", camera), "nothing.mp4"),
        ((folder, "--camera", camera, "--rate", 0, "--ros-args", "-r", "__node:=camera"), "--rate"),
    ):
        player = launch(*PLAYERS["ros2"], *arguments)
        assert player.wait() == 2
        assert player.text.startswith("error: ")
        assert words in player.text
        assert player.text.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_ros_player(launch, clip, peer_node, until, number):
    folder, camera = clip
    got = []
    peer_node.create_subscription(Image, "image", got.append, 1)
    player = launch(*PLAYERS["ros2"], folder, "--camera", camera, "--loop")
    until(lambda: got, "an image")
    code, prompt = player.end(number)
    assert (code, prompt) == (0, True)


def test_a_source_without_an_image_topic(launch, clip, make_bundle, tmp_path):
    """`pose-regressor run --source`, under ROS 2."""
    from pose_regressor.middleware.ros2.listener import TfListener

    folder, camera = clip
    path = tmp_path / "tiny.safetensors"
    make_bundle("brick").save(path)
    with TfListener() as heard:
        command = ["-m", "pose_regressor", "run", "--middleware", "ros2", "--model", path, "--source", folder]
        running = launch(*command, "--camera", camera, "--set", "score_threshold=0", "--set", "frame_id=eye")
        assert running.wait() == 0, running.text
        assert "in 12 frames" in running.text
        assert "ready: images from" in running.text
        assert {t.frame_id for t in heard.transforms} <= {"eye"}
        if " 0 poses" not in running.text:
            assert heard.wait(bool, 5)
