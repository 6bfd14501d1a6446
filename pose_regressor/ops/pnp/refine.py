"""Levenberg-Marquardt on the reprojection error."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from pose_regressor.ops.pnp.objective import Derivatives, derivatives, maps, retract
from pose_regressor.ops.pnp.problem import Problem
from pose_regressor.ops.pnp.robust import RobustLoss

START_DAMPING = 1e-6
#: Pixels. Newton's steps shrink quadratically: after one of this size only rounding remains.
STEP_TOLERANCE = 1e-5


class Minimum(NamedTuple):
    """Where the descent ended.

    pose: (B, 3, 4) of the moved points
    at: the derivatives there, or a negligible step before
    converged: (B,) bool
    """

    pose: Tensor
    at: Derivatives
    converged: Tensor


def minimise(
    problem: Problem,
    pose: Tensor,
    loss: RobustLoss | None,
    curved: bool,
    iterations: int,
    may_stop: bool,
    step_tolerance: float,
) -> Minimum:
    """Descend from the poses (B, 3, 4).

    curved: True: the full Hessian, so that steps converge quadratically near a minimum; False: Gauss-Newton, whose
        steps always point downhill
    may_stop: check after each step whether all items have converged; on CUDA this waits for the device
    step_tolerance: a pose has converged if its next step would move the projections by less than this, pixels rms
    """
    at = derivatives(problem, pose, curved, loss)
    damping = torch.full_like(at.cost, START_DAMPING)
    converged = torch.zeros_like(at.cost, dtype=torch.bool)
    tolerance = step_tolerance**2 * problem.weights.sum((1, 2))
    for _ in range(iterations):
        step, failed = damped_step(at, damping)
        downhill = failed == 0
        small = downhill & ((step * at.gradient).sum(1) >= -tolerance)
        converged = converged | small
        trial = retract(pose, step)
        if may_stop and bool(small.all()):
            return Minimum(trial, at, converged)
        new = derivatives(problem, trial, curved, loss)
        better = downhill & (new.cost <= at.cost + tolerance)  # False where a number is not finite
        if may_stop and bool(better.all()):
            pose, at, damping = trial, new, 0.1 * damping
        else:
            pose = torch.where(better[:, None, None], trial, pose)
            at = Derivatives(
                torch.where(better, new.cost, at.cost),
                torch.where(better[:, None], new.gradient, at.gradient),
                torch.where(better[:, None, None], new.hessian, at.hessian),
            )
            damping = torch.where(better, 0.1 * damping, (10 * damping).clamp(1e-3, 1e8))
    return Minimum(pose, at, converged)


def damped_step(at: Derivatives, damping: Tensor) -> tuple[Tensor, Tensor]:
    """(B, 6) the step; (B,) not 0 where there is none, because the damped Hessian is not positive definite."""
    damped = torch.addcmul(at.hessian, at.hessian.abs(), damping.view(-1, 1, 1) * maps(damping.device).eye)
    factor, failed = torch.linalg.cholesky_ex(damped)
    return torch.cholesky_solve(at.gradient.unsqueeze(2), factor).squeeze(2).neg(), failed
