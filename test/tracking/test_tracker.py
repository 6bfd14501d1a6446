"""Where the tracker looks: around what it expects; in the whole image for what is missing, and now and then for more.

Between the tracker and a stand-in for the network, which sees boxes where they are told to be.
"""

import numpy as np
import pytest

from pose_regressor.estimation.estimates import Estimates, Stages
from pose_regressor.tracking.tracker import SEARCH_EVERY, Tracker
from pose_regressor.types import Camera, Frame, ObjectModel, PoseEstimate

CAMERA = Camera(64, 48, np.array([[60.0, 0, 32], [0, 60, 24], [0, 0, 1]]))
MUG, JUG = (
    ObjectModel(name, i, 0.1, np.array([[-0.05] * 3, [0.05] * 3]), np.zeros((1, 3)), np.zeros((1, 3)))
    for i, name in enumerate(("mug", "jug"))
)


def seen(model, x, noise=0.0):
    pose = np.eye(4)
    pose[:3, 3] = x + noise, 0, 1
    return PoseEstimate(model, pose, np.diag([0.01] * 3 + [0.1] * 3) ** 2, 0.9, "pnp", np.zeros(4))


def answer(poses):
    return Estimates(tuple(poses), Stages(network=0.001))


class Eyes:
    """Sees `there`, [(model, x)]: a look around a place, what is within 5 cm of it; a search, all but what is known."""

    objects = (MUG, JUG)
    device = "cpu"
    score_threshold = 0.5

    def __init__(self):
        self.there, self.looks, self.searches, self.thorough = [], [], [], []

    def follow(self, frame, last):
        self.looks.append([e.translation[0] for e in last])
        near = [[x for model, x in self.there if model is e.model and abs(x - e.translation[0]) < 0.05] for e in last]
        return answer(seen(e.model, x[0]) for e, x in zip(last, near, strict=True) if x)

    def settle(self, frame, found):
        return found

    def search(self, frame, objects=None, known=(), thorough=True):
        self.searches.append(sorted(objects))
        self.thorough.append(thorough)
        taken = [(e.model, e.translation[0]) for e in known]
        return answer(
            seen(model, x)
            for model, x in self.there
            if model.name in objects and not any(model is m and abs(x - t) < 0.05 for m, t in taken)
        )


@pytest.fixture
def eyes():
    return Eyes()


def frame(k):
    return Frame(np.zeros((48, 64, 3), np.uint8), CAMERA, stamp=1_000_000_000 + k * 33_333_333, index=k)


def test_the_look_is_where_it_will_be(eyes):
    """At 0.9 m/s a tenth of its size is passed in a ninth of a second: the look goes ahead."""
    tracker = Tracker(eyes, objects=["mug"])
    for k in range(20):
        eyes.there = [(MUG, 0.03 * k)]
        answered = tracker.track(frame(k))
    (found,) = answered.poses
    assert found.translation[0] == pytest.approx(0.57, abs=3e-3)
    assert eyes.looks[-1] == [pytest.approx(0.57, abs=3e-3)]
    assert answered.seconds == Stages(network=0.001), "of one look, and no search"


def test_what_is_followed_costs_no_search_but_now_and_then(eyes):
    tracker = Tracker(eyes)
    eyes.there = [(MUG, 0.0), (JUG, 0.3)]
    for k in range(2 * SEARCH_EVERY + 1):
        tracker.update(frame(k))
    assert eyes.searches == [["jug", "mug"]] * 3 and all(eyes.thorough)
    assert len(eyes.looks) == 2 * SEARCH_EVERY


def test_what_is_missing_is_searched_for_and_the_others_are_not(eyes):
    tracker = Tracker(eyes)
    eyes.there = [(MUG, 0.0), (JUG, 0.3)]
    for k in range(5):
        tracker.update(frame(k))
    eyes.there, eyes.searches, eyes.thorough = [(MUG, 0.0)], [], []
    for k in range(5, 8):
        assert [e.model.name for e in tracker.update(frame(k))] == ["mug"]
    assert eyes.searches == [["jug"]] * 3 and not any(eyes.thorough)  # the mug is not to wait for it


def test_more_of_the_same_are_found_soon(eyes):
    tracker = Tracker(eyes, objects=["mug"])
    eyes.there = [(MUG, 0.0)]
    tracker.update(frame(0))
    eyes.there = [(MUG, 0.0), (MUG, 0.3)]
    numbers = [{e.instance: e.translation[0] for e in tracker.update(frame(k))} for k in range(1, SEARCH_EVERY + 2)]
    assert numbers[0].keys() == {0} and numbers[-1] == {0: pytest.approx(0), 1: pytest.approx(0.3)}


def test_without_following_every_frame_is_searched(eyes):
    tracker = Tracker(eyes, follow=False, objects=["mug"])
    eyes.there = [(MUG, 0.0), (MUG, 0.3)]
    for k in range(4):
        assert [e.instance for e in tracker.update(frame(k))] == [0, 1]
        eyes.there.reverse()
    assert eyes.searches == [["mug"]] * 4 and not eyes.looks


def test_tuned_while_it_runs(eyes):
    tracker = Tracker(eyes)
    eyes.there = [(MUG, 0.0), (JUG, 0.3)]
    tracker.update(frame(0))
    eyes.there = [(MUG, 0.004), (JUG, 0.304)]
    moved = {e.model.name: e.translation[0] for e in tracker.update(frame(1))}
    assert moved["mug"] != 0.004, "smoothed"
    tracker.tune(follow=True, objects=["mug"], score_threshold=0.7, smooth=False)
    assert eyes.score_threshold == 0.7
    eyes.there = [(MUG, 0.01), (JUG, 0.31)]
    assert [(e.model.name, e.translation[0]) for e in tracker.update(frame(2))] == [("mug", 0.01)]
    tracker.reset()
    eyes.searches.clear()
    tracker.update(frame(3))
    assert eyes.searches == [["mug"]]
