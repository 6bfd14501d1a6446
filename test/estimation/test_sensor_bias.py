"""What objects of one frame tell each other of the depth sensor, compared with the exact joint solution."""

from dataclasses import replace

import numpy as np
import pytest

from pose_regressor.estimation.sensor_bias import BIAS_SHARE, BIAS_SIGMA, BiasBelief, told_by_others
from pose_regressor.geometry.rigid import rigid
from pose_regressor.types import Camera, ObjectModel, PoseEstimate

CAMERA = Camera(640, 480, np.array([[600.0, 0, 320], [0, 600, 240], [0, 0, 1]]))
DISTANCES = np.array([0.6, 0.9, 1.4])
#: Standard deviations in metres: of each image's distance, and of the depth's noise.
IMAGE, NOISE = np.array([0.002, 0.004, 0.02]), 0.0005


def model(number):
    corners = 0.05 * np.array([[x, y, z] for x in (-1.0, 1) for y in (-1, 1) for z in (-1, 1)])
    return ObjectModel(f"box_{number}", number, 0.17, corners[[0, -1]], corners, corners)


def frame(from_image, from_depth):
    """Estimates on the optical axis, each from its own image and depth, and what each says of the sensor.

    from_image, from_depth: (3,) distances, less the true ones, metres
    """
    estimates, beliefs = [], []
    for number, (distance, image, depth) in enumerate(zip(DISTANCES, from_image, from_depth, strict=True)):
        # Unknowns: what is to be added to the true distance, and the sensor's error.
        prior = BIAS_SIGMA**2 + (BIAS_SHARE * distance) ** 2
        information = np.diag([1 / IMAGE[number] ** 2, 1 / prior]) + np.ones((2, 2)) / NOISE**2
        covariance = np.linalg.inv(information)
        off, bias = covariance @ [image / IMAGE[number] ** 2 + depth / NOISE**2, depth / NOISE**2]
        full = 1e-6 * np.eye(6)
        full[2, 2] = covariance[0, 0]
        with_pose = np.array([0, 0, covariance[0, 1], 0, 0, 0])
        pose = rigid(np.eye(3), np.array([0, 0, distance + off]))
        box = np.array([200.0 * number, 0, 200.0 * number + 100, 100])
        estimates.append(PoseEstimate(model(number), pose, full, 0.9, "pnp", box, depth_share=0.9))
        beliefs.append(BiasBelief(bias, covariance[1, 1], prior, with_pose, distance))
    return estimates, beliefs


def jointly(from_image, from_depth):
    """(3,) errors of the distances and (3,) their variances, all unknowns of all objects solved together."""
    n = len(DISTANCES)
    # Unknowns: n distances, n errors around the objects, the share of the sensor.
    information, right = np.zeros((2 * n + 1, 2 * n + 1)), np.zeros(2 * n + 1)
    information[-1, -1] = 1 / BIAS_SHARE**2
    for i in range(n):
        information[i, i] += 1 / IMAGE[i] ** 2
        right[i] += from_image[i] / IMAGE[i] ** 2
        information[n + i, n + i] += 1 / BIAS_SIGMA**2
        seen = np.zeros(2 * n + 1)
        seen[[i, n + i, -1]] = 1, 1, DISTANCES[i]
        information += np.outer(seen, seen) / NOISE**2
        right += seen * from_depth[i] / NOISE**2
    covariance = np.linalg.inv(information)
    return (covariance @ right)[:n], np.diag(covariance)[:n]


def test_objects_find_out_the_sensors_error_as_if_all_were_solved_at_once():
    from_image, from_depth = np.array([0.001, -0.002, 0.01]), 0.006 * DISTANCES + [0.0003, -0.001, 0.0005]
    told = told_by_others(*frame(from_image, from_depth), [1.0] * 3, CAMERA)
    off, variance = jointly(from_image, from_depth)
    np.testing.assert_allclose([e.translation[2] for e in told] - DISTANCES, off, rtol=2e-2, atol=2e-6)
    np.testing.assert_allclose([e.covariance[2, 2] for e in told], variance, rtol=2e-2)


def test_distances_become_better():
    """Over many sensors, the one that knows least by its image gains most, and covariances stay honest."""
    rng, before, after, expected = np.random.default_rng(0), [], [], []
    for _ in range(400):
        errors = BIAS_SHARE * rng.standard_normal() * DISTANCES + np.hypot(BIAS_SIGMA, NOISE) * rng.standard_normal(3)
        estimates, beliefs = frame(IMAGE * rng.standard_normal(3), errors)
        told = told_by_others(estimates, beliefs, [1.0] * 3, CAMERA)
        before.append([e.translation[2] for e in estimates] - DISTANCES)
        after.append([e.translation[2] for e in told] - DISTANCES)
        expected.append([e.covariance[2, 2] for e in told])
    before, after = np.std(before, axis=0), np.std(after, axis=0)
    assert (after < before).all()
    assert after[2] < 0.75 * before[2]
    np.testing.assert_allclose(after, np.sqrt(np.mean(expected, axis=0)), rtol=0.1)


def test_a_scaled_covariance_narrows_as_much():
    estimates, beliefs = frame(np.zeros(3), np.zeros(3))
    once = told_by_others(estimates, beliefs, [1.0] * 3, CAMERA)
    scaled = [replace(e, covariance=3 * e.covariance) for e in estimates]
    for one, three in zip(once, told_by_others(scaled, beliefs, [3.0] * 3, CAMERA), strict=True):
        np.testing.assert_allclose(three.covariance, 3 * one.covariance)


@pytest.mark.parametrize("unlikely", [False, True])
def test_who_cannot_tell_changes_nothing(unlikely):
    """One object alone, poses without depth, poses that are likely wrong, and a second answer for the same object."""
    estimates, beliefs = frame(np.zeros(3), 0.004 * DISTANCES)
    if unlikely:
        estimates[1:] = [replace(e, score=0.3) for e in estimates[1:]]
    else:
        beliefs[1:] = [None, None]
        estimates.append(replace(estimates[0], score=0.6))
        beliefs.append(beliefs[0])
    told = told_by_others(estimates, beliefs, [1.0] * len(estimates), CAMERA)
    assert told[0] is estimates[0]
    if not unlikely:
        assert all(one is before for one, before in zip(told, estimates, strict=True))
