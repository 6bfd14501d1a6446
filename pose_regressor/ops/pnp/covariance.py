"""How far the pose may be off, from the curvature of the error around it."""

from __future__ import annotations

import torch
from torch import Tensor

from pose_regressor.geometry.rotation import skew
from pose_regressor.ops.pnp.problem import Problem


def pose_covariance(
    problem: Problem, hessian: Tensor, cost: Tensor, arm: Tensor, known: Tensor, pixel_sigma: float | None
) -> Tensor:
    """(B, 6, 6) over (x, y, z, rotation about the camera's x, y, z), for rotations about the object's origin.

    σ² H⁻¹ with weights as inverse variances in units of 1 / σ². hessian H: (B, 6, 6) by the moved points' pose, of half
    the weighted sum of squares `cost` (B,), from which σ is estimated where pixel_sigma is None; arm: (B, 3) from the
    object's origin to the centroid, in the camera's axes; known: (B,) where there is one, infinite elsewhere.
    """
    if pixel_sigma is None:
        count = (problem.weights > 0).sum((1, 2))
        variance = cost / (2 * count - 6).clamp(min=1)
    else:
        variance = torch.full_like(cost, pixel_sigma**2)
    # t = scale τ - ω x arm: the object's origin swings when the points turn about their centroid.
    eye = torch.eye(6, dtype=hessian.dtype, device=hessian.device)
    chart = eye.repeat(len(hessian), 1, 1)
    chart[:, :3, :3] *= problem.scale.unsqueeze(2)
    chart[:, :3, 3:] = skew(arm)
    factor, _ = torch.linalg.cholesky_ex(torch.where(known[:, None, None], hessian, eye))
    root = torch.linalg.solve_triangular(factor, chart.mT, upper=False)
    covariance = variance[:, None, None] * torch.bmm(root.mT, root)
    return torch.where(known[:, None, None], covariance, torch.diag(torch.full_like(eye[0], torch.inf)))
