"""The reprojection error of many points, with gradient and Hessian by the pose, for many poses at once.

A pinhole camera maps a point linearly, h = P q with P = K [R | t] and q = (x, y, z, 1), and then divides,
(u, v) = (h0, h1) / h2. The pose moves in the points' own frame, as if the points moved, q -> q + δ(ξ). So the error's
derivatives by δ are Pᵀ g and Pᵀ S P, where its derivatives by h are a vector g (3) and a symmetric matrix S (3, 3). The
derivatives by ξ are sums of products of their entries with those of q and q qᵀ: the sum over the points is one product
with their moments q qᵀ, and constant linear maps lead from there to ξ.

ξ = (τ, ω), in this order, turns [R | t] to [R C(ω) | t + R τ]. C is Cayley's map, with Ω = [ω]x
1 + (Ω + Ω² / 2) / (1 + |ω|² / 4): exp(Ω) to second order, without trigonometric functions. Ξ = [Ω τ; 0 0] (4, 4) is the
first order of both. The points are centred and scaled to unit spread, so that τ and ω are of like size and nearly
independent.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from pose_regressor.geometry.reprojection import NEAR, Maps, pose_maps
from pose_regressor.ops.pnp.problem import Problem, on
from pose_regressor.ops.pnp.robust import RobustLoss


class Derivatives(NamedTuple):
    """Half the weighted sum of squares and its derivatives by ξ.

    cost: (B,)
    gradient: (B, 6)
    hessian: (B, 6, 6)
    """

    cost: Tensor
    gradient: Tensor
    hessian: Tensor


class View(NamedTuple):
    """The points as a pose shows them.

    projection: (B, 3, 4) P
    inverse: (B, 1, N) 1 / h2
    image: (B, 2, N) (u, v)
    residual: (B, 2, N) image minus the given pixels
    """

    projection: Tensor
    inverse: Tensor
    image: Tensor
    residual: Tensor


def maps(device: torch.device) -> Maps[Tensor]:
    return _ON_CPU if device.type == "cpu" else _elsewhere(device)


@lru_cache
def _elsewhere(device: torch.device) -> Maps[Tensor]:
    return _ON_CPU.converted(lambda value: on(device, value))


_ON_CPU: Maps[Tensor] = pose_maps().converted(torch.from_numpy)


def derivatives(problem: Problem, pose: Tensor, curved: bool, loss: RobustLoss | None = None) -> Derivatives:
    """Derivatives at poses (B, 3, 4) = [R | t] of the problem's moved points.

    curved: True: the full Hessian; False: Gauss-Newton's, without second derivatives of the projection and of a robust
        loss's rho, which is never indefinite
    """
    return derivatives_of(problem, look(problem, pose), curved, loss)


def derivatives_of(problem: Problem, view: View, curved: bool, loss: RobustLoss | None) -> Derivatives:
    """`derivatives` for a given view."""
    constants = maps(view.projection.device)
    projection, inverse, image, residual = view
    weights, bend = problem.weights, None
    if loss is None:
        cost = 0.5 * (weights * residual.square()).sum((1, 2))
    else:
        rho, slope, bend = loss.derivatives(residual.square().sum(1, keepdim=True))
        cost, weights = 0.5 * (weights * rho).sum((1, 2)), weights * slope
    scaled = weights * inverse
    pull = by_h(scaled * residual, image)

    # S = [[s, 0, -a], [0, s, -b], [-a, -b, c]]
    diagonal = scaled * inverse
    mixed = far = diagonal * image
    if curved:
        fall = diagonal * residual
        mixed = far + fall
        far = mixed + fall
    corner = (far * image).sum(1, keepdim=True)
    if curved and bend is not None:
        x, y, z = by_h(inverse * residual, image).split(1, 1)
        outer = 2 * problem.weights * bend * torch.cat([x * x, x * y, x * z, y * y, y * z, z * z], 1)
        first, last = mixed.split(1, 1)
        second = outer + torch.cat([diagonal, torch.zeros_like(diagonal), -first, diagonal, -last, corner], 1)
        metric = constants.full_metric
    else:
        second, metric = torch.cat([diagonal, mixed, corner], 1), constants.metric

    sums = torch.bmm(torch.cat([second, pull], 1), problem.moments.mT)
    by_point = torch.bmm(projection.mT, sums[:, -3:]).view(-1, 40)
    gradient = torch.mm(by_point, constants.gradient)
    square = (projection.view(-1, 12, 1) * projection.view(-1, 1, 12)).view(-1, 144)
    metric = torch.mm(square, metric).view(-1, 6, second.shape[1])
    hessian = torch.mm(torch.bmm(metric, sums[:, :-3]).view(-1, 60), constants.hessian)
    if curved:
        hessian = torch.addmm(hessian, by_point, constants.curvature)
    return Derivatives(cost, gradient, hessian.view(-1, 6, 6))


def look(problem: Problem, pose: Tensor) -> View:
    """The view from poses (B, 3, 4)."""
    projection = torch.bmm(problem.camera, pose)
    h = torch.bmm(projection, problem.points)
    inverse = h[:, 2:].clamp(min=NEAR).reciprocal()
    image = h[:, :2] * inverse
    return View(projection, inverse, image, image - problem.pixels)


def squared_errors(problem: Problem, poses: Tensor) -> Tensor:
    """(B, k, N) squared reprojection errors at k poses an item, (B, k, 3, 4), of the type of the problem's points."""
    size, count = poses.shape[:2]
    projections = torch.bmm(problem.camera, poses.transpose(1, 2).reshape(size, 3, 4 * count)).view(size, 3 * count, 4)
    h = torch.bmm(projections.to(problem.points.dtype), problem.points).unflatten(1, (3, count))
    inverse = h[:, 2:].clamp(min=NEAR).reciprocal()
    squared = (h[:, :2] * inverse).sub_(problem.pixels.unsqueeze(2)).square_()
    return squared[:, 0] + squared[:, 1]


def by_h(by_image: Tensor, image: Tensor) -> Tensor:
    """Derivative by (u, v) over h2, (B, 2, N) -> by h (B, 3, N)."""
    return torch.cat([by_image, -(by_image * image).sum(1, keepdim=True)], 1)


def motion(step: Tensor) -> Tensor:
    """(B, 6) ξ -> (B, 4, 4) Ξ."""
    return torch.mm(step, maps(step.device).motion).view(-1, 4, 4)


def retract(pose: Tensor, step: Tensor) -> Tensor:
    """(B, 3, 4) [R | t] moved by (B, 6) ξ: [R C(ω) | t + R τ]."""
    constants = maps(step.device)
    by = motion(step)
    moved = torch.bmm(pose, by)
    moved = torch.baddbmm(moved, moved, by * constants.turning, alpha=0.5)
    divisor = 1 + torch.mm(step.square(), constants.quarter)
    return torch.addcdiv(pose, moved, divisor.unsqueeze(1))
