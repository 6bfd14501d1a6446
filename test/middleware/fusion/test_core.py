"""Which of the cameras' messages make a moment, and what becomes of bad ones."""

from types import SimpleNamespace

import numpy as np
import pytest

from pose_regressor.middleware.fusion.core import FusionCore
from pose_regressor.middleware.fusion.parameters import FusionConfig
from pose_regressor.types import InputError

MILLISECOND = 1_000_000
START = 1_700_000_000_000 * MILLISECOND


def point(place):
    return SimpleNamespace(**dict(zip("xyz", map(float, place), strict=True)))


def pose_at(place):
    return SimpleNamespace(position=point(place), orientation=SimpleNamespace(x=0.0, y=0.0, z=0.0, w=1.0))


def detection(place, name="crate", score=0.9, covariance=None):
    covariance = 1e-4 * np.eye(6) if covariance is None else covariance
    hypothesis = SimpleNamespace(class_id=name, score=score)
    pose = SimpleNamespace(pose=pose_at(place), covariance=np.ravel(covariance))
    box = SimpleNamespace(center=pose_at(place), size=point([0.2, 0.1, 0.2]))
    return SimpleNamespace(results=[SimpleNamespace(hypothesis=hypothesis, pose=pose)], bbox=box)


class Fusion:
    """Cameras stand beside each other along x, where their names say: "0.5" is at x = 0.5."""

    def __init__(self, log):
        self.moments = []
        config = FusionConfig(smooth=False)
        self.core = FusionCore(config, [], self.lookup, lambda moment, poses: self.moments.append((moment, poses)), log)
        self.core.start()

    def lookup(self, target, source, stamp):
        assert target == "world"
        try:
            place = float(source)
        except ValueError:
            raise InputError("TF: a frame is not known in the other", f"{source} is not known in world") from None
        result = np.eye(4)
        result[0, 3] = place
        return result

    def send(self, camera, milliseconds, *detections):
        seconds, nanoseconds = divmod(START + round(milliseconds * MILLISECOND), 1_000_000_000)
        stamp = SimpleNamespace(sec=seconds, nanosec=nanoseconds)
        header = SimpleNamespace(stamp=stamp, frame_id=camera)
        self.core.on_detections(SimpleNamespace(header=header, detections=list(detections)))

    @property
    def stamps(self):
        return [round((moment.stamp - START) / MILLISECOND) for moment, _ in self.moments]


@pytest.fixture
def fusion(log):
    return Fusion(log)


def test_two_cameras_make_one_pose(fusion):
    for k in range(10):
        fusion.send("0", 33 * k, detection([0.5, 0, 1]))
        fusion.send("0.4", 33 * k + 5, detection([0.12, 0, 1]))
    # The first moments are over when the next begins, the others as soon as both cameras have told.
    assert fusion.stamps == [33 * k + 5 for k in range(10)]
    moment, (pose,) = fusion.moments[-1]
    assert moment.frame_id == "world"
    np.testing.assert_allclose(pose.translation, [0.51, 0, 1])
    np.testing.assert_allclose(pose.covariance, 0.5e-4 * np.eye(6))
    assert pose.model.name == "crate" and pose.instance == 0
    assert pose.method is None and pose.box is None, "a detection does not tell"
    np.testing.assert_allclose(pose.model.size, [0.2, 0.1, 0.2])


def test_a_camera_that_dies_is_not_waited_for(fusion):
    for k in range(6):
        fusion.send("0", 33 * k, detection([0, 0, 1]))
        fusion.send("0.4", 33 * k, detection([-0.4, 0, 1]))
    for k in range(6, 12):
        fusion.send("0", 33 * k, detection([0, 0, 1]))
    assert fusion.stamps == [33 * k for k in range(12)]


