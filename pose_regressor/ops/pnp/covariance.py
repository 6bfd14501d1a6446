"""How far the pose may be off, from the curvature of the error around it."""

from __future__ import annotations

import torch
from torch import Tensor

from pose_regressor.geometry.rotation import skew
from pose_regressor.ops.pnp.objective import Problem


def pose_covariance(
    problem: Problem, hessian: Tensor, information: Tensor, cost: Tensor, arm: Tensor, pixel_sigma: float | None
) -> Tensor:
    """(B, 6, 6) over (x, y, z, rotation about the camera's x, y, z), for rotations about the object's origin.

    Weights count as inverse variances. To first order the pose answers noise e by H⁻¹ Jᵀ W e, so its covariance is
    σ² H⁻¹ (Jᵀ W J) H⁻¹. hessian H, information Jᵀ W J: (B, 6, 6) by the moved points' pose; cost (B,) weighted sum of
    squares, from which σ is estimated where pixel_sigma is None; arm (B, 3) from the object's origin to the centroid.
    """
    if pixel_sigma is None:
        count = (problem.weights[:, 0] > 0).sum(1)
        variance = (cost / (2 * count - 6).clamp(min=1)).unsqueeze(-1)
    else:
        variance = torch.full_like(cost, pixel_sigma**2).unsqueeze(-1)
    half, _ = torch.linalg.solve_ex(hessian, information)
    both, _ = torch.linalg.solve_ex(hessian, half.mT)
    both = variance.unsqueeze(-1) * (both + both.mT) / 2
    # t = scale τ - ω x arm: the object's origin swings when the points turn about their centroid.
    scale = problem.scale.unsqueeze(-1)
    eye = torch.eye(3, dtype=both.dtype, device=both.device).expand(len(both), 3, 3)
    top = torch.cat([scale * eye, skew(arm)], 2)
    chart = torch.cat([top, torch.cat([torch.zeros_like(eye), eye], 2)], 1)
    return chart @ both @ chart.mT
