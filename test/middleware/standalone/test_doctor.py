"""`pose-regressor doctor` against real participants, each set-up wrong in one way."""

import json
import threading
import time

import pytest

from pose_regressor.cli import main
from pose_regressor.middleware.wire import idl

K = (50.0, 0, 3.5, 0, 50, 2.5, 0, 0, 1)


def now():
    return divmod(time.time_ns(), 1_000_000_000)


def transforms(wire, *edges):
    """One message of (parent, child), as static ones come."""
    still = wire.Transform(wire.Triple(0, 0, 0), wire.Quaternion(0, 0, 0, 1))
    return wire.TFMessage([wire.TransformStamped(wire.Header(wire.Time(0, 0), a), b, still) for a, b in edges])


def test_a_good_set_up(set_up, diagnose, wire):
    set_up.camera()
    set_up.info()
    set_up.static.write(transforms(wire, ("base_link", "optical")))
    findings = diagnose("--fixed-frame", "base_link")
    assert {check: level for check, (level, _) in findings.items() if level != "OK"} == {}
    assert findings["frames"][1].startswith("optical is connected to base_link")
    assert "fx 50.0, fy 50.0, plumb_bob" in findings["camera info"][1]
    assert " Hz" in findings["images"][1]


def test_nobody_there(domain, capsys, kind):
    assert main(["doctor", "--middleware", kind, "--json", "--seconds", "0.5"]) == 1
    [found] = [f for f in json.loads(capsys.readouterr().out) if f["level"] == "ERROR"]
    assert found["text"] == f"nobody else in domain {domain} within 0.5 s"
    assert f"ROS_DOMAIN_ID is {domain} here" in found["advice"]
    expected = {"dds": "discovery is kept to this machine", "zenoh": "connected to the same router"}
    assert expected[kind] in found["advice"]


def error(findings, check):
    level, text = findings[check]
    assert level == "ERROR"
    return text


def test_another_topic(set_up, diagnose):
    set_up.camera("camera/image_raw")
    set_up.info()
    assert "did you mean /camera/image_raw?" in error(diagnose("--image-topic", "/camera/image"), "images")


def test_no_camera(set_up, diagnose):
    findings = diagnose()
    assert "no topic of sensor_msgs/msg/Image or" in error(findings, "images")
    assert "nobody publishes /camera_info" in error(findings, "camera info")


def test_a_publisher_that_says_nothing(set_up, diagnose, wire):
    silent = set_up.peer.writer("rt/image", wire.Image)
    assert "no image came within 1 s" in error(diagnose(), "images")
    assert silent


def test_another_type(set_up, diagnose, wire):
    writer = set_up.peer.writer("rt/image", wire.CompressedImage)
    assert "has the type sensor_msgs/msg/CompressedImage" in error(diagnose(), "images")
    assert writer


@pytest.mark.parametrize("kind", ["dds"], indirect=True)
def test_quality_of_service_that_never_matches(set_up, diagnose, wire):
    set_up.camera(qos=wire.SENSOR_QOS)
    set_up.info()
    assert diagnose()["images"][0] == "OK"
    findings = diagnose("--set", "image_reliability=reliable")
    assert "published best effort, but the node asks for reliable" in error(findings, "images")


def test_cameras_that_are_not_calibrated(set_up, diagnose):
    set_up.camera()
    set_up.info(k=(0.0,) * 9)
    assert "expected a calibrated camera matrix K" in error(diagnose(), "camera info")


def test_calibrated_for_another_size(set_up, diagnose):
    set_up.camera()
    set_up.info(size=(16, 12))
    assert "images of 8x6, but their camera info is for 16x12" in error(diagnose(), "images")


def test_unknown_encodings(set_up, diagnose):
    set_up.camera(encoding="h264")
    set_up.info()
    assert "encoding 'h264' is not known" in error(diagnose(), "images")


def test_rectified_images(set_up, diagnose):
    """Their camera info is the raw image's; the parameter says which of its matrices they are seen through."""
    set_up.camera(topic="image_rect")
    set_up.info(d=[-0.3, 0.1, 0.0, 0.0, 0.0], p=(40.0, 0, 3.5, 0, 0, 40, 2.5, 0, 0, 0, 1, 0))
    level, text = diagnose("--image-topic", "image_rect")["rectification"]
    assert level == "WARN" and "set rectified to true" in text
    findings = diagnose("--image-topic", "image_rect", "--set", "rectified=true")
    assert "rectification" not in findings and "fx 40.0, fy 40.0" in findings["camera info"][1]


