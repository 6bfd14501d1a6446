"""`pose-regressor bag`: nothing of the bag is lost, and what is added is what the node would have said."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mcap")
from mcap.writer import CompressionType

from pose_regressor.assets import find_model
from pose_regressor.cli import main
from pose_regressor.estimation.estimator import PoseEstimator
from pose_regressor.middleware.wire import idl
from pose_regressor.middleware.wire.definitions import ros2msg
from pose_regressor.tracking.tracker import Tracker

rosbags_highlevel = pytest.importorskip("rosbags.highlevel")

ROOT = Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location("contents", Path(__file__).with_name("contents.py"))
contents = importlib.util.module_from_spec(spec)
spec.loader.exec_module(contents)

ADDED = ("/tf", "/pose_regressor/detections")
QOS = "- history: {0}\n  depth: 5\n  reliability: {1}\n"


def read(path):
    """topic -> [(log time, message)] by rosbags, from the definitions in the bag alone."""
    from rosbags.typesys import Stores, get_typestore

    with rosbags_highlevel.AnyReader([path], default_typestore=get_typestore(Stores.EMPTY)) as reader:
        found = {}
        for connection, log_time, data in reader.messages():
            message = reader.deserialize(data, connection.msgtype)
            found.setdefault(connection.topic, []).append((log_time, message))
        return found


def test_all_messages_are_as_they_were(recorded, annotated):
    kept = [message for message in contents.messages(annotated) if message[0] not in ADDED]
    assert kept == contents.messages(recorded / "raw.mcap")


def test_the_poses_are_the_trackers(clip, annotated):
    tracker = Tracker(PoseEstimator(find_model("box")))
    found = read(annotated)
    stamps = [message.header.stamp for _, message in found["/camera/image_raw"]]
    assert len(found["/tf"]) == len(found["/pose_regressor/detections"]) == len(stamps)
    for frame, stamp, (_, tf), (_, detections) in zip(clip, stamps, found["/tf"], found[ADDED[1]], strict=True):
        # At the message's own time: the clip's differs in its last digits, and a crop a hair aside shows.
        [expected] = tracker.update(replace(frame, stamp=stamp.sec * 10**9 + stamp.nanosec))
        [transform] = tf.transforms
        assert (transform.header.stamp, transform.header.frame_id) == (stamp, "camera_optical_frame")
        assert transform.child_frame_id == "box_0"
        t, r = transform.transform.translation, transform.transform.rotation
        np.testing.assert_allclose([t.x, t.y, t.z], expected.translation, atol=1e-9)
        [detection] = detections.detections
        assert detection.id == "box_0"
        [result] = detection.results
        assert result.hypothesis.score == pytest.approx(expected.score)
        np.testing.assert_allclose(result.pose.covariance, expected.covariance.reshape(-1), rtol=1e-4, atol=1e-10)
        # The quaternion against the matrix: both turn the same vector to the same place.
        axis, vector = np.array([r.x, r.y, r.z]), np.array([1.0, 2.0, 3.0])
        turned = vector + 2 * np.cross(axis, np.cross(axis, vector) + r.w * vector)
        np.testing.assert_allclose(turned, expected.rotation @ vector, atol=1e-6)


def test_poses_as_they_are_measured(recorded, clip, annotated, tmp_path):
    raw = tmp_path / "raw_poses.mcap"
    assert main(["bag", str(recorded / "raw.mcap"), str(raw), "--set", "smooth=false"]) == 0
    tracker = Tracker(PoseEstimator(find_model("box")), smooth=False)
    places = {}
    for path in (raw, annotated):
        transforms = [tf.transforms[0].transform.translation for _, tf in read(path)["/tf"]]
        places[path] = np.array([[t.x, t.y, t.z] for t in transforms])
    for frame, place, (_, image) in zip(clip, places[raw], read(raw)["/camera/image_raw"], strict=True):
        stamp = image.header.stamp
        [expected] = tracker.update(replace(frame, stamp=stamp.sec * 10**9 + stamp.nanosec))
        np.testing.assert_allclose(place, expected.translation, atol=1e-9)
    assert np.abs(places[raw] - places[annotated]).max() > 1e-6, "smooth is the default"


def test_answers_come_right_after_their_image(annotated):
    order = [(topic, log_time) for topic, *_, log_time, _, _, _ in contents.messages(annotated)]
    for (topic, log_time), (following, its_time) in pairwise(order):
        if topic == "/camera/image_raw":
            assert (following, its_time) == ("/tf", log_time)
    times = [log_time for _, log_time in order]
    assert times == sorted(times)


def test_type_hashes_and_definitions_agree_with_an_independent_implementation(annotated):
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    for topic, _, metadata, schema, *_ in contents.messages(annotated):
        name, encoding, text = schema
        assert encoding == "ros2msg"
        store = get_typestore(Stores.EMPTY)
        store.register(get_types_from_msg(text.decode(), name))
        assert store.hash_rihs01(name) == metadata["topic_type_hash"], topic


def test_compressed_images_serve_as_well(recorded, tmp_path, annotated):
    assert main(["bag", str(recorded / "compressed.mcap"), str(tmp_path / "out.mcap")]) == 0
    raw, compressed = read(annotated)["/tf"], read(tmp_path / "out.mcap")["/tf"]
    for (_, one), (_, other) in zip(raw, compressed, strict=True):
        a, b = (message.transforms[0].transform.translation for message in (one, other))
        np.testing.assert_allclose([a.x, a.y, a.z], [b.x, b.y, b.z], atol=0.01)


def items(recorded, namespace="/camera"):
    found = []
    for topic, _, _, schema, log_time, *_, data in contents.messages(recorded / "raw.mcap"):
        found.append((topic.replace("/camera/", f"{namespace}/", 1), schema[0], schema[2].decode(), {}, log_time, data))
    return found


@pytest.mark.parametrize(
    ("compression", "chunks"),
    [(CompressionType.ZSTD, True), (CompressionType.LZ4, True), (CompressionType.NONE, False)],
    ids=["zstd", "lz4", "unchunked"],
)
@pytest.mark.parametrize("style", [("keep_last", "reliable"), (1, 1)], ids=["words", "numbers"])
def test_bags_of_others(recorded, tmp_path, compression, chunks, style):
    """A robot's bag: its own transforms, topics of types that nobody here knows, attachments, QoS in both spellings."""
    metadata = {"offered_qos_profiles": QOS.format(*style), "topic_type_hash": "RIHS01_00"}
    base = idl.TFMessage([idl.TransformStamped(idl.Header(frame_id="map"), "base_link")])
    bag = []
    for topic, kind, definition, _, log_time, data in items(recorded):
        bag.append((topic, kind, definition, metadata, log_time, data))
        if "image" in topic:
            bag.append(("/tf", "tf2_msgs/msg/TFMessage", ros2msg(idl.TFMessage), metadata, log_time, base.serialize()))
            bag.append(("/strange", "my_msgs/msg/Strange", "uint8 x\n", metadata, log_time, b"\0\1\0\0\7"))

    def extra(writer):
        writer.add_attachment(1, 2, "notes.txt", "text/plain", b"it rained")
        writer.add_metadata("rosbag2", {"serialized_metadata": "version: 9"})

    path, out = tmp_path / "in.mcap", tmp_path / "out.mcap"
    contents.write(path, bag, compression=compression, chunks=chunks, extra=extra)
    assert main(["bag", str(path), str(out)]) == 0
    before, after = contents.messages(path), contents.messages(out)
    assert [message for message in after if message in before] == before
    new = [message for message in after if message not in before]
    assert {message[0] for message in new} == set(ADDED)
    # One channel of /tf for the robot's transforms and ours.
    assert {str(message[2]) for message in after if message[0] == "/tf"} == {str(metadata)}
    assert contents.others(out) == contents.others(path)
    [own] = {message[2]["offered_qos_profiles"] for message in new if message[0] == ADDED[1]}
    assert own.startswith(f"- history: {style[0]}\n  depth: 10\n  reliability: {style[1]}\n")
    from rosbags.rosbag2.metadata import parse_qos
    from ruamel.yaml import YAML

    [qos] = parse_qos(YAML(typ="safe").load(own))
    assert (qos.history.name, qos.depth, qos.reliability.name) == ("KEEP_LAST", 10, "RELIABLE")
    assert (qos.durability.name, qos.liveliness.name) == ("VOLATILE", "AUTOMATIC")


