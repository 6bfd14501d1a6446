"""A recording with depth: found by itself, aligned or not, before or behind its images, and said."""

import importlib.util
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mcap")

from pose_regressor.assets import demo_folder
from pose_regressor.bag.record import record
from pose_regressor.cli import main
from pose_regressor.files.cameras import load_camera
from pose_regressor.middleware.messages.images import camera_info_message, image_stamp
from pose_regressor.middleware.wire import idl
from pose_regressor.middleware.wire.definitions import ros2msg
from pose_regressor.sources import Source, open_source

spec = importlib.util.spec_from_file_location("contents", Path(__file__).with_name("contents.py"))
contents = importlib.util.module_from_spec(spec)
spec.loader.exec_module(contents)

FRAMES, START = 6, 1_700_000_000_000_000_000
DEPTH, IMAGE = "/camera/aligned_depth/image_raw", "/camera/image_raw"
DETECTIONS = "/pose_regressor/detections"


class Clip(Source):
    """The beginning of the demo clip, with its depth."""

    name, fps = "clip", 30.0

    def __iter__(self):
        demo = demo_folder()
        source = open_source(demo / "box.mp4", load_camera(demo / "camera.json"), str(demo / "depth"))
        return islice(iter(source), FRAMES)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    path = tmp_path_factory.mktemp("depth") / "in.mcap"
    record(Clip(), path, start=START)
    return path


def rewritten(source, target, change):
    """A copy of a bag. change: from (topic, log time, data) to a list of (topic, log time, type, data)."""
    items = []
    for topic, _, _, schema, log_time, *_, data in contents.messages(source):
        kept = [(topic, log_time, schema[0], data)]
        changed = change(topic, log_time, data)
        items += kept if changed is None else changed
    items.sort(key=lambda item: item[1])
    types = {kind.ros_type: kind for kind in (idl.Image, idl.CameraInfo, idl.TFMessage)}
    contents.write(target, [(t, kind, ros2msg(types[kind]), {}, time, data) for t, time, kind, data in items])
    return target


def run(source, target, *more):
    return main(["bag", str(source), str(target), "--overwrite", *more])


def answers(path):
    """The detections, by the stamp of their image: bytes."""
    found = [data for topic, *_, data in contents.messages(path) if topic == DETECTIONS]
    return {image_stamp(idl.Detection3DArray.deserialize(data)): bytes(data) for data in found}


def along_the_ray(path):
    """(N,) standard deviations along z, metres."""
    found = [idl.Detection3DArray.deserialize(data) for data in answers(path).values()]
    return [np.sqrt(message.detections[0].results[0].pose.covariance[14]) for message in found]


@pytest.fixture(scope="module")
def aligned(recorded, tmp_path_factory):
    out = tmp_path_factory.mktemp("aligned") / "out.mcap"
    assert run(recorded, out) == 0
    return out


def test_aligned_depth_is_used_and_said(recorded, aligned, tmp_path, capsys):
    assert run(recorded, tmp_path / "out.mcap") == 0
    said = capsys.readouterr()
    assert f"depth of {IMAGE}: {DEPTH}, aligned to the images" in said.err
    assert f"depth for {FRAMES} and in the poses of {FRAMES}; " in said.out
    assert "left out" not in said.err and "without depth" not in said.err
    assert answers(tmp_path / "out.mcap") == answers(aligned)


def test_without_depth_poses_are_those_of_the_images(recorded, aligned, tmp_path, capsys):
    assert run(recorded, tmp_path / "off.mcap", "--depth", "off") == 0
    said = capsys.readouterr()
    assert "aligned to" not in said.err and "depth for" not in said.out
    without = rewritten(recorded, tmp_path / "colour.mcap", lambda topic, *_: [] if topic == DEPTH else None)
    assert run(without, tmp_path / "out.mcap") == 0
    assert answers(tmp_path / "off.mcap") == answers(tmp_path / "out.mcap") != answers(aligned)


def test_depth_recorded_after_its_images(recorded, aligned, tmp_path, capsys):
    """A tenth of a second, three images: the same answers, each right behind its image."""

    def late(topic, log_time, data):
        return [(topic, log_time + 100_000_000, "sensor_msgs/msg/Image", data)] if topic == DEPTH else None

    path = rewritten(recorded, tmp_path / "late.mcap", late)
    assert run(path, tmp_path / "out.mcap") == 0
    assert f"depth for {FRAMES} " in capsys.readouterr().out
    assert answers(tmp_path / "out.mcap") == answers(aligned)
    order = [(topic, time) for topic, *_, time, _, _, _ in contents.messages(tmp_path / "out.mcap")]
    for place, (topic, time) in enumerate(order):
        if topic == IMAGE:
            assert [item for item in order[place + 1 : place + 3] if item[0] == DETECTIONS] == [(DETECTIONS, time)]


