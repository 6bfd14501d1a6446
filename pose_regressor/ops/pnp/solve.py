"""From a prepared problem to its solution: start, descend, judge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from pose_regressor.geometry.reprojection import NEAR
from pose_regressor.ops.pnp.covariance import pose_covariance
from pose_regressor.ops.pnp.initial import initial_poses
from pose_regressor.ops.pnp.objective import maps, squared_errors
from pose_regressor.ops.pnp.problem import Problem
from pose_regressor.ops.pnp.refine import STEP_TOLERANCE, Minimum, minimise
from pose_regressor.ops.pnp.robust import RobustLoss
from pose_regressor.ops.pnp.status import Status, greatest_of

MIN_POINTS = 4
#: Minima of the algebraic error, from which the one of least true error is chosen.
CANDIDATES = 5
#: A pose is determined if the Hessian, scaled to a unit diagonal, has no eigenvalue below about ten times this.
LEAST_CURVATURE = 1e-12


@dataclass(frozen=True)
class Options:
    """How to solve.

    iterations: most Newton steps
    loss: robust loss of the reprojection errors; None: their squares
    pixel_sigma: standard deviation of a pixel coordinate of weight one; None: estimated from the residuals
    may_stop: end early once all items have converged
    step_tolerance: see `minimise`
    """

    iterations: int
    loss: RobustLoss | None
    pixel_sigma: float | None
    may_stop: bool
    step_tolerance: float = STEP_TOLERANCE


class Solution(NamedTuple):
    """As PnPResult, with one batch dimension.

    rotation: (B, 3, 3)
    translation: (B, 3)
    covariance: (B, 6, 6)
    cost: (B,)
    status: (B,) int32
    """

    rotation: Tensor
    translation: Tensor
    covariance: Tensor
    cost: Tensor
    status: Tensor


def solve(problem: Problem, invalid: Tensor, start: Tensor | None, options: Options) -> Solution:
    """start: (B, 3, 4) [R | t] of the moved points; None: search for it. invalid: (B,) items to leave unsolved."""
    if start is None:
        start = _best_start(problem, options.loss)
    limits = (options.iterations, options.may_stop, options.step_tolerance)
    if options.loss is not None:  # far from its minimum it curves downwards, where Newton's steps fail
        start = minimise(problem, start, options.loss, False, *limits).pose
    minimum = minimise(problem, start, options.loss, True, *limits)
    status, root = _judge(problem, minimum, invalid)

    pose = minimum.pose
    usable = (status < int(Status.TOO_FEW_POINTS)) & (pose.abs().amax((1, 2)) < torch.inf)
    pose = torch.where(usable[:, None, None], pose, torch.eye(3, 4, dtype=pose.dtype, device=pose.device))
    rotation = pose[..., :3]
    arm = torch.bmm(rotation, problem.centre.unsqueeze(2)).squeeze(2)
    translation = torch.where(usable[:, None], problem.scale * pose[..., 3] - arm, 0.0)
    cost = torch.where(usable, 2 * minimum.at.cost, 0.0)
    covariance = pose_covariance(problem, root, cost, rotation, status == int(Status.OK), options.pixel_sigma)
    return Solution(rotation, translation, covariance, cost, status)


def _best_start(problem: Problem, loss: RobustLoss | None) -> Tensor:
    """(B, 3, 4): of several minima of the algebraic error, the one of lowest true error."""
    poses = initial_poses(problem, CANDIDATES)
    squared = squared_errors(problem, poses)
    rho = squared if loss is None else loss.derivatives(squared)[0]
    lowest = torch.bmm(rho, problem.weights.mT).topk(1, dim=1, largest=False).indices  # topk counts NaN as large
    return poses.gather(1, lowest.unsqueeze(3).expand(-1, 1, 3, 4)).squeeze(1)


def _judge(problem: Problem, minimum: Minimum, invalid: Tensor) -> tuple[Tensor, Tensor]:
    """Status (B,); and root (B, 6, 6), where the status is OK, with rootᵀ root the inverse Hessian."""
    used = problem.weights > 0
    depth = torch.bmm(torch.bmm(problem.camera[:, 2:], minimum.pose), problem.points)
    behind = (used & (depth < 1.001 * NEAR)).any(2).squeeze(1)
    # A small addition to the diagonal tells flat directions from those that lead further down.
    eye = maps(depth.device).eye
    unit = minimum.at.hessian.diagonal(dim1=1, dim2=2).clamp(min=1e-300).rsqrt()
    scaled = torch.addcmul(LEAST_CURVATURE * eye, minimum.at.hessian, unit.unsqueeze(2) * unit.unsqueeze(1))
    factor, saddle = torch.linalg.cholesky_ex(scaled)
    root = torch.linalg.solve_triangular(factor, eye, upper=False)
    flat = (saddle == 0) & ~(root.square().sum((1, 2)) < 0.1 / LEAST_CURVATURE)  # the trace of the inverse
    unsettled = ~minimum.converged | (saddle != 0)
    few = problem.weights.sign().sum((1, 2)) < MIN_POINTS
    status = greatest_of(unsettled, flat, behind, few, invalid)
    return status, root * unit.unsqueeze(1)
