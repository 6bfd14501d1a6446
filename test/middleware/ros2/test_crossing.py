"""ROS 2 and the DDS twin on one wire: each hears and sees the other."""

import contextlib
import json
import signal
from pathlib import Path

import cv2
import numpy as np
import pytest
from base_peer import AGAIN, PATIENCE

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


@contextlib.contextmanager
def listening(kind):
    """A TfListener of this kind."""
    with program(kind, "listener", "TfListener")() as heard:
        yield heard


def play_until_heard(launch, heard, player, source, record, *options):
    """Plays the source again and again until so many poses in it are heard: what is sent before all know of each other
    is lost. Returns the transforms, oldest first, and by stamp the frames that were played."""
    fixed = ["--rate", 10, "--timeout", PATIENCE, "--loop", "--record", record]
    playing = launch(*PLAYERS[player], *source, *fixed, *options)
    assert heard.wait(lambda transforms: len(transforms) > FRAMES, PATIENCE), playing.text
    transforms = heard.transforms[:-1]  # the player may end before it has recorded the frame of the last one
    assert playing.end(signal.SIGINT)[0] == 0, playing.text
    return transforms, {stamp: number for number, stamp, _ in json.loads(record.read_text())}


@pytest.mark.parametrize("listener", ["dds", "ros2"])
@pytest.mark.parametrize("player", ["dds", "ros2"])
@pytest.mark.parametrize("node", ["dds", "ros2"])
def test_player_node_and_listener_of_either_kind(launch, start, clip, tmp_path, node, player, listener):
    """Every transform has the stamp and the depth of its own frame; a busy machine may leave some out."""
    folder, camera = clip
    with listening(listener) as heard:
        running = launch(DDS_STANDIN, "dds", "{}") if node == "dds" else start()
        source = [folder, "--camera", camera, "--frame-id", "eye"]
        transforms, frames = play_until_heard(launch, heard, player, source, tmp_path / "record.json")
    assert set(frames.values()) == set(range(FRAMES))
    stamps = [t.stamp for t in transforms]
    assert stamps == sorted(set(stamps)), running.text
    assert [t.translation[2] for t in transforms] == [frames[stamp] + 1 for stamp in stamps]
    assert {(t.frame_id, t.child) for t in transforms} == {("eye", "crate_0")}
    code, prompt = running.end(signal.SIGTERM)
    assert code == 0
    assert prompt


def test_the_dds_node_is_a_node_to_ros(launch, peer, until):
    launch(DDS_STANDIN, "dds", "{}")
    peer.find()
    peer.hear_overlay()
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

    def answered():
        """What is sent before the node knows of this side is lost, so it is sent again."""
        peer.send_info(width=64, height=48, k=(50.0, 0.0, 31.5, 0.0, 50.0, 23.5, 0.0, 0.0, 1.0))
        peer.send_image(15, stamp=9, width=64, height=48)
        return len(peer.tf) and len(peer.detections) and len(peer.overlays)

    until(answered, "the node's answers", pause=AGAIN)
    transform = peer.take_tf()[0]
    assert (transform.header.stamp.sec, transform.transform.translation.z) == (9, 1.5)
    message = peer.detections.take()[0]
    assert message.detections[0].results[0].pose.covariance[::7].tolist() == [1, 2, 3, 4, 5, 6]
    overlay = peer.overlays.take()[0]
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
    config = {"depth_topic": "depth", "image_reliability": "reliable", "depth_reliability": "reliable"}
    with listening("dds") as heard:
        parameters = [word for key, value in config.items() for word in ("-p", f"{key}:={value}")]
        running = launch(DDS_STANDIN, "dds", json.dumps(config)) if node == "dds" else start(*parameters)
        source = [folder, "--camera", camera, "--depth", tmp_path / "depths"]
        transforms, frames = play_until_heard(launch, heard, player, source, tmp_path / "record.json")
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
    folder, camera = clip
    path = tmp_path / "tiny.safetensors"
    make_bundle("brick").save(path)
    with listening("ros2") as heard:
        command = ["-m", "pose_regressor", "run", "--middleware", "ros2", "--model", path, "--source", folder]
        running = launch(*command, "--camera", camera, "--set", "score_threshold=0", "--set", "frame_id=eye")
        assert running.wait() == 0, running.text
        assert "in 12 frames" in running.text
        assert "ready: images from" in running.text
        assert {t.frame_id for t in heard.transforms} <= {"eye"}
