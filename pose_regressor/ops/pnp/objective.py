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

from pose_regressor.ops.pnp.robust import RobustLoss

#: Least depth that is divided by, in units of the points' spread: what is nearer has no image.
NEAR = 1e-4
_PAIRS = [(a, b) for a in range(4) for b in range(a, 4)]


class Problem(NamedTuple):
    """B sets of N correspondences, and how their points were moved and scaled.

    pixels: (B, 2, N); points: (B, 4, N) homogeneous; moments: (B, N, 10) products of two of a point's coordinates;
    weights: (B, 1, N); camera: (B, 3, 3); centre: (B, 3) and scale: (B, 1), object point = scale * point + centre.
    """

    pixels: Tensor
    points: Tensor
    moments: Tensor
    weights: Tensor
    camera: Tensor
    centre: Tensor
    scale: Tensor

    def tile(self, count: int) -> Problem:
        return Problem(*(value.expand(count, *value.shape[1:]) for value in self))


class Derivatives(NamedTuple):
    """Of half the weighted sum of squares at k poses an item: cost (B, k), gradient (B, k, 6), hessian (B, k, 6, 6)."""

    cost: Tensor
    gradient: Tensor
    hessian: Tensor


class _Maps(NamedTuple):
    """Constant linear maps between small arrays, flattened row by row."""

    hessian4: Tensor  # (40, 144): moments weighted with S[0, 0] = S[1, 1], S[0, 2], S[1, 2], S[2, 2] -> Hessian by P
    hessian6: Tensor  # (60, 144): the same of all six entries of S
    tangent: Tensor  # (9, 72): R -> d[R | t] / d(τ, ω)
    translations: Tensor  # (72,): what of that does not depend on R
    curvature: Tensor  # (9, 36): sum of v (R q)ᵀ over forces v -> second derivative by ω of moving along R(ω) q


@lru_cache
def maps(device: torch.device) -> _Maps:
    with torch.inference_mode(False):
        return _Maps(*(value.to(device) for value in _make_maps()))


def _make_maps() -> _Maps:
    def from_entries(entries: list[list[tuple[int, int]]]) -> Tensor:
        out = torch.zeros(len(entries), len(_PAIRS), 3, 4, 3, 4, dtype=torch.float64)
        for k, places in enumerate(entries):
            for m, (a, b) in enumerate(_PAIRS):
                for i, j in places:
                    for row, column in ((i, j), (j, i)):
                        out[k, m, row, a, column, b] = out[k, m, row, b, column, a] = 1
        return out.reshape(-1, 144)

    hat = torch.zeros(3, 3, 3, dtype=torch.float64)  # hat[k] = [e_k]x
    for k in range(3):
        hat[k, (k + 2) % 3, (k + 1) % 3], hat[k, (k + 1) % 3, (k + 2) % 3] = 1, -1
    tangent = torch.zeros(3, 3, 3, 4, 6, dtype=torch.float64)
    for k in range(3):
        for column in range(3):
            tangent[:, column, :, column, 3 + k] = hat[k].T
    translations = torch.zeros(3, 4, 6, dtype=torch.float64)
    curvature = torch.zeros(3, 3, 6, 6, dtype=torch.float64)
    for i in range(3):
        translations[i, 3, i] = 1
        for j in range(3):
            curvature[i, j, 3 + i, 3 + j] += 0.5
            curvature[i, j, 3 + j, 3 + i] += 0.5
        curvature[i, i, 3:, 3:] -= torch.eye(3, dtype=torch.float64)
    return _Maps(
        from_entries([[(0, 0), (1, 1)], [(0, 2)], [(1, 2)], [(2, 2)]]),
        from_entries([[(0, 0)], [(0, 1)], [(0, 2)], [(1, 1)], [(1, 2)], [(2, 2)]]),
        tangent.reshape(9, 72),
        translations.reshape(72),
        curvature.reshape(9, 36),
    )


