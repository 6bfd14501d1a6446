"""The rclpy node as a process of its own, against another node in this process."""

import json
import re
import signal
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy")
import rclpy

pytestmark = pytest.mark.ros2

ROOT = Path(__file__).parents[3]
#: What `ros2 run pose_regressor pose_regressor_node` runs.
NODE = ["-c", "import sys; from pose_regressor.middleware.executables import node; sys.exit(node())", "--ros-args"]


def test_image_in_transform_and_detection_out(start, peer):
    node = start("-p", "frame_prefix:=seen/")
    peer.match()
    peer.send_info()
    peer.send_image(15, stamp=1_700_000_000)
    (transform,) = peer.take_tf()
    assert (transform.header.stamp.sec, transform.header.stamp.nanosec) == (1_700_000_000, 5)
    assert (transform.header.frame_id, transform.child_frame_id) == ("optical", "seen/crate_0")
    t, q = transform.transform.translation, transform.transform.rotation
    assert (t.x, t.y, t.z) == (0.1, -0.2, 1.5)
    np.testing.assert_allclose((q.x, q.y, q.z, q.w), (0, 0, np.sqrt(0.5), np.sqrt(0.5)), atol=1e-9)
    (message,) = peer.detections.take()
    (detection,) = message.detections
    assert (message.header.stamp.sec, detection.header.frame_id, detection.id) == (1_700_000_000, "optical", "crate_0")
    (result,) = detection.results
    assert (result.hypothesis.class_id, result.hypothesis.score) == ("crate", 0.75)
    assert result.pose.covariance[::7].tolist() == [1, 2, 3, 4, 5, 6]
    turn = result.pose.pose.orientation
    np.testing.assert_allclose((turn.x, turn.y, turn.z, turn.w), (q.x, q.y, q.z, q.w), rtol=1e-14)
    assert (detection.bbox.size.x, detection.bbox.size.y, detection.bbox.size.z) == pytest.approx((0.2, 0.1, 0.2))

    peer.send_image(0, stamp=1_700_000_001)  # nothing to be seen
    (message,) = peer.detections.take()
    assert (message.header.stamp.sec, message.detections) == (1_700_000_001, [])
    assert not len(peer.tf)
    assert node.end(signal.SIGINT)[0] == 0
    assert "2 received, 2 processed, none dropped" in node.text


def test_remapped_topics_reliable_readers_and_another_frame(start, peer_node, peer, until):
    given = ("frame_id:=head", "image_reliability:=reliable", "camera_info_reliability:=reliable")
    names = ("__ns:=/arm", "image:=/image", "camera_info:=/camera_info")
    start(*(part for value in given for part in ("-p", value)), *(part for name in names for part in ("-r", name)))
    peer.name = "/arm/pose_regressor"
    peer.match()
    assert "/arm/pose_regressor/detections" in dict(peer_node.get_topic_names_and_types())
    # Names of nodes are announced apart from their topics.
    until(lambda: ("pose_regressor", "/arm") in peer_node.get_node_names_and_namespaces(), "the node's name")
    peer.send_info()
    peer.send_image(20, stamp=3)
    (transform,) = peer.take_tf()
    assert (transform.header.frame_id, transform.child_frame_id) == ("head", "crate_0")


def test_qos_is_that_of_sensor_data(start, peer_node, peer):
    start()
    peer.match()
    (images,) = peer_node.get_subscriptions_info_by_topic("/image")
    assert images.qos_profile.reliability.name == "BEST_EFFORT"
    assert images.qos_profile.durability.name == "VOLATILE"
    (tf,) = peer_node.get_publishers_info_by_topic("/tf")
    assert tf.qos_profile.reliability.name == "RELIABLE"


def test_the_latest_camera_info_counts_and_a_file_stands_in_for_it(start, peer, tmp_path):
    camera = tmp_path / "camera.json"
    camera.write_text(json.dumps({"width": 8, "height": 6, "fx": 50, "fy": 50, "cx": 3.5, "cy": 2.5, "depth_scale": 1}))
    start("-p", f"camera_file:={camera}")
    peer.match(camera_info=False)
    assert peer.infos.get_subscription_count() == 0
    peer.send_image(20, stamp=3)
    assert peer.take_tf()[0].transform.translation.z == 2.0


@pytest.mark.skipif("fastrtps" not in rclpy.get_rmw_implementation_identifier(), reason="of Fast DDS")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_of_it_stays_in_shared_memory(start, peer, number):
    node = start()
    peer.match()
    # Its own memory is the one whose lock it holds. What is named after a port may be others' as well.
    files = [link.readlink() for link in Path(f"/proc/{node.process.pid}/fd").iterdir() if link.is_symlink()]
    own = [Path(str(path).removesuffix("_el")) for path in files if re.fullmatch(r"fastdds_[0-9a-f]{16}_el", path.name)]
    assert own
    assert node.end(number)[0] == 0
    assert not any(path.exists() for path in own)


