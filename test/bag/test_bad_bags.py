"""What cannot be done is one line with the file's name, and leaves everything as it was."""

import importlib.util
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mcap")

from pose_regressor.cli import main
from pose_regressor.middleware.wire import idl
from pose_regressor.middleware.wire.definitions import ros2msg

spec = importlib.util.spec_from_file_location("contents", Path(__file__).with_name("contents.py"))
contents = importlib.util.module_from_spec(spec)
spec.loader.exec_module(contents)

K = [50.0, 0.0, 4.0, 0.0, 50.0, 3.0, 0.0, 0.0, 1.0]


def image(encoding="rgb8"):
    return idl.Image(idl.Header(frame_id="camera"), 6, 8, encoding, 0, 24, np.zeros(144, np.uint8))


def info(k=K):
    return idl.CameraInfo(idl.Header(frame_id="camera"), 6, 8, "plumb_bob", [0.0] * 5, k)


def write(path, *pairs):
    """Topic and message, one after the other."""
    items = [
        (topic, message.ros_type, ros2msg(type(message)), {}, 1000 + number, message.serialize())
        for number, (topic, message) in enumerate(pairs)
    ]
    contents.write(path, items)


def fails(capsys, *arguments, **options):
    """The one line."""
    assert main(["bag", *map(str, arguments)], **options) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len([line for line in lines if "error" in line]) == 1
    return lines[-1]


BAGS = {
    "no images": ([("/camera/camera_info", info())], "expected images"),
    "no camera info": ([("/camera/image_raw", image())], "no camera info for /camera/image_raw"),
    "uncalibrated": (
        [("/camera/camera_info", info([0.0] * 9)), ("/camera/image_raw", image())],
        "/camera/camera_info: camera info: expected a calibrated camera matrix K",
    ),
    "depth": (
        [("/camera/camera_info", info()), ("/camera/image_raw", image("16UC1"))],
        "expected colour or grey images, there are none (/camera/image_raw: depth images (16UC1)",
    ),
    "two images of one camera": (
        [("/camera/camera_info", info()), ("/camera/image_raw", image()), ("/camera/image_rect", image())],
        "which images? Name them with --image; there are: /camera/image_raw, /camera/image_rect",
    ),
    "done before": (
        [
            ("/camera/camera_info", info()),
            ("/camera/image_raw", image()),
            ("/pose_regressor/detections", idl.Detection3DArray()),
        ],
        "has /pose_regressor/detections already",
    ),
    "another /tf": (
        [("/camera/camera_info", info()), ("/camera/image_raw", image()), ("/tf", idl.Image())],
        "expected tf2_msgs/msg/TFMessage on /tf",
    ),
}


@pytest.mark.parametrize("name", BAGS)
def test_bags_that_cannot_be_used(name, tmp_path, capsys):
    pairs, expected = BAGS[name]
    write(tmp_path / "in.mcap", *pairs)
    line = fails(capsys, tmp_path / "in.mcap", tmp_path / "out.mcap")
    assert f"{tmp_path / 'in.mcap'}: " in line
    assert expected in line
    assert not (tmp_path / "out.mcap").exists()
    assert not (tmp_path / "out.mcap.partial").exists()


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda data: data[: len(data) // 2], "the file is cut off"),
        (lambda data: b"", "expected a bag of ROS 2 (MCAP or SQLite), got a file that begins with nothing"),
        (lambda data: b"#ROSBAG V2.0\n" + data[13:], "expected a bag of ROS 2 (MCAP or SQLite), got a bag of ROS 1"),
        (lambda data: data[:50] + b"\xff" * 60 + data[110:], "damaged"),
        (lambda data: data[:50_000] + b"\0" * 10 + data[50_010:], "damaged"),
    ],
    ids=["cut", "empty", "ROS 1", "record", "pixels"],
)
def test_damaged_files(recorded, tmp_path, capsys, damage, expected):
    path = tmp_path / "in.mcap"
    path.write_bytes(damage((recorded / "raw.mcap").read_bytes()))
    line = fails(capsys, path, tmp_path / "out.mcap")
    assert f"{path}: " in line
    assert expected in line
    assert not (tmp_path / "out.mcap").exists()


def test_what_is_there_is_not_overwritten(recorded, tmp_path, capsys):
    path = tmp_path / "in.mcap"
    shutil.copy(recorded / "raw.mcap", path)
    before = path.read_bytes()
    (tmp_path / "link.mcap").symlink_to(path)
    (tmp_path / "other.mcap").write_bytes(b"mine")
    for target in ("in.mcap", "link.mcap"):
        assert "is the bag that is read" in fails(capsys, path, tmp_path / target, "--overwrite")
    assert "exists already" in fails(capsys, path, tmp_path / "other.mcap")
    assert "this is a folder" in fails(capsys, path, tmp_path)
    assert path.read_bytes() == before
    assert (tmp_path / "other.mcap").read_bytes() == b"mine"
    assert main(["bag", str(path), str(tmp_path / "other.mcap"), "--overwrite"]) == 0
    assert len(contents.messages(tmp_path / "other.mcap")) == 48


def test_a_full_disk(recorded, tmp_path):
    """What is worked out so far stays, and is taken up when there is room."""
    out = tmp_path / "out.mcap"
    command = [sys.executable, "-m", "pose_regressor", "bag", str(recorded / "raw.mcap"), str(out)]
    limit = (recorded / "raw.mcap").stat().st_size * 2 // 3

    def small():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, preexec_fn=small, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == f"pose-regressor: error: {out}: cannot be written (File too large)"
    assert [path.name for path in tmp_path.iterdir()] == ["out.mcap.journal"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert "answers from an earlier run" in done.stdout


def test_too_little_room_is_said_before_the_work(recorded, tmp_path, capsys, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    line = fails(capsys, recorded / "raw.mcap", tmp_path / "out.mcap")
    assert "GB free on its disk" in line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "expected a bag's folder with a metadata.yaml"),
        ("a: 1", "expected 'rosbag2_bagfile_information'"),
        ("rosbag2_bagfile_information: {storage_identifier: mcap}", "'relative_file_paths'"),
        (
            "rosbag2_bagfile_information: {storage_identifier: mcap, relative_file_paths: [gone.mcap]}",
            "gone.mcap: no such file",
        ),
    ],
)
def test_folders_that_are_no_bag(tmp_path, capsys, text, expected):
    if text:
        (tmp_path / "metadata.yaml").write_text(text)
    assert expected in fails(capsys, tmp_path, tmp_path / "out.mcap")


def test_topics_by_name(tmp_path, capsys):
    path = tmp_path / "in.mcap"
    write(path, ("/a/camera_info", info()), ("/a/image", image()), ("/b/image", image()), ("/odd", info()))
    assert "/c/image is not in the bag" in fails(capsys, path, tmp_path / "out.mcap", "--image", "/c/image")
    assert "is sensor_msgs/msg/CameraInfo" in fails(capsys, path, tmp_path / "out.mcap", "--image", "/odd")
    line = fails(capsys, path, tmp_path / "out.mcap", "--image", "/b/image")
    assert "no camera info for /b/image, expected /b/camera_info or /b/image/camera_info" in line
    assert "(there are: /a/camera_info, /odd; name one with --camera-info" in line
    # An empty image shows nothing, and that is no error: exit code 1.
    for arguments in ([], ["--image", "b/image", "--camera-info", "/odd"]):
        assert main(["bag", str(path), str(tmp_path / "out.mcap"), "--overwrite", *arguments]) == 1
