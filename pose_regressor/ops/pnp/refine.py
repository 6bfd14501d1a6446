"""Levenberg-Marquardt on the reprojection error."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from pose_regressor.ops.pnp.objective import Derivatives, derivatives, maps, retract
from pose_regressor.ops.pnp.problem import Problem
from pose_regressor.ops.pnp.robust import RobustLoss

START_DAMPING = 1e-6
#: Newton's steps shrink quadratically: what remains after one of so many pixels is rounding.
STEP_TOLERANCE = 1e-5


class Minimum(NamedTuple):
    """pose: (B, 3, 4) of the moved points; at: the derivatives there, or a negligible step before; converged: (B,)."""

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
    """From the poses (B, 3, 4) downhill.

    curved: with the full Hessian (Newton near a minimum: converges quadratically), else Gauss-Newton (sure to point
    downhill). may_stop: look after each step how far the items are; on CUDA that would wait for the device. A pose has
    converged when a step promises to move the projections by less than step_tolerance, pixels rms.
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
        better = downhill & (new.cost <= at.cost + tolerance)  # never where a number is not finite
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
    """(B, 6), and (B,) other than 0 where there is none, the damped Hessian not being positive definite."""
    damped = torch.addcmul(at.hessian, at.hessian.abs(), damping.view(-1, 1, 1) * maps(damping.device).eye)
    factor, failed = torch.linalg.cholesky_ex(damped)
    return torch.cholesky_solve(at.gradient.unsqueeze(2), factor).squeeze(2).neg(), failed