def test_a_folder_of_two_files(recorded, tmp_path, annotated):
    """As rosbag2 splits a bag: both files have channels of their own."""
    both = items(recorded)
    contents.write(tmp_path / "bag_0.mcap", both[:10])
    contents.write(tmp_path / "bag_1.mcap", both[10:])
    about = {"storage_identifier": "mcap", "relative_file_paths": ["bag_0.mcap", "bag_1.mcap"], "compression_mode": ""}
    (tmp_path / "metadata.yaml").write_text(json.dumps({"rosbag2_bagfile_information": about}))
    assert main(["bag", str(tmp_path), str(tmp_path / "out.mcap")]) == 0
    strip = [(topic, log_time, data) for topic, *_, log_time, _, _, data in contents.messages(tmp_path / "out.mcap")]
    assert strip == [(topic, log_time, data) for topic, *_, log_time, _, _, data in contents.messages(annotated)]


def test_two_cameras_have_names_of_their_own(recorded, tmp_path):
    bag = sorted(items(recorded, "/left") + items(recorded, "/right"), key=lambda item: item[4])
    contents.write(tmp_path / "in.mcap", bag)
    assert main(["bag", str(tmp_path / "in.mcap"), str(tmp_path / "out.mcap")]) == 0
    found = read(tmp_path / "out.mcap")
    names = [transform.child_frame_id for _, message in found["/tf"] for transform in message.transforms]
    assert sorted(names) == ["left_box_0"] * 12 + ["right_box_0"] * 12
    assert len(found["/left/pose_regressor/detections"]) == len(found["/right/pose_regressor/detections"]) == 12


