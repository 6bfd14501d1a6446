"""Levenberg-Marquardt on the reprojection error, for several poses of each item at once."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from pose_regressor.geometry.rotation import cayley
from pose_regressor.ops.pnp.objective import Derivatives, Problem, derivatives
from pose_regressor.ops.pnp.robust import RobustLoss

START_DAMPING = 1e-3


class Minimum(NamedTuple):
    """pose: (B, k, 3, 4) of the moved points; at: the derivatives there; converged: (B, k) bool."""

    pose: Tensor
    at: Derivatives
    converged: Tensor


def minimise(
    problem: Problem, pose: Tensor, loss: RobustLoss | None, curved: bool, iterations: int, may_stop: bool = False
) -> Minimum:
    """From poses (B, k, 3, 4) downhill.

    curved: with the full Hessian (Newton near a minimum: converges quadratically), else Gauss-Newton (sure to point
    downhill). may_stop: look after each step whether all have converged; on CUDA that would wait for the device.
    """
    at = derivatives(problem, pose, curved, loss)
    damping = torch.full_like(at.cost, START_DAMPING)
    converged = torch.zeros_like(at.cost, dtype=torch.bool)
    tolerance = step_tolerance(problem)
    for _ in range(iterations):
        diagonal = at.hessian.diagonal(dim1=-2, dim2=-1).abs() * damping.unsqueeze(-1) + 1e-300
        factor, failed = torch.linalg.cholesky_ex(at.hessian + torch.diag_embed(diagonal))
        possible = failed == 0
        factor = torch.where(possible[..., None, None], factor, torch.eye(6, dtype=factor.dtype, device=factor.device))
        step = -torch.cholesky_solve(at.gradient.unsqueeze(-1), factor).squeeze(-1)
        decrement = -(step * at.gradient).sum(-1)
        trial = retract(pose, step)
        new = derivatives(problem, trial, curved, loss)
        better = possible & (new.cost <= at.cost * (1 + 1e-12) + tolerance)
        pose = torch.where(better[..., None, None], trial, pose)
        at = Derivatives(
            torch.where(better, new.cost, at.cost),
            torch.where(better[..., None], new.gradient, at.gradient),
            torch.where(better[..., None, None], new.hessian, at.hessian),
        )
        converged = converged | (possible & (decrement <= tolerance))
        damping = torch.where(better, damping * 0.1, damping * 10).clamp(1e-15, 1e8)
        if may_stop and bool(converged.all()):
            break
    return Minimum(pose, at, converged)


def step_tolerance(problem: Problem) -> Tensor:
    """(B, 1): what a step may still promise to lower the cost by at a minimum: 1e-6 pixels rms, squared.

    Where steps shrink quadratically the one after it is exact to rounding.
    """
    return 1e-12 * problem.weights.sum(2)


def retract(pose: Tensor, step: Tensor) -> Tensor:
    """(B, k, 3, 4) [R | t] moved by (B, k, 6) (τ, ω)."""
    rotation = cayley(step[..., 3:]) @ pose[..., :3]
    return torch.cat([rotation, (pose[..., 3] + step[..., :3]).unsqueeze(-1)], -1)