def of_another_camera(recorded, target, with_transform=True):
    """The same depth, as that of a camera in the same place that is called infrared."""
    camera = load_camera(demo_folder() / "camera.json")
    still = idl.Transform(rotation=idl.Quaternion(0.0, 0.0, 0.0, 1.0))
    placed = idl.TransformStamped(idl.Header(frame_id="camera_optical_frame"), "infrared", still)

    def change(topic, log_time, data):
        if topic != DEPTH:
            return None
        message = idl.Image.deserialize(data)
        message.header.frame_id = "infrared"
        stamp = image_stamp(message)
        info = camera_info_message(idl, camera, stamp, "infrared").serialize()
        tf = idl.TFMessage([placed]).serialize()
        found = [
            ("/camera/depth/camera_info", log_time, "sensor_msgs/msg/CameraInfo", info),
            ("/camera/depth/image_rect_raw", log_time, "sensor_msgs/msg/Image", message.serialize()),
        ]
        return [("/tf_static", log_time, "tf2_msgs/msg/TFMessage", tf), *found] if with_transform else found

    return rewritten(recorded, target, change)


def test_depth_of_another_camera_is_registered(recorded, aligned, tmp_path, capsys):
    path = of_another_camera(recorded, tmp_path / "in.mcap")
    assert run(path, tmp_path / "out.mcap") == 0
    said = capsys.readouterr()
    depth = "/camera/depth/image_rect_raw"
    assert f"depth of {IMAGE}: {depth}, registered by /camera/depth/camera_info and TF" in said.err
    assert f"depth for {FRAMES} and in the poses of {FRAMES}; " in said.out
    # The camera is in the same place, so that it is as good as aligned depth.
    np.testing.assert_allclose(along_the_ray(tmp_path / "out.mcap"), along_the_ray(aligned), rtol=0.5)
    asked = ["--depth-topic", depth, "--depth-info-topic", "/camera/depth/camera_info"]
    assert run(path, tmp_path / "asked.mcap", *asked) == 0
    assert answers(tmp_path / "asked.mcap") == answers(tmp_path / "out.mcap")


def test_depth_whose_place_nobody_tells_is_left_out(recorded, tmp_path, capsys):
    path = of_another_camera(recorded, tmp_path / "in.mcap", with_transform=False)
    assert run(path, tmp_path / "out.mcap") == 0
    said = capsys.readouterr()
    assert "warning: /camera/depth/image_rect_raw is left out: depth images (16UC1) that are not aligned" in said.err
    assert "depth for" not in said.out
    # Asked for by name it is taken, but TF does not know it: images are answered by their colours, and counted.
    assert run(path, tmp_path / "out.mcap", "--depth-topic", "/camera/depth/image_rect_raw") == 0
    said = capsys.readouterr()
    assert f"warning: images that were without depth: {FRAMES} depth: TF: a frame is not known" in said.err


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--depth", "depths/"], "--depth: expected auto or off, got 'depths/'; name a topic with --depth-topic"),
        (["--depth-topic", "/nowhere"], "/nowhere is not in the bag; expected a topic of sensor_msgs/msg/Image"),
        (["--depth-topic", DEPTH, "--depth-topic", DEPTH], "expected one topic of depth for each of 1 images"),
    ],
)
def test_options_that_cannot_be(recorded, tmp_path, capsys, more, words):
    assert run(recorded, tmp_path / "out.mcap", *more) == 2
    assert words in capsys.readouterr().err


def test_depth_that_cannot_be_read_is_counted_and_costs_no_image(recorded, tmp_path, capsys):
    def broken(topic, log_time, data):
        if topic != DEPTH:
            return None
        message = idl.Image.deserialize(data)
        message.encoding = "8UC1" if log_time > START else message.encoding
        return [(topic, log_time, "sensor_msgs/msg/Image", message.serialize())]

    path = rewritten(recorded, tmp_path / "in.mcap", broken)
    assert run(path, tmp_path / "out.mcap") == 0
    said = capsys.readouterr()
    assert f"images that were without depth: {FRAMES - 1} depth: unknown encoding" in said.err
    assert f"{FRAMES} images, a pose in {FRAMES} (100.0 %), depth for 1 " in said.out
