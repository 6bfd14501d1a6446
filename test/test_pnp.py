"""PnP: exact without noise, robust against outliers, its covariance against a Monte Carlo."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pose_regressor.ops.pnp_opencv import MIN_POINTS, solve_pnp
from pose_regressor.types import InputError

K = np.array([[500.0, 0, 64], [0, 500, 64], [0, 0, 1]])
POSE = np.eye(4)
POSE[:3, :3] = Rotation.from_euler("xyz", [0.4, -0.7, 1.1]).as_matrix()
POSE[:3, 3] = [0.01, -0.02, 0.6]


def make(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    points = rng.uniform(-0.05, 0.05, (count, 3))
    camera = points @ POSE[:3, :3].T + POSE[:3, 3]
    pixels = camera @ K.T
    return pixels[:, :2] / pixels[:, 2:], points


def test_exact_correspondences_give_the_exact_pose():
    pixels, points = make(50, np.random.default_rng(0))
    result = solve_pnp(pixels, points, K, threshold=2.0)
    np.testing.assert_allclose(result.cam_from_obj, POSE, atol=1e-6)
    assert result.inliers.all() and result.rms < 1e-3


def test_half_of_the_correspondences_may_be_wrong():
    rng = np.random.default_rng(1)
    pixels, points = make(200, rng)
    pixels[:100] = rng.uniform(0, 128, (100, 2))
    result = solve_pnp(pixels, points, K, threshold=2.0)
    np.testing.assert_allclose(result.cam_from_obj, POSE, atol=1e-3)
    assert result.inliers[100:].all() and result.inliers[:100].sum() < 10


def test_covariance_predicts_the_spread():
    """With as many points as the formula takes for independent, the errors have the covariance it states."""
    rng = np.random.default_rng(2)
    pixels, points = make(60, rng)
    errors, stated = [], []
    for _ in range(300):
        result = solve_pnp(pixels + rng.normal(0, 0.5, pixels.shape), points, K, threshold=5.0)
        turn = Rotation.from_matrix(result.cam_from_obj[:3, :3] @ POSE[:3, :3].T).as_rotvec()
        errors.append([*(result.cam_from_obj[:3, 3] - POSE[:3, 3]), *turn])
        stated.append(result.covariance)
    measured = np.cov(np.array(errors).T)
    independent = np.mean(stated, axis=0) * MIN_POINTS / 60
    np.testing.assert_allclose(np.sqrt(np.diag(independent)), np.sqrt(np.diag(measured)), rtol=0.15)


@pytest.mark.parametrize("count", [0, 3, MIN_POINTS])
def test_too_few_points_are_no_pose(count):
    assert solve_pnp(*make(count, np.random.default_rng(3)), K, threshold=2.0) is None


def test_degenerate_points_are_no_pose_or_a_finite_one():
    line = np.linspace(-0.05, 0.05, 30)[:, None] * np.array([1.0, 0, 0])
    for points in (line, np.zeros((30, 3))):
        result = solve_pnp(np.random.default_rng(4).uniform(0, 128, (30, 2)), points, K, threshold=2.0)
        assert result is None or np.isfinite(result.cam_from_obj).all()


def test_wrong_shapes_are_named():
    with pytest.raises(InputError, match=r"got \(5, 2\) and \(4, 3\)"):
        solve_pnp(np.zeros((5, 2)), np.zeros((4, 3)), K, threshold=2.0)