def test_a_slower_camera_takes_part_when_it_can(fusion):
    for k in range(12):
        fusion.send("0", 33 * k, detection([0, 0, 1]))
        if k % 2 == 0:
            fusion.send("0.4", 33 * k, detection([-0.4, 0, 1]))
    used = [round(1e-4 / poses[0].covariance[0, 0]) for _, poses in fusion.moments]
    assert fusion.stamps[:11] == [33 * k for k in range(11)] and used[:11] == [2, 1] * 5 + [2]


@pytest.mark.parametrize("missed", [range(5), range(10, 13)], ids=["starts later", "misses three"])
def test_a_camera_that_comes_back_is_waited_for_again(fusion, missed):
    """Both are triggered together, and the second one always answers after the first."""
    for k in range(30):
        fusion.send("0", 33 * k, detection([0.5, 0, 1]))
        if k not in missed:
            fusion.send("0.4", 33 * k, detection([0.1, 0, 1]))
    assert fusion.stamps == [33 * k for k in range(30)]
    assert fusion.core.counts.dropped == {"detections: late": 1}
    for _, (pose,) in fusion.moments[15:]:
        np.testing.assert_allclose(pose.covariance, 0.5e-4 * np.eye(6))


def test_a_camera_that_is_always_too_late_is_not_waited_for(fusion):
    for k in range(30):
        fusion.send("0", 33 * k, detection([0.5, 0, 1]))
        if k >= 3:
            fusion.send("0.4", 33 * (k - 3), detection([0.1, 0, 1]))
    assert fusion.stamps == [33 * k for k in range(30)]


def test_far_apart_in_time_is_not_one_moment(fusion):
    for k in range(4):
        fusion.send("0", 200 * k, detection([0, 0, 1]))
        fusion.send("0.4", 200 * k + 100, detection([-0.4, 0, 1]))
    assert fusion.stamps == [100 * k for k in range(7)]


def test_late_ones_are_dropped_and_a_clock_that_was_set_is_not_late(fusion, log):
    for k in range(5):
        fusion.send("0", 33 * k, detection([0, 0, 1]))
    fusion.send("0.4", 0, detection([-0.4, 0, 1]))
    assert fusion.core.counts.dropped == {"detections: late": 1}
    for k in range(5):
        fusion.send("0", 33 * k - 3_600_000, detection([0, 0, 1]))
    assert fusion.stamps[-1] == 33 * 4 - 3_600_000


def test_nothing_seen_is_said_too(fusion):
    for k in range(5):
        fusion.send("0", 33 * k)
    assert [poses for _, poses in fusion.moments] == [[]] * len(fusion.moments) and len(fusion.moments) >= 4


@pytest.mark.parametrize(
    ("camera", "bad", "words"),
    [
        ("", detection([0, 0, 1]), "expected a frame_id"),
        ("attic", detection([0, 0, 1]), "attic is not known in world"),
        (
            "0",
            detection([0, 0, 1], covariance=np.zeros((6, 6))),
            "definite covariance, got another one of crate",
        ),
        (
            "0",
            detection([0, 0, 1], covariance=np.full((6, 6), np.nan)),
            "definite covariance, got another one of crate",
        ),
        (
            "0",
            detection([np.inf, 0, 1]),
            "pose: expected finite numbers and a quaternion, got position [inf",
        ),
        ("0", detection([0, 0, 1], name="no name"), "detections: object: the name cannot be used, got 'no name'"),
    ],
)
def test_what_cannot_be_used_is_dropped_and_said(fusion, log, camera, bad, words):
    fusion.send(camera, 0, bad)
    (said,) = log.of("warning")
    assert words in said and fusion.core.counts.dropped.total() == 1
    for k in range(1, 6):
        fusion.send("0", 33 * k, detection([0, 0, 1]))
    assert fusion.moments


def assert_add_up(counts, waiting=0):
    assert counts.received == counts.processed + counts.dropped.total() + waiting


