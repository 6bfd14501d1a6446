"""Pinhole projection and image windows. Pixel centres have integer coordinates: an image spans [-0.5, width - 0.5]."""

from __future__ import annotations

import torch
from torch import Tensor


def project(points: Tensor, camera_matrix: Tensor) -> Tensor:
    """(..., N, 3) camera coordinates and (..., 3, 3) K -> (..., N, 2) pixels. Points need z > 0 to mean anything."""
    homogeneous = points @ camera_matrix.mT
    return homogeneous[..., :2] / homogeneous[..., 2:]


def back_project(pixels: Tensor, camera_matrix: Tensor) -> Tensor:
    """(..., N, 2) pixels and (..., 3, 3) K -> (..., N, 3) the point with z = 1 on each pixel's ray."""
    homogeneous = torch.cat([pixels, torch.ones_like(pixels[..., :1])], dim=-1)
    return torch.linalg.solve(camera_matrix, homogeneous.mT).mT


def window_from_image(left: Tensor, top: Tensor, scale: Tensor) -> Tensor:
    """The (..., 3, 3) map from image to window pixels, for a window whose first pixel starts at (left, top).

    `left`, `top` (...): outer corner of the window in image pixels (so -0.5 is the image's own corner); `scale` (...):
    window pixels per image pixel. ``window_from_image(...) @ K`` is the exact intrinsic matrix of the window.
    """
    zero, one = torch.zeros_like(scale), torch.ones_like(scale)
    rows = [scale, zero, -scale * left - 0.5, zero, scale, -scale * top - 0.5, zero, zero, one]
    return torch.stack(rows, dim=-1).unflatten(-1, (3, 3))
