"""Levenberg-Marquardt on the reprojection error, for several poses of each item at once."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from pose_regressor.geometry.rotation import cayley
from pose_regressor.ops.pnp.objective import Derivatives, Problem, derivatives
from pose_regressor.ops.pnp.robust import RobustLoss

START_DAMPING = 1e-3
#: A pose has converged when its last step promised to move the projections by less than this, pixels rms. The steps'
#: lengths fall quadratically: what remains after that one is far smaller.
STEP_TOLERANCE = 1e-5


class Minimum(NamedTuple):
    """pose: (B, 3, 4) of the moved points; at: the derivatives there; converged: (B,) bool."""

    pose: Tensor
    at: Derivatives
    converged: Tensor


def minimise(
    problem: Problem, pose: Tensor, loss: RobustLoss | None, curved: bool, iterations: int, may_stop: bool = False
) -> Minimum:
    """From the poses (B, 3, 4) downhill.

    curved: with the full Hessian (Newton near a minimum: converges quadratically), else Gauss-Newton (sure to point
    downhill). may_stop: look after each step whether all have converged; on CUDA that would wait for the device.
    """
    at = derivatives(problem, pose, curved, loss)
    damping = torch.full_like(at.cost, START_DAMPING)
    converged = torch.zeros_like(at.cost, dtype=torch.bool)
    tolerance = STEP_TOLERANCE**2 * problem.weights.sum((1, 2))
    for _ in range(iterations):
        ridge = at.hessian.diagonal(dim1=1, dim2=2).abs() * damping.unsqueeze(1)
        factor, failed = torch.linalg.cholesky_ex(at.hessian + torch.diag_embed(ridge))
        step = torch.cholesky_solve(at.gradient.unsqueeze(2), factor).squeeze(2).neg()
        promised = -(step * at.gradient).sum(1)
        trial = retract(pose, step)
        new = derivatives(problem, trial, curved, loss)
        possible = failed == 0
        better = possible & (new.cost <= at.cost + tolerance)  # never where a number is not finite
        pose = torch.where(better[:, None, None], trial, pose)
        at = Derivatives(
            torch.where(better, new.cost, at.cost),
            torch.where(better[:, None], new.gradient, at.gradient),
            torch.where(better[:, None, None], new.hessian, at.hessian),
        )
        converged = converged | (better & (promised <= tolerance))
        damping = torch.where(better, damping * 0.1, damping * 10).clamp(1e-15, 1e8)
        if may_stop and bool(converged.all()):
            break
    return Minimum(pose, at, converged)


def retract(pose: Tensor, step: Tensor) -> Tensor:
    """(B, 3, 4) [R | t] moved by (B, 6) (τ, ω)."""
    translation, turn = step.split(3, 1)
    rotation = torch.bmm(cayley(turn), pose[..., :3])
    return torch.cat([rotation, pose[..., 3:] + translation.unsqueeze(2)], 2)