def normalise(pixels: Tensor, points: Tensor, camera: Tensor, weights: Tensor) -> Problem:
    """(B, N, 2), (B, N, 3), (B, 3, 3), (B, N) float64 -> a Problem. Centroid and spread count as constants."""
    with torch.no_grad():
        share = weights.detach() / weights.detach().sum(1, keepdim=True).clamp(min=1e-300)
        centre = (share[:, None] @ points).squeeze(1)
        scale = (share * (points - centre[:, None]).square().sum(2)).sum(1, keepdim=True).sqrt()
        scale = torch.where(scale > 0, scale, 1.0)
    moved = (points - centre[:, None]) / scale[:, None]
    homogeneous = torch.cat([moved, torch.ones_like(moved[..., :1])], 2)
    products = [homogeneous[..., a : a + 1] * homogeneous[..., a:] for a in range(4)]
    return Problem(pixels.mT, homogeneous.mT, torch.cat(products, 2), weights[:, None], camera, centre, scale)


def derivatives(problem: Problem, pose: Tensor, curved: bool, loss: RobustLoss | None = None) -> Derivatives:
    """At poses (B, k, 3, 4) = [R | t] of the problem's moved points.

    curved: the full Hessian; else Gauss-Newton's, which leaves out the second derivatives of the projection (and, of a
    robust loss, those of rho) and so is never indefinite.
    """
    constants = maps(pose.device)
    camera, weights = problem.camera[:, None], problem.weights[:, None]
    inverse, image = project(problem, pose)
    residual = image - problem.pixels[:, None]
    squared = residual.square().sum(2, keepdim=True)
    rho, slope, bend = (squared, None, None) if loss is None else loss.derivatives(squared)
    cost = 0.5 * (weights * rho).sum((2, 3))
    slope = weights if slope is None else weights * slope
    pull = by_h(inverse * residual, image)  # of half the squared error

    diagonal = slope * inverse.square()
    mixed = -diagonal * image
    corner = diagonal * image.square().sum(2, keepdim=True)
    if curved:
        turn = slope * inverse * pull
        mixed, corner = mixed - turn[:, :, :2], corner - 2 * turn[:, :, 2:]
    if curved and bend is not None:
        x, y, z = pull.split(1, 2)
        outer = 2 * weights * bend * torch.cat([x * x, x * y, x * z, y * y, y * z, z * z], 2)
        first, last = mixed.split(1, 2)
        second = outer + torch.cat([diagonal, torch.zeros_like(diagonal), first, diagonal, last, corner], 2)
        to_hessian = constants.hessian6
    else:
        second, to_hessian = torch.cat([diagonal, mixed, corner], 2), constants.hessian4

    count = second.shape[2]
    hessian = (second.flatten(1, 2) @ problem.moments).unflatten(1, (-1, count)).flatten(2) @ to_hessian
    gradient = (slope * pull).flatten(1, 2) @ problem.points.mT
    tangent = (camera @ pose_tangent(pose)).reshape(*pose.shape[:2], 12, 6)
    hessian = tangent.mT @ hessian.unflatten(2, (12, 12)) @ tangent
    if curved:
        forces = camera.mT @ gradient.unflatten(1, (-1, 3))[..., :3] @ pose[..., :3].mT
        hessian = hessian + (forces.flatten(2) @ constants.curvature).unflatten(2, (6, 6))
    gradient = (tangent.mT @ gradient.reshape(*pose.shape[:2], 12, 1)).squeeze(-1)
    return Derivatives(cost, gradient, hessian)


def project(problem: Problem, pose: Tensor) -> tuple[Tensor, Tensor]:
    """1 / h2 (B, k, 1, N) and pixels (B, k, 2, N) at poses (B, k, 3, 4)."""
    h = ((problem.camera[:, None] @ pose).flatten(1, 2) @ problem.points).unflatten(1, (-1, 3))
    inverse = h[:, :, 2:].clamp(min=NEAR).reciprocal()
    return inverse, h[:, :, :2] * inverse


def by_h(by_image: Tensor, image: Tensor) -> Tensor:
    """Derivative by (u, v) over h2, (..., 2, N) -> by h (..., 3, N)."""
    return torch.cat([by_image, -(by_image * image).sum(-2, keepdim=True)], -2)


def pose_tangent(pose: Tensor) -> Tensor:
    """(B, k, 3, 4) [R | t] -> (B, k, 3, 24): its derivative by (τ, ω), as 3 rows of 4 x 6."""
    constants = maps(pose.device)
    return (pose[..., :3].flatten(2) @ constants.tangent + constants.translations).unflatten(2, (3, 24))
