"""How much poses tremble: random ones with known errors, against what they were made with."""

import numpy as np
import pytest

from pose_regressor.geometry.so3 import exp
from pose_regressor.tracking.kalman import moved
from pose_regressor.tracking.trembling import Trembling

STEP = 1 / 30
SIGMA = np.array([1e-3, 1e-3, 6e-3, 0.03, 0.03, 0.01])
EXPECTED = 0.1


def carried(t):
    """By hand: half a metre to and fro in two seconds, turning by 100 degrees."""
    pose = np.eye(4)
    pose[:3, 3] = [0.25 * np.sin(np.pi * t), 0.05 * np.sin(2 * np.pi * t), 0.7]
    pose[:3, :3] = exp(np.array([0.2, 0.9 * np.sin(np.pi * t), 0.3]))
    return pose


def still(t):
    return carried(0.2)


def excess(share, where):
    """After poses whose errors' new part has this share of the stated variance."""
    rng = np.random.default_rng(3)
    trembling, seen = Trembling(EXPECTED), []
    for i in range(600):
        pose = moved(where(i * STEP), np.sqrt(share) * SIGMA * rng.normal(size=6))
        trembling.see(pose, np.diag(SIGMA**2), STEP)
        seen.append(trembling.excess)
    return np.mean(seen[200:])


@pytest.mark.parametrize("share", [0.3, 0.8, 1.5])
def test_it_is_what_the_poses_were_made_with(share):
    assert excess(share, still) == pytest.approx(share / EXPECTED, rel=0.15)


def test_errors_as_expected_or_smaller_change_nothing():
    assert excess(0.02, still) == 1
    assert excess(0.1, still) < 1.2


def test_motion_is_not_taken_for_it():
    assert excess(0.1, carried) == pytest.approx(excess(0.1, still), abs=0.3)


def test_one_wrong_pose_does_not_count_for_long():
    trembling = Trembling(EXPECTED)
    for i in range(90):
        pose = carried(0.2)
        if i == 30:
            pose[:3, :3] = pose[:3, :3] @ exp(np.array([0, np.pi / 2, 0]))
        trembling.see(pose, np.diag(SIGMA**2), STEP)
        assert trembling.excess < 8
    assert trembling.excess < 1.2


@pytest.mark.parametrize("times", [[0.2] * 20, [0.02, 0.06] * 10], ids=["far apart", "uneven"])
def test_frames_that_say_nothing_of_it(times):
    trembling = Trembling(EXPECTED)
    for i, seconds in enumerate(times):
        trembling.see(moved(carried(0.2), 9 * SIGMA * (-1) ** i), np.diag(SIGMA**2), seconds)
    assert trembling.excess == 1