def test_info_of_another_frame(set_up, diagnose):
    set_up.camera(frame_id="left")
    set_up.info(frame_id="right")
    level, text = diagnose()["camera info"]
    assert level == "WARN"
    assert "in the frame 'right', the images are in 'left'" in text


def test_frames(set_up, diagnose, wire):
    set_up.camera()
    set_up.info()
    level, text = diagnose()["frames"]
    assert (level, "is not on TF" in text) == ("WARN", True)
    edges = [("camera_link", "optical"), ("map", "base_link")]
    set_up.static.write(transforms(wire, *edges))
    text = error(diagnose("--fixed-frame", "map"), "frames")
    assert text.startswith("map is not connected to optical; optical hangs below camera_link")
    assert error(diagnose("--fixed-frame", "odom"), "frames").startswith("odom is not on TF")
    edges += [("tripod", "camera_link"), ("base_link", "camera_link")]
    set_up.static.write(transforms(wire, *edges))
    text = error(diagnose("--fixed-frame", "map"), "frames")
    assert text.startswith("camera_link has several parents: base_link, tripod")


def test_images_without_a_frame(set_up, diagnose):
    set_up.camera(frame_id="")
    set_up.info(frame_id="")
    assert "have no frame_id" in error(diagnose(), "frames")
    assert diagnose("--set", "frame_id=optical")["frames"][0] == "WARN"


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        (lambda: (int(time.time()) - 60, 0), "behind this machine's clock"),
        (lambda: (int(time.time()) + 60, 0), "ahead of this machine's clock"),
        (lambda: (12, 0), "since it was switched on"),
    ],
)
def test_clocks(set_up, diagnose, stamp, expected):
    set_up.camera(stamp=stamp)
    set_up.info()
    level, text = diagnose()["clock"]
    assert level == "WARN"
    assert expected in text


def test_simulated_time(set_up, diagnose, wire):
    set_up.camera(stamp=lambda: (12, 0))
    set_up.info()
    clock = set_up.peer.writer("rt/clock", wire.TFMessage)
    assert "set use_sim_time" in diagnose()["clock"][1]
    assert clock


def test_static_transforms_that_latecomers_miss(set_up, diagnose, wire):
    volatile = set_up.peer.writer("rt/tf_static", wire.TFMessage)
    level, text = diagnose()["static transforms"]
    assert (level, "is volatile" in text) == ("WARN", True)
    assert volatile


@pytest.mark.parametrize("kind", ["dds"], indirect=True)
def test_two_nodes_of_one_participant(set_up, diagnose, wire):
    peer = set_up.peer
    writer = peer.writer("ros_discovery_info", wire.ParticipantEntities, wire.DISCOVERY_QOS)
    nodes = [wire.NodeEntities("/arm", "camera", [], []), wire.NodeEntities("/arm", "camera", [], [])]
    writer.write(wire.ParticipantEntities(wire.Gid(list(peer.dds.guid.bytes)), nodes))
    level, text = diagnose()["node names"]
    assert (level, "several nodes are called /arm/camera" in text) == ("WARN", True)


TWIN = """
import importlib, sys, time
from pose_regressor.middleware.wire import idl
with importlib.import_module(f"pose_regressor.middleware.{sys.argv[1]}.participant").Participant("twin") as twin:
    publisher = twin.publisher("chatter", idl.TFMessage, depth=1)
    print("here", flush=True)
    time.sleep(600)
"""


def test_nodes_that_were_there_before(set_up, diagnose, launch, until, kind):
    """In processes of their own: what they said of themselves before comes some time after it was asked for."""
    twins = [launch("-c", TWIN, kind) for _ in range(2)]
    until(lambda: all(twin.text == "here\n" for twin in twins), "the twins")
    level, text = diagnose()["node names"]
    assert (level, "several nodes are called /twin" in text) == ("WARN", True)


def test_poses_below_the_camera_do_not_mount_it(set_up, diagnose, network):
    set_up.camera()
    set_up.info()
    with network.Participant("estimates") as participant:
        publisher = participant.publisher("/tf", idl.TFMessage, depth=10)
        stop = threading.Event()

        def publish():
            while not stop.wait(0.05):
                header = idl.Header(idl.Time(1, 0), "optical")
                place = idl.Transform(idl.Vector3(0.0, 0.0, 1.0), idl.Quaternion(0.0, 0.0, 0.0, 1.0))
                publisher.publish(idl.TFMessage([idl.TransformStamped(header, "box_0", place)]))

        thread = threading.Thread(target=publish)
        thread.start()
        level, text = diagnose()["frames"]
        stop.set()
        thread.join()
    assert (level, "is not on TF" in text) == ("WARN", True)
