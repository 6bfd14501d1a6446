"""Depth in the node's core. Whatever is wrong with it, the image is answered by its colours, and the reason counted."""

import threading
import weakref
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from pose_regressor.geometry.register_depth import register_depth
from pose_regressor.geometry.rigid import rigid
from pose_regressor.geometry.so3 import exp
from pose_regressor.middleware.messages.transform_tree import TransformTree
from pose_regressor.middleware.pose.core import NodeCore
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.types import Camera, InputError

METRES = np.array([[1.0, 2.0, 3.0, 0.0], [0.5, 0.25, 1.5, 2.5]], np.float32)
ALIGNED, UNALIGNED = {"depth_topic": "depth"}, {"depth_topic": "depth", "depth_info_topic": "depth_info"}


def header(stamp=12_000_000_034, frame_id="optical"):
    seconds, nanoseconds = divmod(stamp, 1_000_000_000)
    return SimpleNamespace(stamp=SimpleNamespace(sec=seconds, nanosec=nanoseconds), frame_id=frame_id)


@pytest.fixture
def depth(image):
    """Makes depth messages, of the image's stamp unless told."""

    def make(metres=METRES, stamp=12_000_000_034, frame_id="optical", encoding="32FC1", **rest):
        pixels = np.asarray(metres, np.float32)
        if encoding == "16UC1":
            pixels = np.rint(1000 * pixels).astype(np.uint16)
        fields = {"width": pixels.shape[1], "height": pixels.shape[0], "step": pixels.strides[0], **rest}
        return image(encoding, header=header(stamp, frame_id), data=pixels.tobytes(), **fields)

    return make


@pytest.fixture
def core(node, info):
    """A core that knows its camera."""

    def make(**parameters):
        core = node(**parameters)
        core.on_camera_info(info())
        return core

    return make


def answered(core, image, msg):
    """The frame that the image was answered with."""
    before = len(core.published)
    core.on_depth(msg)
    core.send(image(data=bytes([10] * 24)))
    ((frame, _),) = core.published[before:]
    return frame


@pytest.mark.parametrize("encoding", ["32FC1", "16UC1"])
def test_an_image_is_answered_with_its_depth(core, image, depth, encoding):
    core = core(**ALIGNED)
    frame = answered(core, image, depth(encoding=encoding))
    np.testing.assert_allclose(frame.depth, METRES)
    counts = core.depth.counts
    assert (counts.received, counts.processed, counts.dropped) == (1, 1, {})
    ((_, estimates),) = core.published
    assert estimates[0].translation[2] == 1.5
    (use,) = core.depth.uses
    assert (use.reason, use.age, use.valid) == ("", 0.0, 7 / 8)


def test_compressed_depth_for_a_compressed_image(core, image, depth):
    core = core(image_transport="compressed", depth_topic="depth/compressedDepth")
    steps = np.rint(1000 * METRES).astype(np.uint16)
    data = bytes(12) + cv2.imencode(".png", steps)[1].tobytes()
    core.on_depth(SimpleNamespace(header=header(), format="16UC1; compressedDepth", data=data))
    picture = cv2.imencode(".png", np.full((2, 4, 3), 10, np.uint8))[1].tobytes()
    core.send(SimpleNamespace(header=header(), format="rgb8; png compressed bgr8", data=picture))
    ((frame, _),) = core.published
    np.testing.assert_allclose(frame.depth, METRES)
    assert core.counts.processed == core.counts.received == 1


def test_without_the_parameter_there_is_none(core, image, depth):
    core = core()
    assert answered(core, image, depth()).depth is None
    assert core.depth is None


