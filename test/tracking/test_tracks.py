"""Who is who: numbers through crossings, occlusions, wrong poses and jumps of time."""

from dataclasses import replace

import numpy as np
import pytest

from pose_regressor.tracking.kalman import difference, moved
from pose_regressor.tracking.track import TrackingParameters
from pose_regressor.tracking.tracks import Tracks

STEP = 1 / 30
SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


class Scene:
    """Frames at 30 Hz, of poses with errors as large as they say: a fifth is new each time, the rest stays."""

    def __init__(self, words, **parameters):
        self.words, self.generator = words, np.random.default_rng(0)
        self.tracks = Tracks(TrackingParameters(**parameters))
        self.stamp = START
        self.common = 0.96**0.5 * self.generator.normal(size=6)

    def noisy(self, pose, **rest):
        error = self.words.SIGMA * (self.common + 0.2 * self.generator.normal(size=6))
        return self.words.seen(moved(pose, error), **rest)

    def frame(self, *seen, smooth=True, seconds=STEP):
        """{number: estimate} of what is published."""
        self.stamp += round(seconds * SECOND)
        self.tracks.advance(self.stamp)
        return {e.instance: e for e in self.tracks.take(list(seen), 0.5, smooth)}


@pytest.fixture
def scene(words):
    return Scene(words)


def test_two_that_cross_keep_their_numbers(scene, words):
    """One behind the other hides in the middle for a third of a second; the order in which they are seen is chance."""
    for k in range(91):
        x = 0.3 - 0.6 * k / 90
        front, back = words.pose([x, 0, 0.5]), words.pose([-x, 0.005, 0.55])
        seen = [scene.noisy(front)] + ([] if 40 <= k <= 50 else [scene.noisy(back)])
        scene.generator.shuffle(seen)
        found = scene.frame(*seen)
        if k == 0:
            of_front = min(found, key=lambda n: abs(found[n].translation[0] - x))
            assert set(found) == {0, 1}
        assert abs(found[of_front].translation[0] - x) < 0.03
        assert set(found) == ({of_front} if 40 <= k <= 50 else {0, 1})


def test_one_that_is_hidden_is_not_published_and_comes_back_with_its_number(scene, words):
    for k in range(60):
        hidden = 20 <= k < 45
        found = scene.frame(*[] if hidden else [scene.noisy(words.pose([0.2 * k * STEP, 0, 0.5]))])
        assert set(found) == (set() if hidden else {0})
        if hidden:
            (expected,) = scene.tracks.expected() or [None]
            assert expected is None or abs(expected.translation[0] - 0.2 * k * STEP) < 0.1


def test_one_that_stays_away_is_forgotten(scene, words):
    for _ in range(5):
        scene.frame(words.seen(words.pose([0, 0, 0.5])), words.seen(words.pose([0.3, 0, 0.5])))
    for _ in range(40):
        scene.frame(words.seen(words.pose([0.3, 0, 0.5])))
    assert scene.tracks.number_of("crate") == 1
    for _ in range(5):
        found = scene.frame(words.seen(words.pose([0.3, 0, 0.5])), words.seen(words.pose([-0.3, 0, 0.5])))
    assert found[0].translation[0] == pytest.approx(-0.3, abs=1e-3), "the number that is free again"
    assert found[1].translation[0] == pytest.approx(0.3, abs=1e-3)


def test_a_doubtful_one_must_be_seen_three_times_in_a_row(scene, words):
    doubtful = words.seen(words.pose([0, 0, 0.5]), score=0.6)
    assert [len(scene.frame(*seen)) for seen in ([doubtful], [], [doubtful], [doubtful], [doubtful])] == [0, 0, 0, 0, 1]
    assert len(scene.frame(doubtful)) == 1, "known, it needs no more"


def test_a_burst_of_wrong_poses_is_left_out(scene, words):
    """A quarter turn off for a third of a second, as when a network takes one face for another."""
    right, wrong = words.pose([0, 0, 0.5]), words.pose([0, 0, 0.5], [0, np.pi / 2, 0])
    for k in range(60):
        found = scene.frame(scene.noisy(wrong if 20 <= k < 30 else right))
        assert all(abs(difference(e.cam_from_obj, right)[4]) < 0.2 for e in found.values())
        assert set(found) == (set() if 23 <= k < 30 else {0}), "for three frames what was expected stands in"


