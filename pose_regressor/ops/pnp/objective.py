"""The reprojection error of many points, with gradient and Hessian by the pose, for many poses at once.

A point enters a pinhole camera linearly, h = P q with P = K [R | t] and q = (x, y, z, 1), and only then it is divided,
(u, v) = (h0, h1) / h2. So the error's derivatives by h are a vector g (3) and a symmetric matrix S (3, 3) for each
point, and those by P are sums of g qᵀ and S ⊗ q qᵀ. Summing over the points is one product with their moments q qᵀ, and
P's 12 entries are brought to the pose's 6 once for the sum, not once for each point.

The pose is perturbed on the left, R(ω) = exp([ω]) R and t(τ) = t + τ, in the order (τ, ω). The points are taken around
their centroid and at unit spread, which makes τ and ω alike in size and nearly independent.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from pose_regressor.ops.pnp.problem import Problem
from pose_regressor.ops.pnp.robust import RobustLoss

#: Least depth that is divided by, in units of the points' spread: what is nearer has no image.
NEAR = 1e-4
_PAIRS = [(a, b) for a in range(4) for b in range(a, 4)]


class Derivatives(NamedTuple):
    """Of half the weighted sum of squares: cost (B,), gradient (B, 6), hessian (B, 6, 6)."""

    cost: Tensor
    gradient: Tensor
    hessian: Tensor


class _Maps(NamedTuple):
    """Constant linear maps between small arrays, flattened row by row. P and [R | t] are flattened column by column:
    torch multiplies small matrices faster the one way than the other.
    """

    hessian4: Tensor  # (40, 144): moments weighted with S's s, a, b, c -> Hessian by P (derivatives says what they are)
    hessian6: Tensor  # (60, 144): the same of all six entries of S
    tangent: Tensor  # (12, 72): [R | t] (row by row) -> its derivative by (τ, ω), (6, 12)
    translations: Tensor  # (72,): what of that does not depend on the pose
    torque: Tensor  # (9, 3): derivative by a rotation R, times Rᵀ -> by ω
    eye: Tensor  # (6, 6)
    curvature: Tensor  # (9, 36): sum of R q vᵀ over forces v -> second derivative by ω of moving along R(ω) q


def maps(device: torch.device) -> _Maps:
    return _ON_CPU if device.type == "cpu" else _elsewhere(device)


@lru_cache
def _elsewhere(device: torch.device) -> _Maps:
    return _Maps(*(value.to(device) for value in _ON_CPU))


def _make_maps() -> _Maps:
    def from_entries(entries: list[list[tuple[int, int, int]]]) -> Tensor:
        out = torch.zeros(len(entries), len(_PAIRS), 4, 3, 4, 3, dtype=torch.float64)
        for k, places in enumerate(entries):
            for m, (a, b) in enumerate(_PAIRS):
                for i, j, sign in places:
                    for row, column in ((i, j), (j, i)):
                        out[k, m, a, row, b, column] = out[k, m, b, row, a, column] = sign
        return out.reshape(-1, 144)

    hat = torch.zeros(3, 3, 3, dtype=torch.float64)  # hat[k] = [e_k]x
    for k in range(3):
        hat[k, (k + 2) % 3, (k + 1) % 3], hat[k, (k + 1) % 3, (k + 2) % 3] = 1, -1
    tangent = torch.zeros(3, 4, 6, 4, 3, dtype=torch.float64)
    for k in range(3):
        for column in range(3):
            tangent[:, column, 3 + k, column] = hat[k].T
    translations = torch.zeros(6, 4, 3, dtype=torch.float64)
    curvature = torch.zeros(3, 3, 6, 6, dtype=torch.float64)
    for i in range(3):
        translations[i, 3, i] = 1
        for j in range(3):
            curvature[i, j, 3 + i, 3 + j] += 0.5
            curvature[i, j, 3 + j, 3 + i] += 0.5
        curvature[i, i, 3:, 3:] -= torch.eye(3, dtype=torch.float64)
    return _Maps(
        from_entries([[(0, 0, 1), (1, 1, 1)], [(0, 2, -1)], [(1, 2, -1)], [(2, 2, 1)]]),
        from_entries([[(i, j, 1)] for i in range(3) for j in range(i, 3)]),
        tangent.reshape(12, 72),
        translations.reshape(72),
        hat.view(3, 9).T.contiguous(),
        torch.eye(6, dtype=torch.float64),
        curvature.reshape(9, 36),
    )


_ON_CPU = _make_maps()


def derivatives(problem: Problem, pose: Tensor, curved: bool, loss: RobustLoss | None = None) -> Derivatives:
    """At the poses (B, 3, 4) = [R | t] of the problem's moved points.

    curved: the full Hessian; else Gauss-Newton's, which leaves out the second derivatives of the projection (and, of a
    robust loss, those of rho) and so is never indefinite.
    """
    constants = maps(pose.device)
    camera, weights = problem.camera, problem.weights
    inverse, image = project(problem, pose)
    residual = image - problem.pixels
    bend = None
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
        fall = inverse * pull[:, :2]
        mixed = far + fall
        far = mixed + fall
    corner = (far * image).sum(1, keepdim=True)
    if curved and bend is not None:
        x, y, z = by_h(inverse * residual, image).split(1, 1)
        outer = 2 * problem.weights * bend * torch.cat([x * x, x * y, x * z, y * y, y * z, z * z], 1)
        first, last = mixed.split(1, 1)
        second = outer + torch.cat([diagonal, torch.zeros_like(diagonal), -first, diagonal, -last, corner], 1)
        to_hessian = constants.hessian6
    else:
        second, to_hessian = torch.cat([diagonal, mixed, corner], 1), constants.hessian4

    by_projection = torch.bmm(problem.points, pull.mT)  # (B, 4, 3)
    tangent = torch.bmm(pose_tangent(pose).view(-1, 24, 3), camera.mT).view(-1, 6, 12)
    gradient = torch.bmm(tangent, by_projection.view(-1, 12, 1)).squeeze(2)
    hessian = torch.mm(torch.bmm(second, problem.moments.mT).flatten(1), to_hessian).view(-1, 12, 12)
    hessian = torch.bmm(torch.bmm(tangent, hessian), tangent.mT)
    if curved:
        forces = torch.bmm(torch.bmm(pose[..., :3], by_projection[:, :3]), camera)
        hessian = torch.addmm(hessian.view(-1, 36), forces.view(-1, 9), constants.curvature).view(-1, 6, 6)
    return Derivatives(cost, gradient, hessian)


def total_cost(problem: Problem, pose: Tensor, loss: RobustLoss | None = None) -> Tensor:
    """(B,): `derivatives(...).cost` alone."""
    _, image = project(problem, pose)
    squared = (image - problem.pixels).square()
    if loss is not None:
        squared = loss.derivatives(squared.sum(1, keepdim=True))[0]
    return 0.5 * (problem.weights * squared).sum((1, 2))


def project(problem: Problem, pose: Tensor) -> tuple[Tensor, Tensor]:
    """1 / h2 (B, 1, N) and pixels (B, 2, N) at poses (B, 3, 4)."""
    h = torch.bmm(torch.bmm(problem.camera, pose), problem.points)
    inverse = h[:, 2:].clamp(min=NEAR).reciprocal()
    return inverse, h[:, :2] * inverse


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


def pose_tangent(pose: Tensor) -> Tensor:
    """(B, 3, 4) [R | t] -> (B, 6, 12): its derivative by (τ, ω), column by column."""
    constants = maps(pose.device)
    return torch.addmm(constants.translations, pose.reshape(-1, 12), constants.tangent).view(-1, 6, 12)
