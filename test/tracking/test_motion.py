"""The filter of an object's motion against the posterior, integrated numerically."""

import numpy as np
import pytest
from scipy.stats import norm

from pose_regressor.tracking.kalman import moved
from pose_regressor.tracking.motion import MotionFilter, MotionNoise


@pytest.mark.parametrize("offset", [0.0, 0.01, 0.03, 0.1])
def test_a_pose_whose_error_is_of_one_of_two_kinds(words, offset):
    pose, before, usual, leap, leaps = words.pose([0, 0, 0.5], [1, 0, 0]), 0.01, 0.004, 0.05, 0.1
    variances = np.full(6, before**2)
    filtered = MotionFilter(pose, np.diag(variances), MotionNoise())
    # The kinds differ along x alone, so that the posterior is one of x.
    kinds = [np.diag(np.append(sigma**2, variances[1:])) for sigma in (usual, leap)]
    filtered.update(moved(pose, np.array([offset, 0, 0, 0, 0, 0])), kinds, (1 - leaps, leaps))

    x = np.linspace(-0.3, 0.3, 60001)
    density = norm.pdf(x, scale=before) * (
        (1 - leaps) * norm.pdf(offset - x, scale=usual) + leaps * norm.pdf(offset - x, scale=leap)
    )
    density /= density.sum()
    mean = float(density @ x)
    assert filtered.state.pose[0, 3] == pytest.approx(mean, abs=1e-7)
    assert filtered.state.covariance[0, 0] == pytest.approx(density @ (x - mean) ** 2, rel=1e-3)
