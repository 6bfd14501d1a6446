"""What the node makes of good and bad images and camera infos."""

import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from pose_regressor.types import InputError


def test_no_camera_info_yet(node, image, info, log):
    core = node()
    core.send(image())
    core.send(image())
    assert core.published == []
    assert core.counts.dropped == {"no camera info yet": 2}
    assert len(log.of("warning")) == 1
    core.on_camera_info(info())
    core.send(image())
    assert len(core.published) == 1


def test_the_newest_camera_info_counts(node, image, info):
    core = node()
    core.on_camera_info(info())
    core.on_camera_info(info(k=[200.0, 0, 1, 0, 200, 1, 0, 0, 1]))
    core.send(image())
    assert core.published[-1][0].camera.matrix[0, 0] == 200
    core.on_camera_info(info(k=[200.0, 0, 1, 0, 200, 1, 0, 0, 1]))
    core.send(image())
    assert core.published[-1][0].camera is core.published[-2][0].camera, "the same info again is the same camera"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"k": [0.0] * 9}, "camera info: expected a calibrated camera matrix K of 9 numbers"),
        ({"k": [float("nan")] * 9}, "camera info: expected a calibrated camera matrix K of 9 numbers"),
        ({"distortion_model": "omni"}, "camera info: camera: unknown distortion model"),
        ({"width": 640, "height": 480}, "image: size differs from its camera info"),
    ],
)
def test_a_bad_camera_info_drops_frames_and_a_good_one_mends_it(node, image, info, changes, reason):
    core = node()
    core.on_camera_info(info())
    core.on_camera_info(info(**changes))
    core.send(image())
    assert core.published == []
    assert core.counts.dropped == {reason: 1}
    core.on_camera_info(info())
    core.send(image())
    assert len(core.published) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"width": 0, "height": 0, "step": 0, "data": b""}, "at least one pixel"),
        ({"encoding": "jpeg"}, "'jpeg' is not known"),
        ({"data": b"\1" * 5}, "expected 24 bytes of data"),
        ({"step": 3}, "step of at least 12"),
    ],
)
def test_bad_images_are_dropped_with_the_reason_and_the_node_lives(node, image, info, log, changes, words):
    core = node()
    core.on_camera_info(info())
    core.send(image(**changes))
    core.send(image(**changes))
    (warning,) = log.of("warning")
    assert words in warning
    assert core.counts.dropped.total() == 2
    core.send(image())
    assert len(core.published) == 1


def test_camera_file_in_place_of_the_topic(node, image, info, tmp_path):
    path = tmp_path / "camera.json"
    path.write_text(json.dumps({"width": 4, "height": 2, "fx": 50, "fy": 60, "cx": 1, "cy": 0.5, "depth_scale": 1}))
    core = node(camera_file=str(path))
    assert not core.wants_camera_info
    core.on_camera_info(info(k=[0.0] * 9))
    core.send(image())
    np.testing.assert_array_equal(core.published[0][0].camera.matrix, [[50, 0, 1], [0, 60, 0.5], [0, 0, 1]])


def test_a_missing_camera_file_refuses_to_start(node, tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.yaml: no such file"):
        node(camera_file=str(tmp_path / "nowhere.yaml"))


def test_frame_id_parameter(node, image, info):
    core = node(frame_id="head_camera")
    core.on_camera_info(info())
    core.send(image())
    assert core.published[0][0].frame_id == "head_camera"


def compressed(brightness, stamp=12, extension=".png"):
    header = SimpleNamespace(stamp=SimpleNamespace(sec=stamp, nanosec=0), frame_id="optical")
    data = cv2.imencode(extension, np.full((2, 4, 3), brightness, np.uint8))[1].tobytes()
    return SimpleNamespace(header=header, format="bgr8; png compressed bgr8", data=data)


def test_compressed_images(node, info):
    core = node(image_transport="compressed")
    core.send(compressed(10))
    assert core.counts.dropped == {"no camera info yet": 1}
    core.on_camera_info(info())
    core.send(compressed(15, stamp=13))
    ((frame, estimates),) = core.published
    assert (frame.stamp, frame.frame_id) == (13_000_000_000, "optical")
    assert estimates[0].translation[2] == 1.5


def test_of_compressed_images_each_is_counted_once(node, info, until):
    """Two threads work one behind the other, and either may be left behind."""
    core = node(image_transport="compressed")
    core.on_camera_info(info())
    images = [compressed(10), SimpleNamespace(**{**vars(compressed(10)), "data": b"rubbish"})]
    for number in range(300):
        core.on_image(images[number % 3 == 0])

    def dealt_with():
        counts = core.counts
        return counts.processed + counts.dropped.total() == 300

    until(dealt_with, "all images to be dealt with")
    counts = core.counts
    assert counts.received == 300
    assert counts.processed == len(core.published) > 0
    assert set(counts.dropped) <= {"superseded by a newer one", "image: expected JPEG or PNG"}
