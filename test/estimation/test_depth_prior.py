"""The prior of a pose before depth is compared: Gaussian fusion in closed form, tails, and whom depth believes."""

import numpy as np
import pytest

from pose_regressor.estimation.depth_prior import (
    CORE,
    DOUBTED_SIDE,
    DOUBTED_TURN,
    TAIL,
    DepthPrior,
)
from pose_regressor.estimation.least_squares import stepped
from pose_regressor.estimation.sensor_bias import BIAS_SHARE, BIAS_SIGMA
from pose_regressor.geometry.rigid import rigid
from pose_regressor.geometry.so3 import exp

DIAMETER = 0.2
POSE = rigid(exp(np.array([0.4, -0.7, 0.2])), np.array([0.15, -0.1, 0.8]))
RAY = POSE[:3, 3] / np.linalg.norm(POSE[:3, 3])


def covariance(along, across, turn):
    """(6, 6) with these standard deviations along the ray, across it and of the rotation."""
    position = across**2 * np.eye(3) + (along**2 - across**2) * np.outer(RAY, RAY)
    return np.block([[position, np.zeros((3, 3))], [np.zeros((3, 3)), turn**2 * np.eye(3)]])


def prior(along=0.004, across=0.0005, turn=0.01):
    return DepthPrior.of(POSE, covariance(along, across, turn), DIAMETER)


def measured(shift, sigmas):
    """Information and slope of depth that measures each number of a shift, with these standard deviations."""
    data = np.diag(1 / np.square(sigmas))
    return data, data @ shift


def test_the_axes_are_the_ray_and_what_is_across():
    for position in ([0.1, 0.2, 0.9], [0.0, -3.0, 0.1], [0.0, 0.0, 0.5]):
        pose = rigid(np.eye(3), np.array(position))
        axes = DepthPrior.of(pose, covariance(0.01, 0.01, 0.1), DIAMETER).axes
        np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(axes) == pytest.approx(1)
        np.testing.assert_allclose(axes @ position, [np.linalg.norm(position), 0, 0], atol=1e-12)


def test_a_shift_along_the_ray_changes_nothing_but_the_distance():
    shift = np.array([0.03, 0, 0, 0, 0, 0, 0.0])
    after = stepped(POSE, prior().step(shift))
    np.testing.assert_allclose(after[:3, 3], POSE[:3, 3] + 0.03 * RAY)
    np.testing.assert_array_equal(after[:3, :3], POSE[:3, :3])


def test_a_covariance_survives_the_change_of_axes():
    own = covariance(0.004, 0.002, 0.03)
    own += 1e-4 * np.outer(np.arange(1, 7) / 100, np.arange(1, 7) / 100)
    added = np.diag([0, *[DOUBTED_SIDE * DIAMETER] * 2, *[DOUBTED_TURN] * 3]) ** 2
    one = DepthPrior.of(POSE, own, DIAMETER)
    doubted = np.linalg.inv(one.information[1])
    doubted[:6, :6] -= added
    np.testing.assert_allclose(one.pose_covariance(doubted), own, atol=1e-12)


def test_image_and_depth_share_the_distance_by_their_variances():
    """Depth is exact but for the sensor's bias. So the image's distance competes with the bias: in closed form."""
    sigma, bias, off = 0.004, np.hypot(BIAS_SIGMA, BIAS_SHARE * POSE[2, 3]), 0.001
    # Depth sees the sum of the shift along the ray and of the bias; all else it finds where the image has it.
    seen = np.array([1.0, 0, 0, 0, 0, 0, 1])
    data = 1e12 * np.outer(seen, seen) + np.diag([0, 1e7, 1e7, 1e5, 1e5, 1e5, 0])
    one, step = prior(sigma), np.zeros(7)
    for _ in range(30):
        solved = one.solve(np.zeros(7), step, data, 1e12 * off * seen)
        step = solved.step
    variance = (CORE * sigma) ** 2 * (TAIL + (step[0] / (CORE * sigma)) ** 2) / (TAIL + 1)
    assert step[0] == pytest.approx(off * variance / (variance + bias**2), rel=1e-3)
    assert step[6] == pytest.approx(off - step[0], rel=1e-3)
    assert solved.inverse[0, 0] == pytest.approx(1 / (1 / variance + 1 / bias**2), rel=1e-2)


def test_an_image_that_is_far_off_does_not_hold_the_distance():
    """The share of the way back that a pose is held, after depth moved it by an eighth of its standard deviation, and
    by ten."""
    one, sigmas = prior(along=0.004), [0.001, 0.001, 0.001, 0.01, 0.01, 0.01, 1e-6]
    held = []
    for off in (0.0005, 0.04):
        shift = np.array([off, 0, 0, 0, 0, 0, 0.0])
        held.append(-one.solve(shift, np.zeros(7), *measured(np.zeros(7), sigmas)).step[0] / off)
    assert 0.2 < held[0] < 0.5
    assert 0 < held[1] < 0.05


@pytest.mark.parametrize(("turned", "trusted"), [(0.004, True), (0.2, False)])
def test_depth_tells_whether_the_image_is_to_be_trusted(turned, trusted):
    """Depth that knows the rotation well finds it where the image has it, or far from there."""
    one, sigmas = prior(turn=0.01), [0.003, 0.001, 0.001, 0.004, 0.004, 0.004, 0.003]
    truth = np.array([0, 0, 0, turned, -turned, turned, 0.0])
    solved = one.solve(np.zeros(7), np.zeros(7), *measured(truth, sigmas))
    best = 0 if trusted else 1
    np.testing.assert_allclose(solved.information, one.at(np.zeros(7))[0][best])
    if not trusted:
        np.testing.assert_allclose(solved.step[3:6], truth[3:6], rtol=0.02)


def test_without_news_from_depth_the_image_is_doubted():
    one = prior()
    solved = one.solve(np.zeros(7), np.zeros(7), np.zeros((7, 7)), np.zeros(7))
    np.testing.assert_array_equal(solved.information, one.at(np.zeros(7))[0][1])
    np.testing.assert_allclose(solved.step, 0)


def test_the_length_of_a_shift_is_in_standard_deviations():
    one = prior(turn=0.05)
    shift = np.zeros(7)
    shift[3] = 3 * np.hypot(0.05, DOUBTED_TURN)
    assert one.length(shift) == pytest.approx(3)