def test_every_third_image(recorded, tmp_path):
    assert main(["bag", str(recorded / "raw.mcap"), str(tmp_path / "out.mcap"), "--every", "3"]) == 0
    found = read(tmp_path / "out.mcap")
    assert len(found["/camera/image_raw"]) == 12
    images = [log_time for log_time, _ in found["/camera/image_raw"]]
    assert [log_time for log_time, _ in found["/tf"]] == images[::3]


def start(*arguments, **environment):
    command = [sys.executable, "-m", "pose_regressor", "bag", *map(str, arguments)]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment}
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)


@pytest.mark.slow
def test_a_killed_run_is_taken_up_to_the_same_bytes(recorded, annotated, tmp_path):
    out = tmp_path / "out.mcap"
    journal = tmp_path / "out.mcap.journal"
    with start(recorded / "raw.mcap", out) as running:
        end = time.monotonic() + 150
        while not (journal.exists() and journal.stat().st_size > 3000):
            assert running.poll() is None
            assert time.monotonic() < end
            time.sleep(0.002)
        running.send_signal(signal.SIGKILL)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.mcap.journal", "out.mcap.partial"]
    with journal.open("ab") as file:
        file.write(b"\x10\0\0\0half a block")  # what a kill in the middle of writing leaves
    with start(recorded / "raw.mcap", out) as running:
        printed, errors = running.communicate(timeout=150)
    assert running.returncode == 0, errors
    assert "answers from an earlier run" in printed
    assert [path.name for path in tmp_path.iterdir()] == ["out.mcap"]
    assert out.read_bytes() == annotated.read_bytes()


def test_a_journal_of_something_else_is_not_believed(recorded, annotated, tmp_path, capsys):
    out = tmp_path / "out.mcap"
    (tmp_path / "out.mcap.journal").write_bytes(os.urandom(3000))
    assert main(["bag", str(recorded / "raw.mcap"), str(out)]) == 0
    assert "earlier run" not in capsys.readouterr().out
    assert out.read_bytes() == annotated.read_bytes()
