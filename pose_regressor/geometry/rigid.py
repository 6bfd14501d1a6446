"""Rigid transforms as (..., 4, 4) matrices named ``to_from_from``: ``cam_from_obj @ obj_points``."""

from __future__ import annotations

import torch
from torch import Tensor


def rigid(rotation: Tensor, translation: Tensor) -> Tensor:
    """(..., 3, 3) and (..., 3) -> (..., 4, 4)."""
    top = torch.cat([rotation, translation.unsqueeze(-1)], dim=-1)
    bottom = top.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(*top.shape[:-2], 1, 4)
    return torch.cat([top, bottom], dim=-2)


def inverse(transform: Tensor) -> Tensor:
    """(..., 4, 4) -> (..., 4, 4), by the transpose instead of a general solve."""
    rotation = transform[..., :3, :3].mT
    return rigid(rotation, -(rotation @ transform[..., :3, 3:]).squeeze(-1))


def apply(transform: Tensor, points: Tensor) -> Tensor:
    """(..., 4, 4) and (..., N, 3) -> (..., N, 3)."""
    return points @ transform[..., :3, :3].mT + transform[..., None, :3, 3]
