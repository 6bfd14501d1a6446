"""The covariance of a pose, from the curvature of the error around it."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from pose_regressor.ops.pnp.problem import Problem


@lru_cache
def _constants(device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """The map from the object's motion, in its own axes, to ξ, the motion of the moved points; flattened from (6, 6).

    (36,) its constant part; (4, 36) its part for each of (scale, centre); and (6, 6) the covariance of an unknown pose.
    """
    with torch.inference_mode(False):
        by = torch.zeros(4, 6, 6, dtype=torch.float64)
        by[0, :3, :3] = torch.eye(3)
        for i in range(3):
            j, k = (i + 1) % 3, (i + 2) % 3
            by[1 + i, k, 3 + j], by[1 + i, j, 3 + k] = 1, -1
        constant = torch.diag(torch.tensor([0.0, 0, 0, 1, 1, 1], dtype=torch.float64))
        unknown = torch.diag(torch.full((6,), torch.inf, dtype=torch.float64))
        return constant.view(36).to(device), by.view(4, 36).to(device), unknown.to(device)


def pose_covariance(
    problem: Problem, root: Tensor, cost: Tensor, rotation: Tensor, known: Tensor, pixel_sigma: float | None
) -> Tensor:
    """(B, 6, 6) over (x, y, z, rotation about the camera's x, y, z), for rotations about the object's origin.

    It is σ² H⁻¹; weights are inverse variances in units of 1 / σ².

    root: (B, 6, 6) with rootᵀ root = H⁻¹; H is the Hessian of half the weighted sum of squares by the pose
    cost: (B,) that sum, px²
    rotation: (B, 3, 3) object to camera
    known: (B,) bool, which items have a covariance; that of the others is infinite
    pixel_sigma: σ, pixels; None: estimated from `cost`
    """
    if pixel_sigma is None:
        count = problem.weights.sign().sum((1, 2))
        variance = cost / (2 * count - 6).clamp(min=1)
    else:
        variance = torch.full_like(cost, pixel_sigma**2)
    # In the object's axes t moves by scale τ + centre x ω: its origin swings when the points turn about their centroid.
    constant, by, unknown = _constants(root.device)
    chart = torch.addmm(constant, torch.cat([problem.scale, problem.centre], 1), by).view(-1, 6, 6)
    root = torch.bmm(torch.bmm(root, chart.mT).view(-1, 12, 3), rotation.mT).view(-1, 6, 6)
    covariance = variance[:, None, None] * torch.bmm(root.mT, root)
    return torch.where(known[:, None, None], covariance, unknown)