def test_what_was_expected_stands_in_where_it_keeps_moving(scene, words):
    """It slides and turns evenly; wrong faces for two frames."""
    for k in range(40):
        right = words.pose([0.3 * k * STEP, 0, 0.5], [0, 0, 1.0 * k * STEP])
        wrong = right @ words.pose([0, 0, 0], [0, np.pi / 2, 0])
        found = scene.frame(scene.noisy(wrong if k in (30, 31) else right))
        if k > 20:
            error = difference(found[0].cam_from_obj, right)
            assert np.linalg.norm(error[:3]) < 0.01 and np.linalg.norm(error[3:]) < 0.1


def test_nothing_stands_in_for_what_is_seen_elsewhere_or_is_not_to_be_smooth(words):
    right, turned = words.pose([0, 0, 0.5]), words.pose([0, 0, 0.5], [0, np.pi / 2, 0])
    for wrong, smooth in ((words.pose([0.11, 0, 0.5], [0, np.pi / 2, 0]), True), (turned, False)):
        scene = Scene(words)
        published = [set(scene.frame(scene.noisy(wrong if k == 20 else right), smooth=smooth)) for k in range(22)]
        assert published[19:] == [{0}, set(), {0}]


def test_what_is_seen_elsewhere_for_long_is_believed(scene, words):
    """Somebody has turned it in a blink: after half a second it is where it is seen, with its number."""
    for k in range(60):
        found = scene.frame(scene.noisy(words.pose([0, 0, 0.5], [0, 0 if k < 20 else np.pi / 2, 0])))
        if k not in (34, 35):  # about half a second
            assert set(found) == (set() if 23 <= k < 34 else {0})
    assert found[0].rotation[0, 2] == pytest.approx(1, abs=0.05)


def test_at_rest_it_does_not_tremble(scene, words):
    pose = words.pose([0, 0, 0.5], [1, 0, 0])
    raw, smooth = [], []
    for k in range(120):
        seen = scene.noisy(pose)
        (estimate,) = scene.frame(seen).values()
        if k >= 30:
            raw.append(difference(seen.cam_from_obj, pose))
            smooth.append(difference(estimate.cam_from_obj, pose))
    assert (np.std(smooth, axis=0) < 0.5 * np.std(raw, axis=0)).all()
    steps = [np.std(np.diff(errors, axis=0), axis=0) for errors in (smooth, raw)]
    assert (steps[0] < 0.2 * steps[1]).all()
    assert (np.abs(np.mean(smooth, axis=0)) < 3 * words.SIGMA).all()


def test_at_rest_it_does_not_follow_answers_that_leap(scene, words):
    """Every ninth pose errs altogether differently, as where a network is torn between two answers."""
    pose = words.pose([0, 0, 0.5], [1, 0, 0])
    raw, smooth = [], []
    for k in range(120):
        error = words.SIGMA * (0.7 * scene.generator.normal(size=6) if k % 9 == 5 else 0)
        seen = scene.noisy(moved(pose, error))
        (estimate,) = scene.frame(seen).values()
        if k >= 30:
            raw.append(difference(seen.cam_from_obj, pose))
            smooth.append(difference(estimate.cam_from_obj, pose))
    steps = [np.std(np.diff(errors, axis=0), axis=0) for errors in (smooth, raw)]
    assert (steps[0] < 0.25 * steps[1]).all()


def test_smoothing_is_off_if_asked(scene, words):
    for k in range(10):
        seen = scene.noisy(words.pose([0.01 * k, 0, 0.5]))
        (estimate,) = scene.frame(seen, smooth=False).values()
        np.testing.assert_array_equal(estimate.cam_from_obj, seen.cam_from_obj)
        np.testing.assert_array_equal(estimate.covariance, seen.covariance)


def test_symmetric_ones_do_not_spin(scene, words):
    """Each frame shows another of the four poses that are the same; published ones go on from the first."""
    quarter = [words.pose([0, 0, 0], [0, 0, k * np.pi / 2]) for k in range(4)]
    model = words.model("knob", quarter[1:])
    for smooth in (True, False):
        scene.tracks.reset()
        for k in range(40):
            true = words.pose([0, 0, 0.5], [0.3, 0.02 * k, 0])
            (estimate,) = scene.frame(scene.noisy(true @ quarter[k * k % 4], model=model), smooth=smooth).values()
            if k == 0:
                turned = min(quarter, key=lambda q: np.linalg.norm(estimate.cam_from_obj - true @ q))
            assert np.linalg.norm(difference(estimate.cam_from_obj, true @ turned)[3:]) < 0.15