@pytest.mark.parametrize(
    ("changes", "reason", "remedy"),
    [
        ({"metres": np.ones((4, 4))}, "depth: size differs from the image", "take the topic of aligned depth"),
        ({"encoding": "rgb8", "step": 12}, "depth: unknown encoding", "expected one of 16UC1"),
        ({"step": 3}, "depth: the step is shorter than a row", "expected a step of at least 16"),
        ({"metres": 800 * np.ones((2, 4))}, "depth: expected metres, the unit is wrong", "divide millimetres by 1000"),
        ({"metres": 8e-4 * np.ones((2, 4))}, "depth: expected metres, the unit is wrong", "check the scale"),
        ({"metres": np.full((2, 4), np.nan)}, "depth: nothing measured", "is the sensor covered"),
        ({"metres": np.zeros((2, 4)), "encoding": "16UC1"}, "depth: nothing measured", "is the sensor covered"),
        ({"stamp": 15_000_000_034}, "depth: stamps seconds apart", "stamped by the same clock"),
        ({"stamp": 0}, "depth: stamps seconds apart", "12.000 s before the image"),
        ({"frame_id": "infrared"}, "depth: in another frame than the image", "set depth_info_topic"),
    ],
)
def test_bad_depth_costs_no_image(core, image, depth, log, changes, reason, remedy):
    core = core(**ALIGNED)
    for _ in range(3):
        assert answered(core, image, depth(**changes)).depth is None
    assert core.counts.processed == core.counts.received == 3
    assert core.depth.counts.dropped == {reason: 3}
    (line,) = log.of("warning")
    assert line.startswith(f"image without depth: {reason}") and remedy in line
    assert answered(core, image, depth()).depth is not None


def test_what_nobody_thought_of_costs_no_image_either(core, image, log):
    core = core(**ALIGNED)
    assert answered(core, image, SimpleNamespace(header=header())).depth is None
    assert core.depth.counts.dropped == {"internal error AttributeError": 1}
    assert "image without depth: internal error AttributeError" in log.of("error")[0]
    bad = header()
    bad.stamp.nanosec = 2**32 - 1
    core.on_depth(SimpleNamespace(header=bad))
    assert core.depth.messages.dropped.total() == 1
    assert core.counts.dropped == {}


@pytest.fixture
def unaligned(core, info):
    """A core that knows both cameras and their places: image_from_depth is the transform between them."""
    tree = TransformTree()

    def place(child, pose):
        x, y, z = pose[:3, 3]
        quaternion = SimpleNamespace(x=0.0, y=0.0, z=np.sin(0.05), w=np.cos(0.05))
        transform = SimpleNamespace(translation=SimpleNamespace(x=x, y=y, z=z), rotation=quaternion)
        stamped = SimpleNamespace(header=header(0, "body"), child_frame_id=child, transform=transform)
        tree.on_tf_static(SimpleNamespace(transforms=[stamped]))

    place("optical", rigid(np.eye(3), np.array([0.02, 0.0, 0.0])))
    place("infrared", rigid(np.eye(3), np.array([0.0, 0.01, 0.0])))

    def make(**parameters):
        made = core(**UNALIGNED, **parameters)
        made.depth.lookup = tree.lookup
        made.depth.on_info(info(width=8, height=6, k=[150.0, 0, 3.5, 0, 150, 2.5, 0, 0, 1], d=[]))
        return made

    return make


def test_depth_of_another_camera_is_registered(unaligned, image, depth):
    core = unaligned()
    metres = (1.2 + 0.01 * np.arange(48).reshape(6, 8)).astype(np.float32)
    frame = answered(core, image, depth(metres, frame_id="infrared"))
    turned = exp(np.array([0, 0, 0.1]))
    image_from_depth = rigid(np.eye(3), turned.T @ np.array([-0.02, 0.01, 0.0]))
    depth_camera = Camera(8, 6, np.array([[150.0, 0, 3.5], [0, 150, 2.5], [0, 0, 1]]))
    np.testing.assert_allclose(frame.depth, register_depth(metres, depth_camera, frame.camera, image_from_depth))
    assert (np.asarray(frame.depth) > 0).sum() >= 4
    # Of every fourth point, both ways, those that the image of 4 x 2 pixels shows.
    points = [metres[y, x] * np.array([(x - 3.5) / 150, (y - 2.5) / 150, 1]) for y in (0, 4) for x in (0, 4)]
    seen = [frame.camera.matrix @ (image_from_depth[:3, :3] @ point + image_from_depth[:3, 3]) for point in points]
    shown = [-0.5 < u / z < 3.5 and -0.5 < v / z < 1.5 for u, v, z in seen]
    assert core.depth.uses[-1].valid == pytest.approx(np.mean(shown) or (np.asarray(frame.depth) > 0).mean())


