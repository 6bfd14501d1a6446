"""Rigid transforms, small motions, and pose errors by their definitions."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pose_regressor.geometry.errors import add, rotation_error, translation_error
from pose_regressor.geometry.rigid import apply, difference, moved, rigid
from pose_regressor.geometry.so3 import angle


def pose(seed):
    rng = np.random.default_rng(seed)
    return rigid(Rotation.random(random_state=seed).as_matrix(), rng.normal(size=3))


def test_transforms_compose():
    points = np.random.default_rng(0).normal(size=(7, 3))
    together = apply(pose(1) @ pose(2), points)
    np.testing.assert_allclose(apply(pose(1), apply(pose(2), points)), together, atol=1e-12)
    np.testing.assert_allclose(apply(np.linalg.inv(pose(1)), apply(pose(1), points)), points, atol=1e-12)
    batch = apply(np.stack([pose(1), pose(2)]), np.stack([points, points]))
    np.testing.assert_allclose(batch[1], apply(pose(2), points))


def test_moved_is_the_opposite_of_difference():
    for seed in range(5):
        reached = moved(pose(seed), difference(pose(seed + 5), pose(seed)))
        np.testing.assert_allclose(reached, pose(seed + 5), atol=1e-12)


@pytest.mark.parametrize("turn", [0.0, 1e-9, 1e-4, 1.0, np.pi - 1e-9, np.pi])
def test_the_angle_is_exact_at_both_ends(turn):
    matrix = Rotation.from_rotvec(turn * np.array([0.6, 0, 0.8])).as_matrix()
    assert angle(matrix) == pytest.approx(turn, abs=1e-12)


def test_errors():
    truth, points = pose(3), np.random.default_rng(0).normal(size=(50, 3))
    shifted = moved(truth, np.array([0.03, 0, 0.04, 0, 0, 0]))
    assert add(shifted, truth, points) == pytest.approx(0.05)
    assert translation_error(shifted, truth) == pytest.approx(0.05)
    assert rotation_error(shifted, truth) == pytest.approx(0, abs=1e-12)
    turned = moved(truth, np.array([0, 0, 0, 0.3, -0.4, 0]))
    assert rotation_error(turned, truth) == pytest.approx(0.5)
    apart = np.linalg.norm(apply(turned, points) - apply(truth, points), axis=1)
    assert add(turned, truth, points) == pytest.approx(apart.mean())