@pytest.mark.parametrize("jump", [-3600.0, -0.01, 5.0, 3600.0])
def test_a_jump_of_time_costs_nothing_but_the_motion(scene, words, jump):
    for k in range(20):
        scene.frame(scene.noisy(words.pose([0.02 * k, 0, 0.5])), scene.noisy(words.pose([-0.5, 0, 0.8])))
    # It is elsewhere now: where it was going says nothing.
    found = scene.frame(words.seen(words.pose([0.0, 0.1, 0.5])), words.seen(words.pose([-0.45, 0, 0.8])), seconds=jump)
    assert found[0].translation[0] == pytest.approx(0.0) and found[1].translation[0] == pytest.approx(-0.45)
    for _ in range(10):
        found = scene.frame(words.seen(words.pose([0.0, 0.1, 0.5])), words.seen(words.pose([-0.45, 0, 0.8])))
        assert set(found) == {0, 1}


def test_frames_of_one_stamp_and_without_stamps(scene, words):
    pose = words.pose([0, 0, 0.5])
    for _ in range(10):
        assert set(scene.frame(scene.noisy(pose), seconds=0)) == {0}
    unstamped = Tracks(TrackingParameters())
    for k in range(30):
        unstamped.advance(0)
        (estimate,) = unstamped.take([words.seen(words.pose([0.01 * k, 0, 0.5]))], 0.5, smooth=True)
    assert estimate.translation[0] == pytest.approx(0.29, abs=5e-3), "taken for 30 Hz"


def test_covariances_stay_honest(scene, words):
    """What neighbouring frames have in common is not averaged away: the published covariance does not shrink to
    nothing, and is never more than what was measured by much."""
    for _ in range(200):
        (estimate,) = scene.frame(scene.noisy(words.pose([0, 0, 0.5]))).values()
    shares = np.sqrt(np.diag(estimate.covariance)) / words.SIGMA
    assert ((shares > 0.95) & (shares < 1.05)).all()
    assert np.linalg.eigvalsh(estimate.covariance).min() > 0


def test_kinds_do_not_mix(scene, words):
    other = words.model("drum")
    place = words.pose([0, 0, 0.5])
    for _ in range(5):
        scene.tracks.advance(scene.stamp)
        found = scene.tracks.take([words.seen(place), words.seen(place, model=other)], 0.5, True)
        assert sorted((e.model.name, e.instance) for e in found) == [("crate", 0), ("drum", 0)]
    scene.tracks.keep(["drum"])
    assert (scene.tracks.number_of("crate"), scene.tracks.number_of("drum")) == (0, 1)


def test_a_coasting_one_is_looked_for_until_nobody_knows_where(scene, words):
    for _ in range(10):
        scene.frame(scene.noisy(words.pose([0, 0, 0.5])))
    assert len(scene.tracks.expected()) == 1
    for _ in range(29):
        scene.frame()
    assert scene.tracks.number_of("crate") == 1
    tiny = replace(words.model("bead"), diameter=0.002)
    scene.tracks.reset()
    scene.frame(words.seen(words.pose([0, 0, 0.5]), model=tiny))
    scene.frame()
    assert scene.tracks.expected() == [], "a bead that may be ten beads away is looked for in the whole image"


@pytest.mark.parametrize("sigma", [SMALL := np.repeat([0.001, 0.017], 3), 3 * SMALL], ids=["sure", "less sure"])
def test_one_that_is_snatched_up_is_followed(scene, words, sigma):
    """From rest to 0.6 m/s and 150°/s from one frame to the next, and to rest again, and never out of sight."""
    speed, turn = 0.6, np.radians(150)
    for k in range(90):
        t = max(0, min(k - 40, 20)) * STEP
        error = sigma * (scene.common + 0.2 * scene.generator.normal(size=6))
        pose = words.pose([0.2 + speed * t, 0, 0.5], [0, turn * t, 0])
        found = scene.frame(words.seen(moved(pose, error), sigma=sigma))
        assert set(found) == {0}
        assert abs(found[0].translation[0] - pose[0, 3]) < speed * STEP + 3 * sigma[0], "a frame late at the most"
