"""Bags with more than one camera's images: depth is left out, and one useless stream never costs the others."""

import importlib.util
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mcap")

from pose_regressor.bag.reading import Bag, Topic
from pose_regressor.bag.topics import CAMERA_INFO, COMPRESSED, IMAGE, find_cameras
from pose_regressor.cli import main
from pose_regressor.middleware.wire import idl
from pose_regressor.middleware.wire.definitions import ros2msg
from pose_regressor.types import InputError

spec = importlib.util.spec_from_file_location("contents", Path(__file__).with_name("contents.py"))
contents = importlib.util.module_from_spec(spec)
spec.loader.exec_module(contents)

HEADER = idl.Header(frame_id="optical")
K = [50.0, 0.0, 4.0, 0.0, 50.0, 3.0, 0.0, 0.0, 1.0]
INFO = idl.CameraInfo(HEADER, 6, 8, "plumb_bob", [0.0] * 5, K)


def depth(encoding="16UC1"):
    step = 16 if encoding == "16UC1" else 32
    return idl.Image(HEADER, 6, 8, encoding, 0, step, np.zeros(6 * step, np.uint8))


def beside(recorded, path, *others):
    """The recorded camera in /camera/color, with other messages around each of its images. others: topic, message."""
    items = []
    for topic, _, _, schema, log_time, *_, data in contents.messages(recorded / "raw.mcap"):
        name = topic.replace("/camera/", "/camera/color/")
        items += [
            (other, message.ros_type, ros2msg(type(message)), {}, log_time, message.serialize())
            for other, message in others
        ]
        items.append((name, schema[0], schema[2].decode(), {}, log_time, data))
    contents.write(path, items)
    return path


def added(path):
    return Counter(topic for topic, *_ in contents.messages(path) if "detections" in topic or topic == "/tf")


OTHERS = {
    "depth": [
        ("/camera/depth/camera_info", INFO),
        ("/camera/depth/image_rect_raw", depth()),
    ],
    "depth in metres, and aligned": [
        ("/camera/depth/camera_info", INFO),
        ("/camera/depth/image_raw", depth("32FC1")),
        ("/camera/aligned_depth_to_color/camera_info", INFO),
        ("/camera/aligned_depth_to_color/image_raw", depth()),
    ],
    "compressed depth": [
        ("/camera/depth/camera_info", INFO),
        (
            "/camera/depth/image_raw/compressedDepth",
            idl.CompressedImage(HEADER, "16UC1; compressedDepth png", b"\x89PNG"),
        ),
        ("/camera/depth/image_raw/compressed", idl.CompressedImage(HEADER, "16UC1; png compressed ", b"\x89PNG")),
    ],
}


@pytest.mark.parametrize("name", OTHERS)
def test_depth_is_left_out_and_said(recorded, tmp_path, capsys, name):
    path = beside(recorded, tmp_path / "in.mcap", *OTHERS[name])
    assert main(["bag", str(path), str(tmp_path / "out.mcap")]) == 0
    said = capsys.readouterr().err
    images = [topic for topic, message in OTHERS[name] if not topic.endswith("camera_info")]
    for topic in images:
        assert f"warning: {topic} is left out: depth images (" in said
    assert said.count("is left out") == len(images)
    # The only camera, so its answers have no namespace.
    assert added(tmp_path / "out.mcap") == {"/pose_regressor/detections": 12, "/tf": 12}


def test_depth_that_is_asked_for_by_name_is_an_error(recorded, tmp_path, capsys):
    path = beside(recorded, tmp_path / "in.mcap", *OTHERS["depth"])
    arguments = ["bag", str(path), str(tmp_path / "out.mcap"), "--image", "/camera/depth/image_rect_raw"]
    assert main(arguments) == 2
    assert "none of 24 images can be used" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        (
            [("/infra/camera_info", idl.CameraInfo(HEADER, 6, 8)), ("/infra/image_raw", depth("mono8"))],
            "/infra/image_raw is left out: /infra/camera_info: camera info: expected",
        ),
        (
            [("/infra/camera_info", INFO), ("/infra/image_raw", depth("odd"))],
            "/infra/image_raw: none of 24 images can be used (image: unknown encoding",
        ),
    ],
    ids=["uncalibrated", "of an unknown encoding"],
)
def test_a_useless_stream_does_not_cost_the_others(recorded, tmp_path, capsys, others, expected):
    path = beside(recorded, tmp_path / "in.mcap", *others)
    assert main(["bag", str(path), str(tmp_path / "out.mcap")]) == 0
    assert f"warning: {expected}" in capsys.readouterr().err
    assert added(tmp_path / "out.mcap")["/tf"] == 12


def cameras(*topics, **options):
    """(image, camera info) of each camera that is found among topics; their types follow from their names."""
    kinds = {"info": CAMERA_INFO, "pressed": COMPRESSED}
    counts = {
        Topic(name, next((kinds[end] for end in kinds if name.endswith(end)), IMAGE), "cdr"): 1 for name in topics
    }
    bag = Bag(Path("bag"), [], counts=Counter(counts))
    bag.first_messages = lambda names: {}
    found, _ = find_cameras(bag, **options)
    return [(camera.image, camera.info) for camera in found]


ZED = "/zed/rgb/image_rect_color"


@pytest.mark.parametrize(
    ("image", "info"),
    [
        ("/camera/image_raw", "/camera/camera_info"),
        (ZED, f"{ZED}/camera_info"),
        (f"{ZED}/compressed", f"{ZED}/camera_info"),
        (f"{ZED}/compressed", "/zed/rgb/camera_info"),
        ("/camera/image_raw/compressed", "/camera/camera_info"),
        ("/camera/compressed", "/camera/camera_info"),
        ("/image", "/camera_info"),
        ("/image", "/image/camera_info"),
        ("/compressed", "/camera_info"),
    ],
)
def test_the_camera_info_beside_the_image(image, info):
    """Of two images, so that a camera info does not count because it is the only one."""
    second = [name.replace("/", "/two/", 1) for name in (image, info)]
    assert cameras(image, info, *second) == [(image, info), tuple(second)]


def test_the_nearest_camera_info_counts():
    assert cameras(ZED, f"{ZED}/camera_info", "/zed/rgb/camera_info") == [(ZED, f"{ZED}/camera_info")]


def test_the_camera_info_of_depth_is_not_taken_for_colour(recorded, tmp_path):
    """Its intrinsics differ, and the poses would be wrong without a word."""
    counts = {Topic("/color/image", IMAGE, "cdr"): 1, Topic("/depth/image", IMAGE, "cdr"): 1}
    bag = Bag(Path("bag"), [], counts=Counter(counts | {Topic("/depth/camera_info", CAMERA_INFO, "cdr"): 1}))
    bag.first_messages = lambda names: {"/depth/image": depth().serialize()}
    with pytest.raises(InputError, match="no camera info for /color/image, expected /color/camera_info or"):
        find_cameras(bag)
