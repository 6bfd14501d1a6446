"""The reprojection error of one crop's points, with gradient and Hessian by the pose, for several poses at once.

The formulas are those of `ops.pnp.objective`, which derives them; tests compare the two. There every item of a batch
has points of its own. Here all poses share them, so the poses are the batch.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pose_regressor.geometry.reprojection import NEAR, PAIRS, pose_maps
from pose_regressor.types import FloatArray

MAPS = pose_maps()
#: The weight of a point in the centroid may not be divided by less.
TINY = 1e-300


class Problem(NamedTuple):
    """N correspondences, with their points centred and scaled ("moved").

    pixels: (2, N)
    points: (4, N) moved, homogeneous
    moments: (N, 10) products of any two of a point's four coordinates
    weights: (N,)
    camera: (3, 3)
    centre: (3,) and scale: object point = scale * point + centre
    """

    pixels: FloatArray
    points: FloatArray
    moments: FloatArray
    weights: FloatArray
    camera: FloatArray
    centre: FloatArray
    scale: float


class Derivatives(NamedTuple):
    """Half the weighted sum of squares and its derivatives by ξ, at k poses.

    cost: (k,)
    gradient: (k, 6)
    hessian: (k, 6, 6)
    """

    cost: FloatArray
    gradient: FloatArray
    hessian: FloatArray


def prepare(pixels: FloatArray, points: FloatArray, camera: FloatArray, weights: FloatArray) -> Problem:
    """pixels: (N, 2); points: (N, 3); camera: (3, 3); weights: (N,)."""
    share = weights / max(float(weights.sum()), TINY)
    centre = share @ points
    moved = points.T - centre[:, None]
    scale = float(np.sqrt((share * np.square(moved)).sum())) or 1.0
    homogeneous = np.ones((4, len(points)))
    np.divide(moved, scale, out=homogeneous[:3])
    moments = np.ascontiguousarray((homogeneous[PAIRS[0]] * homogeneous[PAIRS[1]]).T)
    return Problem(np.ascontiguousarray(pixels.T), homogeneous, moments, weights, camera, centre, scale)


def derivatives(problem: Problem, poses: FloatArray, geman_mcclure: float | None = None) -> Derivatives:
    """Derivatives at poses (k, 3, 4) = [R | t] of the moved points.

    geman_mcclure: None: squared errors, with the full Hessian; else the scale in pixels of that robust loss (see
        `ops.pnp.robust`), with Gauss-Newton's Hessian: it lacks the second derivatives of projection and loss
    """
    projection = problem.camera @ poses
    h = projection @ problem.points
    inverse = 1 / np.maximum(h[:, 2:], NEAR)
    image = h[:, :2] * inverse
    residual = image - problem.pixels
    x, y = np.square(residual).swapaxes(0, 1)
    squared, weights = (x + y)[:, None], problem.weights
    if geman_mcclure is None:
        cost = 0.5 * (squared @ weights)[:, 0]
    else:
        ratio = 1 + squared / geman_mcclure**2
        cost = 0.5 * ((squared / ratio) @ weights)[:, 0]
        weights = weights / np.square(ratio)
    scaled = weights * inverse
    pull = scaled * residual
    # The rows of S = [[s, 0, -a], [0, s, -b], [-a, -b, c]], s, a, b, c; then the derivative by h.
    rows = np.empty((len(poses), 7, len(problem.weights)))
    diagonal = np.multiply(scaled, inverse, out=rows[:, :1])
    mixed = far = np.multiply(diagonal, image, out=rows[:, 1:3])
    if geman_mcclure is None:
        fall = diagonal * residual
        mixed += fall
        far = mixed + fall
    np.add(far[:, 0] * image[:, 0], far[:, 1] * image[:, 1], out=rows[:, 3])
    rows[:, 4:6] = pull
    np.subtract(-pull[:, 0] * image[:, 0], pull[:, 1] * image[:, 1], out=rows[:, 6])

    sums = rows @ problem.moments
    by_point = (projection.swapaxes(1, 2) @ sums[:, 4:]).reshape(-1, 40)
    square = (projection.reshape(-1, 12, 1) * projection.reshape(-1, 1, 12)).reshape(-1, 144)
    metric = (square @ MAPS.metric).reshape(-1, 6, 4)
    hessian = (metric @ sums[:, :4]).reshape(-1, 60) @ MAPS.hessian
    if geman_mcclure is None:
        hessian += by_point @ MAPS.curvature
    return Derivatives(cost, by_point @ MAPS.gradient, hessian.reshape(-1, 6, 6))


def retract(poses: FloatArray, step: FloatArray) -> FloatArray:
    """(k, 3, 4) [R | t] moved by (k, 6) ξ: [R C(ω) | t + R τ]."""
    by = (step @ MAPS.motion).reshape(-1, 4, 4)
    moved = poses @ by
    moved += 0.5 * (moved @ (by * MAPS.turning))
    divisor = 1 + np.square(step) @ MAPS.quarter
    return poses + moved / divisor[:, None]


def squared_errors(problem: Problem, poses: FloatArray, dtype: type[np.floating] = np.float64) -> NDArray[np.floating]:
    """(k, N) squared reprojection errors at poses (k, 3, 4), computed in `dtype`."""
    points = problem.points.astype(dtype)
    # All first rows, all second, all third: one by one, because BLAS would share the whole product among threads.
    first, second, depth = (rows @ points for rows in (problem.camera @ poses).swapaxes(0, 1).astype(dtype))
    inverse = 1 / np.maximum(depth, dtype(NEAR))
    x, y = problem.pixels.astype(dtype)
    return np.asarray(np.square(first * inverse - x) + np.square(second * inverse - y))


def moved_pose(problem: Problem, pose: FloatArray) -> FloatArray:
    """(3, 4) [R | t] of the object's points -> that of the moved points."""
    rotation, translation = pose[:, :3], pose[:, 3]
    return np.column_stack([rotation, (translation + rotation @ problem.centre) / problem.scale])