def test_signals_that_go_on_coming_leave_it_its_exit_code(launch, until, tiny_bundle, tmp_path):
    path = tmp_path / "tiny.safetensors"
    tiny_bundle.save(path)
    node = launch(*NODE, "-p", f"model:=[{path}]")
    until(lambda: "ready" in node.text, "the node")
    while node.process.poll() is None:
        node.process.send_signal(signal.SIGINT)
        time.sleep(0.02)
    assert node.process.returncode == 0


@pytest.mark.parametrize("delay", [0.3, 0.8, 2.0])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_it_starts_ends_it_too(launch, tiny_bundle, tmp_path, number, delay):
    path = tmp_path / "tiny.safetensors"
    tiny_bundle.save(path)
    node = launch(*NODE, "-p", f"model:=[{path}]")
    time.sleep(delay)
    code, _ = node.end(number)  # once its imports are done, which may take a busy machine long
    assert code in (0, -number)  # the latter before the node's own code runs
    assert code or "Traceback" not in node.text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-p", "score_threshold:=1.5"], ["score_threshold: expected a number from 0 to 1, got 1.5"]),
        (["-p", "score_threshold:=high"], ["score_threshold", "'high'"]),
        (["-p", "scroe_threshold:=0.5"], ["scroe_threshold: no such key", "expected one of model"]),
        (["-p", "model:=box"], ["model: expected a list of strings, got 'box'"]),
        (["-p", "model:=['']"], ["model: expected at least one bundle"]),
        (["-p", "model:=[nowhere]"], ["nowhere: no such model"]),
        (["-p", "device:=gpu"], ["device", "cuda:N", "'gpu'"]),
        (["-p", "camera_file:=nowhere.yaml"], ["nowhere.yaml: no such file"]),
        (["-p", "objects:=[mug]"], ["objects: 'mug' is in none of the bundles, expected one of brick"]),
        (["-p", "objects:=[]"], ["parameters: one is without a value"]),
        (["-p", "objects"], ["ROS arguments cannot be used", "-p objects"]),
        (["--params-file", "nowhere.yaml"], ["ROS arguments cannot be used", "nowhere.yaml"]),
    ],
)
def test_bad_configuration_refuses_to_start(launch, tiny_bundle, tmp_path, arguments, words):
    path = tmp_path / "tiny.safetensors"
    tiny_bundle.save(path)
    given = [] if "model" in arguments[-1] else ["-p", f"model:=[{path}]"]
    node = launch(*NODE, *given, *arguments)
    assert node.wait() == 2
    assert "Traceback" not in node.text
    (line,) = (line for line in node.text.splitlines() if line.startswith("error: "))
    assert line == node.text.splitlines()[-1]
    for word in words:
        assert word in line


def test_bundles_that_cannot_be_used_refuse_to_start(launch, tiny_bundle, tmp_path):
    path = tmp_path / "tiny.safetensors"
    tiny_bundle.save(path)
    raw = path.read_bytes()
    for content, words in (
        (raw.replace(rb"\"version\": 2", rb"\"version\": 9"), "version 9"),
        (b"no bundle", "not a safetensors file"),
    ):
        path.write_bytes(content)
        node = launch(*NODE, "-p", f"model:=[{path}]")
        assert node.wait() == 2
        assert words in node.text
        assert node.text.count("\n") == 1


def test_cuda_asked_for_and_absent_refuses_to_start(launch, tiny_bundle, tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    path = tmp_path / "tiny.safetensors"
    tiny_bundle.save(path)
    node = launch(*NODE, "-p", f"model:=[{path}]", "-p", "device:=cuda")
    assert node.wait() == 2
    assert re.fullmatch(r"error: .*cuda.*\n", node.text)


def test_the_real_network_answers(launch, peer, tiny_bundle, tmp_path):
    """An untrained one: what it says is nonsense, but it says it."""
    path = tmp_path / "tiny.safetensors"
    tiny_bundle.save(path)
    launch(*NODE, "-p", f"model:=[{path}]", "-p", "score_threshold:=0", "-p", "image_reliability:=reliable")
    peer.match()
    peer.send_info(width=160, height=120, k=(150.0, 0.0, 79.5, 0.0, 150.0, 59.5, 0.0, 0.0, 1.0))
    noise = np.random.default_rng(0).integers(0, 256, 120 * 160 * 3, dtype=np.uint8).tobytes()
    peer.send_image(0, stamp=7, width=160, height=120, data=noise)
    (message,) = peer.detections.take()
    assert message.header.stamp.sec == 7
    for detection in message.detections:
        assert detection.results[0].hypothesis.class_id == "brick"
    if message.detections:
        assert {t.child_frame_id for t in peer.take_tf()} == {d.id for d in message.detections}
