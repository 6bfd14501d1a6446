"""Down to the minimum of the reprojection error, and what can be said of it: its status and its covariance.

As in `ops.pnp`: refine.py, solve.py and covariance.py, for one problem and squared errors. Tests compare the two.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pose_regressor.estimation.pnp.objective import MAPS, Derivatives, Problem, derivatives, retract
from pose_regressor.geometry.reprojection import NEAR
from pose_regressor.geometry.so3 import skew
from pose_regressor.types import FloatArray

START_DAMPING = 1e-6
#: A pose is determined if the Hessian, scaled to a unit diagonal, has no eigenvalue below about ten times this.
LEAST_CURVATURE = 1e-12
#: Fewest points with a weight.
MIN_POINTS = 4


class Minimum(NamedTuple):
    """A pose of least reprojection error.

    rotation: (3, 3) and translation: (3,) object to camera
    covariance: (6, 6) as in PoseEstimate, for pixel errors that are estimated from the residuals
    """

    rotation: FloatArray
    translation: FloatArray
    covariance: FloatArray


def damped_step(at: Derivatives, damping: float) -> FloatArray | None:
    """(k, 6) the steps; None if a damped Hessian is not positive definite."""
    damped = at.hessian + np.abs(at.hessian) * (damping * MAPS.eye)
    try:
        np.linalg.cholesky(damped)
        return np.asarray(-np.linalg.solve(damped, at.gradient[..., None])[..., 0])
    except np.linalg.LinAlgError:
        return None


def minimum_from(problem: Problem, pose: FloatArray, iterations: int, step_tolerance: float) -> Minimum | None:
    """The minimum that Newton's steps lead to from a pose (3, 4) of the moved points.

    None: there is none nearby, its points do not determine the pose, or one with a weight is behind the camera.

    iterations: most Newton steps
    step_tolerance: the pose has converged if its next step would move the projections by less than this, pixels rms
    """
    if np.count_nonzero(problem.weights) < MIN_POINTS:
        return None
    poses = pose[None]
    at = derivatives(problem, poses)
    damping, tolerance = START_DAMPING, step_tolerance**2 * float(problem.weights.sum())
    converged = False
    for _ in range(iterations):
        step = damped_step(at, damping)
        converged = step is not None and bool((step * at.gradient).sum() >= -tolerance)
        if step is not None:
            trial = retract(poses, step)
            if converged:
                poses = trial
                break
            new = derivatives(problem, trial)
            if new.cost[0] <= at.cost[0] + tolerance:  # False where a number is not finite
                poses, at, damping = trial, new, 0.1 * damping
                continue
        damping = min(max(10 * damping, 1e-3), 1e8)
    if not converged:
        return None
    return _judged(problem, poses[0], at)


def _judged(problem: Problem, pose: FloatArray, at: Derivatives) -> Minimum | None:
    depth = (problem.camera[2] @ pose) @ problem.points
    if not np.isfinite(pose).all() or (depth[problem.weights > 0] < 1.001 * NEAR).any():
        return None
    hessian = at.hessian[0]
    unit = 1 / np.sqrt(np.maximum(np.diag(hessian), 1e-300))
    # A small addition to the diagonal tells flat directions from those that lead further down.
    scaled = hessian * unit * unit[:, None] + LEAST_CURVATURE * MAPS.eye
    try:
        root = np.linalg.solve(np.linalg.cholesky(scaled), MAPS.eye)  # rootᵀ root is the inverse
    except np.linalg.LinAlgError:
        return None
    if not np.square(root).sum() < 0.1 / LEAST_CURVATURE:  # the trace of the inverse
        return None
    rotation = pose[:, :3]
    variance = 2 * float(at.cost[0]) / max(2 * np.count_nonzero(problem.weights) - 6, 1)
    # In the object's axes t moves by scale τ + centre x ω: its origin swings when the points turn about their centroid.
    chart = np.zeros((6, 6))
    chart[:3, :3] = problem.scale * MAPS.eye[:3, :3]
    chart[:3, 3:] = skew(problem.centre)
    chart[3:, 3:] = MAPS.eye[:3, :3]
    chart = (rotation @ chart.reshape(2, 3, 6)).reshape(6, 6)
    root = (root * unit) @ chart.T
    translation = problem.scale * pose[:, 3] - rotation @ problem.centre
    return Minimum(rotation, translation, variance * (root.T @ root))