def test_every_message_is_counted_once(fusion):
    for k in range(10):
        fusion.send("0", 33 * k, detection([0.5, 0, 1]))
        fusion.send("0.4", 33 * k, detection([0.1, 0, 1]))
        fusion.send("attic", 33 * k, detection([0.1, 0, 1]))
    fusion.send("0", 330, detection([0.5, 0, 1]))
    counts = fusion.core.counts
    assert (counts.received, counts.processed) == (31, 20)
    assert counts.dropped == {"TF: a frame is not known in the other": 10}
    assert_add_up(counts, waiting=1)
    assert fusion.core.published == len(fusion.core.latencies) == 10
    assert fusion.core.heard.keys() == {"0", "0.4"}


def test_while_it_is_not_active_nothing_is_published_and_what_was_before_is_forgotten(fusion):
    for k in range(5):
        fusion.send("0", 33 * k, detection([0, 0, 1]))
        fusion.send("0.4", 33 * k, detection([-0.4, 0, 1]))
    fusion.send("0", 165, detection([0, 0, 1]))
    before = len(fusion.moments)
    fusion.core.pause()
    fusion.send("0.4", 165, detection([-0.4, 0, 1]))
    assert len(fusion.moments) == before and fusion.core.heard == {}
    assert fusion.core.counts.dropped == {"node not active": 2}
    assert_add_up(fusion.core.counts)
    fusion.core.start()
    for k in range(5):
        fusion.send("0", 33 * k, detection([0, 0, 1]))
    assert fusion.stamps[before:] == [0, 33, 66, 99, 132], "neither late, nor is another camera waited for"


def test_a_publisher_that_fails_costs_its_moment(log):
    def publish(moment, poses):
        if moment.stamp == START + 33 * MILLISECOND:
            raise OSError("the network is gone")

    fusion = Fusion(log)
    fusion.core = FusionCore(FusionConfig(), [], fusion.lookup, publish, log)
    fusion.core.start()
    for k in range(5):
        fusion.send("0", 33 * k, detection([0, 0, 1]))
    counts = fusion.core.counts
    assert (counts.processed, counts.dropped) == (4, {"internal error OSError": 1})
    assert log.of("error") == ["dropped: internal error OSError: the network is gone"]


def test_messages_that_differ_in_values_are_counted_under_one_reason(fusion):
    """Else frames and objects of any name would fill the memory."""
    for k in range(200):
        fusion.send(f"attic{k}", 0, detection([0, 0, 1]))
        fusion.send("0", 0, detection([0, 0, 1], name=f"crate{k}", covariance=-k * np.eye(6)))
        fusion.send("0", 0, detection([0, 0, 1], name=f"crate {k}"))
        fusion.send("0", 0, detection([np.inf, k, 1], name=f"crate{k}"))
    counts = fusion.core.counts
    assert sorted(counts.dropped.values()) == [200] * 4 and counts.received == 800


def test_smoothing_may_be_switched_while_it_runs(fusion):
    """Of a place that jumps by 1 cm, the filter believes a part."""
    fusion.core.tune(FusionConfig(smooth=True))
    for k in range(12):
        fusion.send("0", 33 * k, detection([0, 0, 1 + 0.01 * (k == 10)]))
    depth = {moment.stamp: poses[0].translation[2] for moment, poses in fusion.moments}
    assert 1.0001 < depth[START + 330 * MILLISECOND] < 1.0099
    fusion.core.tune(FusionConfig(smooth=False))
    for k in range(12, 15):
        fusion.send("0", 33 * k, detection([0, 0, 1.02]))
    assert fusion.moments[-1][1][0].translation[2] == pytest.approx(1.02)


def test_frames_with_a_leading_slash_are_looked_up_without_it(fusion):
    for k, name in enumerate(("/0.5", "0.5", "/0.5")):
        fusion.send(name, 100 * k, detection([0, 0, 1]))
    assert fusion.stamps[:2] == [0, 100], "one camera, whichever way it is written"
    np.testing.assert_allclose(fusion.moments[0][1][0].translation, [0.5, 0, 1])