@pytest.mark.parametrize(
    ("changes", "reason", "remedy"),
    [
        ({"metres": np.ones((2, 4))}, "depth: size differs from its camera info", "expected 8x6"),
        ({"metres": 800 * np.ones((6, 8))}, "depth: expected metres, the unit is wrong", "got a median of 800"),
        ({"frame_id": "nowhere"}, "depth: TF: a frame is not known in the other", "nowhere is not known in optical"),
        ({"frame_id": ""}, "depth: expected a frame_id in its header", "set the depth driver's"),
        ({"metres": 0.011 * np.ones((6, 8))}, "depth: nothing of it lies in the image", "check the transform"),
    ],
)
def test_bad_depth_of_another_camera(unaligned, image, depth, log, changes, reason, remedy):
    core = unaligned()
    assert answered(core, image, depth(**{"metres": np.ones((6, 8)), "frame_id": "infrared", **changes})).depth is None
    assert core.depth.counts.dropped == {reason: 1}
    assert remedy in log.of("warning")[0]
    assert answered(core, image, depth(np.ones((6, 8)), frame_id="infrared")).depth is not None


def test_without_camera_info_of_the_depth_camera(core, image, depth, info, log):
    core = core(**UNALIGNED)
    assert answered(core, image, depth(frame_id="infrared")).depth is None
    core.depth.on_info(info(k=[0.0] * 9))
    assert answered(core, image, depth(frame_id="infrared")).depth is None
    core.depth.on_info(info())
    assert answered(core, image, depth(frame_id="infrared")).depth is None
    assert list(core.depth.counts.dropped) == [
        "depth: no camera info yet",
        "depth: camera info: expected a calibrated camera matrix K of 9 numbers",
        "depth: TF is not heard yet",
    ]
    assert "expected one on depth_info" in log.of("warning")[0]
    assert answered(core, image, depth()).depth is not None  # of the image's own frame: no transform is needed


def test_rectified_depth_is_seen_through_p(core, image, depth, info):
    core = core(depth_rectified=True, **UNALIGNED)
    core.depth.on_info(info())
    frame = answered(core, image, depth(np.ones((2, 4))))
    p = Camera(4, 2, np.array(info().p).reshape(3, 4)[:, :3])
    np.testing.assert_allclose(frame.depth, register_depth(np.ones((2, 4), np.float32), p, frame.camera, np.eye(4)))


def test_the_parameter_frame_id_is_the_frame_of_both(core, image, depth):
    core = core(frame_id="head", **ALIGNED)
    frame = answered(core, image, depth(frame_id="infrared"))
    assert frame.frame_id == "head" and frame.depth is not None


def test_overload_with_depth_keeps_memory_flat_and_counts_exact(standin, kept, log, image, info, depth):
    """Sixty depth messages for each image that the slow network begins with, and images one after the other."""
    begins, go_on = threading.Semaphore(0), threading.Semaphore(0)

    class Slow(standin.StandIn):
        def update(self, frame):
            begins.release()
            assert go_on.acquire(timeout=60)
            return super().update(frame)

    output = kept()
    output.poses = lambda frame, estimates: None
    core = NodeCore(NodeConfig(**ALIGNED, overlay=False), Slow(), output, log)
    core.start()
    core.on_camera_info(info())
    alive, stamp, rounds = [], 0, 12
    for number in range(rounds):
        for _ in range(60):
            stamp += 16_666_667
            for take, make in ((core.on_depth, depth), (core.on_image, image)):
                data = np.ones(8, np.float32) if make is depth else np.full(24, 10, np.uint8)
                alive.append(weakref.ref(data))
                msg = make(header=header(stamp)) if make is image else make(stamp=stamp)
                msg.data = data
                take(msg)
                del msg, data
            alive = [reference for reference in alive if reference() is not None]
            # Ten depth messages; an image at work, one that waits and one on its way, each with its depth.
            assert len(alive) <= 10 + 3 + 3
        if number:
            go_on.release()
        assert begins.acquire(timeout=60)
    go_on.release()
    assert core.wait_idle(60)
    core.stop()
    counts, with_depth = core.counts, core.depth.counts
    assert counts.received == 60 * rounds == counts.processed + counts.dropped.total()
    assert counts.dropped == {"superseded by a newer one": counts.received - counts.processed}
    assert with_depth.received == with_depth.processed == counts.processed
    assert core.depth.messages.received == 60 * rounds


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"depth_info_topic": "info"}, "depth_info_topic: applies to depth, expected depth_topic with it"),
        ({"depth_topic": "depth", "depth_rectified": True}, "depth_rectified: applies to depth_info_topic"),
        ({"depth_tolerance": -1.0}, "depth_tolerance"),
    ],
)
def test_parameters_that_cannot_be(values, words):
    with pytest.raises(InputError, match=words):
        NodeConfig(**values)
