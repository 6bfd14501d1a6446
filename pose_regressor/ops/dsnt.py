"""Differentiable coordinates of heatmaps: flat softmax, expectation, and losses that keep a heatmap one sharp spot.

Nibali, He, Morgan, Prendergast, Numerical Coordinate Regression with Convolutional Neural Networks, 2018. Coordinates
are pixels of the heatmap with integer centres, (x, y) = (column, row), where the paper has [-1, 1].
"""

from __future__ import annotations

import torch
from torch import Tensor

from pose_regressor.types import InputError


def flat_softmax(logits: Tensor) -> Tensor:
    """(..., H, W) any numbers -> (..., H, W) heatmaps: no number below 0, each heatmap with sum one."""
    _check(logits)
    return logits.flatten(-2).softmax(-1).view_as(logits)


def expectation(heatmap: Tensor) -> Tensor:
    """(..., H, W) heatmaps with sum one -> (..., 2) pixels, their centres of mass (the DSNT, eq. 5)."""
    _check(heatmap)
    columns, rows = _pixels(heatmap)
    return torch.stack([heatmap.sum(-2) @ columns, heatmap.sum(-1) @ rows], -1)


def variance(heatmap: Tensor) -> Tensor:
    """(..., H, W) heatmaps with sum one -> (..., 2) variances of x and y, pixels²."""
    columns, rows = _pixels(heatmap)
    x, y = expectation(heatmap).unsqueeze(-1).unbind(-2)
    across, down = heatmap.sum(-2), heatmap.sum(-1)
    return torch.stack([(across * (columns - x).square()).sum(-1), (down * (rows - y).square()).sum(-1)], -1)


def dsnt(logits: Tensor) -> Tensor:
    """(..., H, W) any numbers -> (..., 2) pixels."""
    return expectation(flat_softmax(logits))


def gaussian_heatmap(centre: Tensor, height: int, width: int, sigma: float) -> Tensor:
    """Round Gaussians about `centre` (..., 2) pixels, of standard deviation `sigma` pixels -> (..., H, W) with sum one.

    A centre may lie outside the image: the part of its Gaussian within the image is scaled to sum one.
    """
    columns = torch.arange(width, dtype=centre.dtype, device=centre.device)
    rows = torch.arange(height, dtype=centre.dtype, device=centre.device)
    x, y = centre.unsqueeze(-1).unbind(-2)
    across, down = ((place - at).square() / (-2 * sigma**2) for place, at in ((columns, x), (rows, y)))
    return down.softmax(-1).unsqueeze(-1) * across.softmax(-1).unsqueeze(-2)


def variance_loss(heatmap: Tensor, sigma: float) -> Tensor:
    """(..., H, W) -> (...): squared differences of both variances from sigma², pixels⁴ (eq. 9)."""
    return (variance(heatmap) - sigma**2).square().sum(-1)


def js_divergence(heatmap: Tensor, target: Tensor) -> Tensor:
    """Jensen-Shannon divergence of heatmaps (..., H, W), in nats: 0 if they are equal, log 2 if they never overlap."""
    middle = (heatmap + target) / 2
    return (_kl_divergence(heatmap, middle) + _kl_divergence(target, middle)) / 2


def js_loss(heatmap: Tensor, centre: Tensor, sigma: float) -> Tensor:
    """(..., H, W) -> (...): Jensen-Shannon divergence from the Gaussian about `centre` (..., 2) (eq. 11)."""
    return js_divergence(heatmap, gaussian_heatmap(centre, heatmap.shape[-2], heatmap.shape[-1], sigma))


def _kl_divergence(p: Tensor, q: Tensor) -> Tensor:
    # Where p has underflowed to zero, its term is zero, and its gradient must be zero too.
    tiny = torch.finfo(p.dtype).tiny
    return (p * (p.clamp(min=tiny).log() - q.clamp(min=tiny).log())).sum((-2, -1))


def _pixels(heatmap: Tensor) -> tuple[Tensor, Tensor]:
    height, width = heatmap.shape[-2:]
    place = torch.arange(max(height, width), dtype=heatmap.dtype, device=heatmap.device)
    return place[:width], place[:height]


def _check(heatmap: Tensor) -> None:
    if heatmap.ndim < 2 or not heatmap.is_floating_point():
        raise InputError(
            f"heatmap: expected a floating type of shape (..., H, W), got {heatmap.dtype} {tuple(heatmap.shape)}"
        )
