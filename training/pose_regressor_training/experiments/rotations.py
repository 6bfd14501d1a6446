"""Rotations that only the experiments need, as torch tensors of any batch shape."""

from __future__ import annotations

import torch
from torch import Tensor

from pose_regressor.geometry.rotation import matrix_from_quaternion

#: From (3,) to the nine entries of its skew matrix: one product is faster than stacking nine entries.
_SKEW = torch.tensor(
    [[0, 0, 0, 0, 0, -1, 0, 1, 0], [0, 0, 1, 0, 0, 0, -1, 0, 0], [0, -1, 0, 1, 0, 0, 0, 0, 0]], dtype=torch.float64
)


def random_rotation(count: int, generator: torch.Generator | None = None) -> Tensor:
    """(count, 3, 3) float64 rotations, uniform over SO(3): normalised Gaussian quaternions."""
    return matrix_from_quaternion(torch.randn(count, 4, generator=generator, dtype=torch.float64))


def sixd_from_matrix(rotation: Tensor) -> Tensor:
    """(..., 3, 3) -> (..., 6): the first two columns, one after the other."""
    return torch.cat([rotation[..., 0], rotation[..., 1]], dim=-1)


def rotation_angle(rotation: Tensor) -> Tensor:
    """(..., 3, 3) -> (...) angle in radians, in [0, pi]; exact near both ends (atan2, not acos)."""
    skew = torch.stack(
        [
            rotation[..., 2, 1] - rotation[..., 1, 2],
            rotation[..., 0, 2] - rotation[..., 2, 0],
            rotation[..., 1, 0] - rotation[..., 0, 1],
        ],
        dim=-1,
    )
    trace = rotation.diagonal(dim1=-2, dim2=-1).sum(-1)
    return torch.atan2(skew.norm(dim=-1), trace - 1)


def matrix_from_rotvec(vector: Tensor) -> Tensor:
    """(..., 3) axis times angle in radians -> (..., 3, 3): Rodrigues' formula, differentiable at zero too."""
    squared = vector.square().sum(-1)[..., None, None]
    small = squared < 1e-8
    angle = torch.where(small, 1.0, squared).sqrt()
    sine = torch.where(small, 1 - squared / 6, angle.sin() / angle)
    versine = torch.where(small, 0.5 - squared / 24, (1 - angle.cos()) / angle.square())
    hat = skew(vector)
    eye = torch.eye(3, dtype=vector.dtype, device=vector.device)
    return eye + sine * hat + versine * (hat @ hat)


def skew(vector: Tensor) -> Tensor:
    """(..., 3) -> (..., 3, 3) matrix [v] with [v] u = v x u."""
    return (vector @ _SKEW.to(vector)).unflatten(-1, (3, 3))
