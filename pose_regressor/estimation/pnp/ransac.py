"""The pose that most correspondences agree on, where many of them are wrong: `ops.pnp.ransac_pnp` for one crop.

Tests compare the two. They draw the same points, because torch and NumPy make the same random numbers of a seed.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pose_regressor.estimation.pnp.minimum import START_DAMPING, Minimum, damped_step, minimum_from
from pose_regressor.estimation.pnp.objective import (
    Problem,
    derivatives,
    moved_pose,
    prepare,
    retract,
    squared_errors,
)
from pose_regressor.estimation.pnp.p3p import four_point_pose
from pose_regressor.types import FloatArray

#: Hypotheses are ranked and refined on about RANKED_ON correspondences; REFINED of them are refined, by STEPS steps.
RANKED_ON, REFINED, STEPS = 256, 4, 2
#: A given start is refined by this many steps. It is enough if this share of the correspondences is then within the
#: threshold.
START_STEPS, START_ENOUGH = 4, 0.9
#: Else the first hypotheses are enough if their best pose has this share w. Then all of them drew a wrong point with a
#: probability of (1 - w⁴)^FIRST, one in ten thousand (Fischler and Bolles, Random sample consensus, CACM 24(6), 1981).
#: More would lead to the same optimum.
FIRST, ENOUGH = 16, 0.82
#: Of fewer correspondences such a share says too little: all hypotheses are tried.
TELLING = 256
#: Most Newton steps over the correspondences that agree, and the size of a step, pixels, after which they end. The
#: error that remains is of the order of its square.
ITERATIONS, TOLERANCE = 20, 1e-2


class Consensus(NamedTuple):
    """What correspondences agree on.

    minimum: their pose; None if they determine none
    inliers: (N,) bool, correspondences within the threshold
    """

    minimum: Minimum | None
    inliers: NDArray[np.bool_]


def ransac_pnp(
    pixels: FloatArray,
    points: FloatArray,
    camera_matrix: FloatArray,
    threshold: float,
    weights: FloatArray,
    draws: FloatArray,
    core: float = 1.0,
    start: FloatArray | None = None,
) -> Consensus:
    """The pose that most correspondences agree on.

    Each hypothesis is a pose of three random points, the one that suits a fourth best. Those of least truncated squared
    error (MSAC: Torr and Zisserman, MLESAC, CVIU 78(1), 2000) are refined with a loss that ignores far points. The best
    of them is refined to the optimum over the points within core * threshold. All but FIRST hypotheses are left out if
    most points agree with the best of these.

    pixels: (N, 2), N >= 1; points: (N, 3); camera_matrix: (3, 3)
    threshold: pixels within which a correspondence agrees
    weights: (N,) above 0: inverse variances up to a common factor, which count only in the last refinement
    draws: (4, H) random numbers from 0 to 1, see `uniform_draws`: which four points each of H hypotheses takes
    core: share of the threshold; below 1, the optimum depends less on heavy tails of the errors
    start: (3, 4) a pose that may be near; if it leads to one that nearly all points agree with, no hypothesis is tried
    """
    problem = prepare(pixels, points, camera_matrix, np.ones(len(pixels)))
    some = _thinned(problem, max(1, len(pixels) // RANKED_ON))
    pose, squared = _found(problem, some, draws, threshold, start)
    agreeing = np.where(squared < (core * threshold) ** 2, weights, 0.0)
    minimum = minimum_from(problem._replace(weights=agreeing), pose, ITERATIONS, TOLERANCE)
    if minimum is None:
        return Consensus(None, np.zeros(len(pixels), bool))
    final = moved_pose(problem, np.column_stack([minimum.rotation, minimum.translation]))
    return Consensus(minimum, squared_errors(problem, final[None])[0] < threshold**2)


@lru_cache(16)
def uniform_draws(rows: int, hypotheses: int, seed: int = 0) -> FloatArray:
    """(rows, 4, hypotheses) random numbers in [0, 1), as torch draws them: 53 bits of two words, the first above."""
    words = np.random.RandomState(seed).randint(0, 2**32, (rows, 4, hypotheses, 2), dtype=np.uint32).astype(np.uint64)
    bits = (words[..., 0] << np.uint64(32) | words[..., 1]) & np.uint64(2**53 - 1)
    draws = bits.astype(np.float64) / 2**53
    draws.flags.writeable = False
    return draws


def _thinned(problem: Problem, stride: int) -> Problem:
    """Every stride-th correspondence."""
    return problem._replace(
        pixels=problem.pixels[:, ::stride],
        points=problem.points[:, ::stride],
        moments=problem.moments[::stride],
        weights=problem.weights[::stride],
    )


def _hypotheses(problem: Problem, draws: FloatArray) -> FloatArray:
    """(H, 3, 4): each the pose of three random points that suits a fourth best."""
    chances = np.cumsum(problem.weights)
    index = np.minimum(np.searchsorted(chances / chances[-1], draws), len(chances) - 1)  # (4, H)
    inverse = np.linalg.inv(problem.camera)
    rays = inverse[:, :2] @ problem.pixels + inverse[:, 2:]
    rays /= np.sqrt(np.square(rays).sum(0))
    poses = four_point_pose(rays[:, index].swapaxes(0, 1), problem.points[:3, index].swapaxes(0, 1))
    return np.where(np.isfinite(poses), poses, 0.0)


def _found(
    problem: Problem, some: Problem, draws: FloatArray, threshold: float, start: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    """The pose (3, 4) that most of the points agree with, as far as a few steps lead; and its (N,) squared errors.

    some: the correspondences that poses are ranked and refined on
    """
    many = problem.points.shape[1] >= TELLING
    if many and start is not None:
        pose = _improved(some, moved_pose(problem, start)[None], threshold, START_STEPS)
        squared = squared_errors(problem, pose)[0]
        if np.mean(squared < threshold**2) >= START_ENOUGH:
            return pose[0], squared
    first = FIRST if many else draws.shape[1]
    hypotheses = _hypotheses(problem, draws[:, :first])
    pose, squared = _best(problem, some, hypotheses, threshold)
    if draws.shape[1] > first and np.mean(squared < threshold**2) < ENOUGH:
        hypotheses = np.concatenate([hypotheses, _hypotheses(problem, draws[:, first:])])
        pose, squared = _best(problem, some, hypotheses, threshold)
    return pose, squared


def _best(problem: Problem, some: Problem, hypotheses: FloatArray, threshold: float) -> tuple[FloatArray, FloatArray]:
    """The best of the hypotheses (k, 3, 4) and of what refining the best of them gives, as in `_found`."""
    poses = _lowest(some, hypotheses, threshold, REFINED)
    poses = np.concatenate([_improved(some, poses, threshold), poses])
    pose = _lowest(problem, poses, threshold, 1)
    return pose[0], squared_errors(problem, pose)[0]


def _improved(problem: Problem, poses: FloatArray, threshold: float, steps: int = STEPS) -> FloatArray:
    """The poses (k, 3, 4) after Gauss-Newton steps, with a loss that ignores far points."""
    for _ in range(steps):
        step = damped_step(derivatives(problem, poses, threshold / 2), START_DAMPING)
        if step is None:
            return poses
        poses = retract(poses, step)
    return poses


def _lowest(problem: Problem, poses: FloatArray, threshold: float, count: int) -> FloatArray:
    """The `count` poses of (k, 3, 4) with the least truncated squared error; float32 is exact enough here."""
    errors = np.minimum(squared_errors(problem, poses, np.float32), np.float32(threshold**2))
    total = errors @ problem.weights.astype(np.float32)
    total[np.isnan(total)] = np.inf
    return poses[np.argsort(total, kind="stable")[:count]]
