"""`pose-regressor doctor` on depth, each set-up wrong in one way."""

import pytest

K = (60.0, 0, 3.5, 0, 60, 2.5, 0, 0, 1)
ASKED = ("--depth-topic", "depth")
UNALIGNED = ("--depth-topic", "infrared/depth", "--depth-info-topic", "infrared/camera_info")


@pytest.fixture
def robot(set_up):
    """A camera without depth."""
    set_up.camera()
    set_up.info()
    return set_up


def levels(findings):
    return {check: level for check, (level, _) in findings.items() if check.startswith("depth")}


def static(wire, *edges):
    still = wire.Transform(wire.Triple(0, 0, 0), wire.Quaternion(0, 0, 0, 1))
    return wire.TFMessage([wire.TransformStamped(wire.Header(wire.Time(0, 0), a), b, still) for a, b in edges])


def test_no_depth_is_asked_for(robot, diagnose):
    assert diagnose()["depth"] == ("OK", "off ")
    robot.depth(topic="camera/depth/image_rect_raw")
    assert diagnose()["depth"] == (
        "OK",
        "off; by their names these are depth (--depth-topic): /camera/depth/image_rect_raw ",
    )


def test_aligned_depth(robot, diagnose):
    robot.depth()
    findings = diagnose(*ASKED)
    assert levels(findings) == {"depth": "OK", "depth alignment": "OK", "depth clock": "OK"}
    assert findings["depth"][1].startswith("/depth: ")
    assert "Hz, 32FC1, 100 % of the pixels measured, median 1.50 m" in findings["depth"][1]
    assert "has the frame and the camera matrix of the images (/camera_info)" in findings["depth alignment"][1]
    assert findings["depth clock"][1].startswith("100 % of the images have depth within 0.02 s")


def test_depth_of_another_camera(robot, diagnose, wire):
    robot.depth(topic="infrared/depth", frame_id="infrared", size=(16, 12))
    robot.info(K, "infrared", (16, 12), topic="infrared/camera_info")
    robot.static.write(static(wire, ("camera", "optical"), ("camera", "infrared")))
    findings = diagnose(*UNALIGNED)
    assert levels(findings) == dict.fromkeys(("depth", "depth camera info", "depth frames", "depth clock"), "OK")
    assert findings["depth frames"][1].startswith("infrared is connected to optical")
    assert "16x12, fx 60.0, fy 60.0" in findings["depth camera info"][1]


def error(findings, check):
    level, text = findings[check]
    assert level == "ERROR"
    return text


def test_depth_that_only_looks_aligned(robot, diagnose):
    robot.depth(topic="infrared/depth", frame_id="infrared")
    text = error(diagnose("--depth-topic", "infrared/depth"), "depth alignment")
    assert "depth is in the frame 'infrared', the images are in 'optical'" in text
    assert "give its camera info: --depth-info-topic TOPIC; if it is aligned, set frame_id" in text
    robot.info(K, "infrared", topic="infrared/camera_info")
    text = error(diagnose("--depth-topic", "infrared/depth", "--set", "frame_id=optical"), "depth alignment")
    assert "/infrared/camera_info, is another camera's than the images': fx 60.0, that of the images 50.0" in text


def test_frames_that_tf_does_not_connect(robot, diagnose, wire):
    robot.depth(topic="infrared/depth", frame_id="infrared")
    robot.info(K, "infrared", topic="infrared/camera_info")
    robot.static.write(static(wire, ("camera", "optical"), ("body", "infrared")))
    assert "infrared, the frame of depth, is not connected to optical" in error(diagnose(*UNALIGNED), "depth frames")


@pytest.mark.parametrize(
    ("depth", "expected"),
    [
        ({"size": (16, 12)}, "depth: size differs from the image, got 16x12, expected 8x6"),
        ({"metres": 800.0}, "expected metres, the unit is wrong, got a median of 800"),
        ({"encoding": "rgb8"}, "depth: unknown encoding, got 'rgb8'"),
        ({"topic": "depths"}, "nobody publishes /depth did you mean /depths?"),
    ],
)
def test_depth_that_the_node_cannot_use(robot, diagnose, depth, expected):
    robot.depth(**depth)
    assert expected in error(diagnose(*ASKED), "depth")


def test_depth_that_measures_nothing(robot, diagnose):
    robot.depth(metres=0.0)
    level, text = diagnose(*ASKED)["depth"]
    assert (level, "nothing is measured" in text) == ("WARN", True)


def test_another_type(robot, diagnose, wire):
    writer = robot.peer.writer("rt/depth", wire.CompressedImage)
    assert "has the type sensor_msgs/msg/CompressedImage" in error(diagnose(*ASKED), "depth")
    assert writer


def test_depth_camera_info_that_is_missing_or_not_calibrated(robot, diagnose):
    robot.depth(topic="infrared/depth", frame_id="infrared")
    assert "nobody publishes /infrared/camera_info" in error(diagnose(*UNALIGNED), "depth camera info")
    robot.info((0.0,) * 9, "infrared", topic="infrared/camera_info")
    assert "expected a calibrated camera matrix K" in error(diagnose(*UNALIGNED), "depth camera info")


def test_another_clock(robot, diagnose):
    robot.depth(stamp=lambda: (12, 0))
    assert "s from the images let both be stamped by the same clock" in error(diagnose(*ASKED), "depth clock")


def test_depth_for_few_of_the_images(robot, diagnose):
    robot.depth()
    level, text = diagnose(*ASKED, "--set", "depth_tolerance=0.0")["depth clock"]
    assert (level, "raise depth_tolerance" in text) == ("WARN", True)
