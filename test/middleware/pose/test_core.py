import json
import threading
import time
import weakref
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from pose_regressor.middleware.pose.core import NodeCore
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.types import InputError


class Kept:
    """Keeps what is published."""

    def __init__(self):
        self.published, self.overlays, self.wanted = [], [], False

    def poses(self, frame, estimates):
        self.published.append((frame, estimates))

    def overlay(self, frame, estimates):
        self.overlays.append((frame, estimates))

    def overlay_wanted(self):
        return self.wanted

    def markers_wanted(self):
        return False


@pytest.fixture
def node(standin, log):
    """Makes a NodeCore whose `published` keeps what it publishes; `send` waits until the image is dealt with."""
    cores = []

    def make(**parameters):
        output = Kept()
        core = NodeCore(NodeConfig(**parameters), standin.StandIn(), output, log)
        core.published, core.output = output.published, output
        core.start()

        def send(msg):
            before = core.counts.processed + core.counts.dropped.total()
            core.on_image(msg)
            end = time.monotonic() + 60
            while core.counts.processed + core.counts.dropped.total() == before:
                assert time.monotonic() < end
                time.sleep(0.001)

        core.send = send
        cores.append(core)
        return core

    yield make
    for core in cores:
        core.stop()


def pixels(brightness):
    return bytes([brightness] * 24)


def test_poses_come_out_with_the_images_stamp(node, image, info):
    core = node()
    core.on_camera_info(info())
    core.send(image(data=pixels(15)))
    ((frame, estimates),) = core.published
    assert (frame.stamp, frame.frame_id) == (12_000_000_034, "optical")
    assert estimates[0].translation[2] == 1.5


def test_nothing_found_is_published_too(node, image, info):
    core = node()
    core.on_camera_info(info())
    core.send(image(data=pixels(0)))
    ((_, estimates),) = core.published
    assert estimates == []


def test_no_camera_info_yet(node, image, info, log):
    core = node()
    core.send(image())
    core.send(image())
    assert core.published == []
    (reason,) = core.counts.dropped
    assert reason.startswith("no camera info yet")
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
    ("changes", "words"),
    [
        ({"k": [0.0] * 9}, "camera matrix K"),
        ({"k": [float("nan")] * 9}, "camera matrix K"),
        ({"distortion_model": "equidistant"}, "'equidistant' is not known"),
        ({"width": 640, "height": 480}, "4x2 does not match its camera info"),
    ],
)
def test_a_bad_camera_info_drops_frames_and_a_good_one_mends_it(node, image, info, changes, words):
    core = node()
    core.on_camera_info(info())
    core.on_camera_info(info(**changes))
    core.send(image())
    assert core.published == []
    assert words in next(iter(core.counts.dropped))
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


def test_a_failing_tracker_costs_the_frame_only(node, image, info, log):
    core = node()
    core.on_camera_info(info())
    core.send(image(data=pixels(255)))
    assert core.counts.dropped == {"internal error RuntimeError": 1}
    assert "on purpose" in log.of("error")[0]
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


def test_stop_says_what_came_of_the_frames(node, image, info, log):
    core = node()
    core.on_camera_info(info())
    core.send(image())
    core.stop()
    assert log.of("info") == ["images: 1 received, 1 processed, none dropped"]


def test_at_most_so_many_a_second(node, image, info):
    core = node(max_rate=0.001)
    core.on_camera_info(info())
    core.send(image(data=pixels(10)))
    for _ in range(5):
        core.send(image(data=pixels(20)))
    assert [estimates[0].translation[2] for _, estimates in core.published] == [1.0]
    assert core.counts.dropped == {"over max_rate": 5}
    core.tune(NodeConfig(max_rate=0.0))
    core.send(image(data=pixels(30)))
    assert core.published[-1][1][0].translation[2] == 3.0


def test_the_overlay_is_drawn_when_it_is_wanted_and_read(node, image, info, until):
    core = node()
    core.on_camera_info(info())
    core.send(image(data=pixels(10)))
    core.output.wanted = True
    core.send(image(data=pixels(20)))
    until(lambda: core.output.overlays, "an overlay")
    core.tune(NodeConfig(overlay=False))
    core.send(image(data=pixels(30)))
    assert [estimates[0].translation[2] for _, estimates in core.output.overlays] == [2.0]


def test_an_overlay_that_nobody_takes_holds_up_no_pose(node, image, info):
    gate = threading.Event()
    core = node()
    core.output.overlay = lambda *_: gate.wait(60)
    core.output.wanted = True
    core.on_camera_info(info())
    for number in range(1, 21):
        core.send(image(data=pixels(number)))
    assert len(core.published) == 20
    gate.set()


def compressed(brightness, stamp=12, extension=".png"):
    header = SimpleNamespace(stamp=SimpleNamespace(sec=stamp, nanosec=0), frame_id="optical")
    data = cv2.imencode(extension, np.full((2, 4, 3), brightness, np.uint8))[1].tobytes()
    return SimpleNamespace(header=header, format="bgr8; png compressed bgr8", data=data)


def test_compressed_images(node, info):
    core = node(image_transport="compressed")
    core.send(compressed(10))
    assert next(iter(core.counts.dropped)).startswith("no camera info yet")
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


def test_latency_is_from_the_arrival_to_the_answer(node, image, info):
    core = node()
    core.on_camera_info(info())
    start = time.monotonic()
    for _ in range(5):
        core.send(image(data=pixels(10)))
    end = time.monotonic()
    assert len(core.latencies) == 5
    assert all(start < latency.at < end for latency in core.latencies)
    assert all(0 < latency.seconds < end - start for latency in core.latencies)


def test_inactive_it_takes_no_images(node, image, info):
    core = node()
    core.on_camera_info(info())
    core.pause()
    core.send(image(data=pixels(10)))
    assert core.counts.dropped == {"node not active": 1}
    core.start()
    core.send(image(data=pixels(10)))
    assert len(core.published) == 1


def test_under_overload_the_newest_is_worked_on_and_no_other_is_kept(standin, log, image, info):
    """Images come one after the other while the network is at work: what it begins with next is what came last."""
    begins, go_on, begun = threading.Semaphore(0), threading.Semaphore(0), []
    alive, last = [], 0  # of the images those that are held by anybody

    class Slow(standin.StandIn):
        def update(self, frame):
            begun.append(frame.stamp)
            begins.release()
            assert go_on.acquire(timeout=60)
            return super().update(frame)

    output = Kept()
    output.poses = lambda frame, estimates: None
    core = NodeCore(NodeConfig(), Slow(), output, log)
    core.start()
    core.on_camera_info(info())
    for come in (1, 1, 2, 30, 400, 1, 7, 558):
        for _ in range(come):
            last += 1
            data = np.full(24, 10, np.uint8)
            alive.append(weakref.ref(data))
            message = image(data=data)
            message.header.stamp.sec, message.header.stamp.nanosec = 0, last
            core.on_image(message)
            del message, data
            alive = [reference for reference in alive if reference() is not None]
            assert len(alive) <= 3, "one in work, one waiting, one on its way"
        if begun:  # the one that was in work while these came
            go_on.release()
        assert begins.acquire(timeout=60)
        assert begun[-1] == last
    go_on.release()
    assert core.wait_idle(60)
    core.stop()
    assert last == 1000 and len(begun) == 8
    counts = core.counts
    assert (counts.received, counts.processed) == (1000, len(begun))
    assert counts.dropped == {"superseded by a newer one": 1000 - len(begun)}
