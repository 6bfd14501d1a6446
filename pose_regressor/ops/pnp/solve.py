"""From a prepared problem to its solution: start, descend, judge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from pose_regressor.ops.pnp.covariance import pose_covariance
from pose_regressor.ops.pnp.initial import initial_poses
from pose_regressor.ops.pnp.objective import NEAR, Problem, derivatives, project, project_many
from pose_regressor.ops.pnp.refine import Minimum, minimise
from pose_regressor.ops.pnp.robust import RobustLoss
from pose_regressor.ops.pnp.status import Status, first_of

MIN_POINTS = 4
#: Minima of the algebraic error that are looked at, and those that a Gauss-Newton step of the true one decides among.
CANDIDATES, FINALISTS = 5, 3
#: Smallest pivot, squared, of the Hessian scaled to a unit diagonal with which a pose counts as determined.
LEAST_PIVOT = 1e-12


@dataclass(frozen=True)
class Options:
    """iterations: most Newton steps; pixel_sigma: standard deviation of a pixel coordinate of weight one, or None to
    take it from the residuals; may_stop: end early once all items have converged.
    """

    iterations: int
    loss: RobustLoss | None
    pixel_sigma: float | None
    may_stop: bool


class Solution(NamedTuple):
    """rotation (B, 3, 3), translation (B, 3), covariance (B, 6, 6), cost (B,), status (B,) int32."""

    rotation: Tensor
    translation: Tensor
    covariance: Tensor
    cost: Tensor
    status: Tensor


def solve(problem: Problem, invalid: Tensor, init: Tensor | None, options: Options) -> Solution:
    """init: (B, 3, 4) [R | t] to start from; invalid: (B,) items whose numbers mean nothing."""
    if init is None:
        start = _best_start(problem, options.loss)
    else:
        rotation, translation = init[..., :3].double(), init[..., 3].double()
        location = (_apply(rotation, problem.centre) + translation) / problem.scale
        start = torch.cat([rotation, location.unsqueeze(-1)], -1)
    minimum = minimise(problem, start, options.loss, True, options.iterations, options.may_stop)
    status, information = _judge(problem, minimum, invalid, options.loss)

    pose = minimum.pose
    usable = (status < Status.TOO_FEW_POINTS) & pose.isfinite().all(2).all(1)
    pose = torch.where(usable[:, None, None], pose, torch.eye(3, 4, dtype=pose.dtype, device=pose.device))
    rotation = pose[..., :3]
    arm = _apply(rotation, problem.centre)
    translation = torch.where(usable[:, None], problem.scale * pose[..., 3] - arm, 0.0)
    cost = torch.where(usable, 2 * minimum.at.cost, 0.0)
    covariance = pose_covariance(problem, minimum.at.hessian, information, cost, arm, options.pixel_sigma)
    unknown = torch.full_like(covariance[:, 0], torch.inf).diag_embed()
    covariance = torch.where((status == Status.OK)[:, None, None], covariance, unknown)
    return Solution(rotation, translation, covariance, cost, status)


def _best_start(problem: Problem, loss: RobustLoss | None) -> Tensor:
    """(B, 3, 4): of several minima of the algebraic error the one that a step brings lowest."""
    poses = initial_poses(problem, CANDIDATES)
    _, image = project_many(problem, poses)
    squared = (image - problem.pixels.unsqueeze(1)).square().sum(2)
    rho = squared if loss is None else loss.derivatives(squared)[0]
    poses = _lowest(poses, (problem.weights * rho).sum(2), FINALISTS)
    trial = minimise(problem.repeat(FINALISTS), poses.flatten(0, 1), loss, False, 1)
    best = _lowest(trial.pose.unflatten(0, (-1, FINALISTS)), trial.at.cost.view(-1, FINALISTS), 1)
    return best.squeeze(1)


def _lowest(poses: Tensor, cost: Tensor, count: int) -> Tensor:
    """Of (B, k, 3, 4) poses the (B, count, 3, 4) of lowest cost (B, k)."""
    index = cost.topk(count, dim=1, largest=False).indices
    return poses.gather(1, index[..., None, None].expand(-1, -1, 3, 4))


def _judge(problem: Problem, minimum: Minimum, invalid: Tensor, loss: RobustLoss | None) -> tuple[Tensor, Tensor]:
    """Status (B,) and Gauss-Newton's Hessian (B, 6, 6) at the minimum."""
    inverse, _ = project(problem, minimum.pose)
    used = problem.weights[:, 0] > 0
    behind = (used & (inverse[:, 0] > 0.999 / NEAR)).any(1)
    information = derivatives(problem, minimum.pose, False, loss).hessian
    root = information.diagonal(dim1=1, dim2=2).clamp(min=1e-300).rsqrt()
    factor, failed = torch.linalg.cholesky_ex(root.unsqueeze(2) * information * root.unsqueeze(1))
    pivots = factor.diagonal(dim1=1, dim2=2).square()
    degenerate = (failed != 0) | ~(pivots.amin(1) > LEAST_PIVOT)
    _, saddle = torch.linalg.cholesky_ex(minimum.at.hessian)
    status = first_of(
        (invalid, Status.INVALID_INPUT),
        (used.sum(1) < MIN_POINTS, Status.TOO_FEW_POINTS),
        (behind, Status.BEHIND_CAMERA),
        (degenerate, Status.DEGENERATE),
        (~minimum.converged | (saddle != 0), Status.NOT_CONVERGED),
    )
    return status, information


def _apply(rotation: Tensor, vector: Tensor) -> Tensor:
    return (rotation @ vector.unsqueeze(-1)).squeeze(-1)
