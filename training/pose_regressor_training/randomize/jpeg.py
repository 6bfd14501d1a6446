"""The loss of JPEG's baseline compression, for a batch of pictures and on any device.

After ITU-T T.81: YCbCr, colour at half resolution in both directions (4:2:0), 8 x 8 cosine transform, and the tables of
annex K scaled by libjpeg's quality. Entropy coding is lossless and left out.
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad

_LUMA = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51,
    87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
_CHROMA = (
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99,
    99, 99, 99, *([99] * 32),
)  # fmt: skip
_YCC_FROM_RGB = ((0.299, 0.587, 0.114), (-0.168735892, -0.331264108, 0.5), (0.5, -0.418687589, -0.081312411))
_RGB_FROM_YCC = ((1.0, 0.0, 1.402), (1.0, -0.344136286, -0.714136286), (1.0, 1.772, 0.0))


@functools.cache
def _cosines(device: torch.device) -> Tensor:
    """(64, 64) orthonormal matrix: row-major 8 x 8 blocks times this give their coefficients."""
    rows = torch.arange(8, dtype=torch.float64)
    basis = torch.cos((2 * rows[None] + 1) * rows[:, None] * math.pi / 16) / 2
    basis[0] /= math.sqrt(2)
    return torch.kron(basis, basis).T.float().contiguous().to(device)


def _tables(base: tuple[int, ...], quality: Tensor) -> Tensor:
    """(B, 64) steps of quantisation: a standard table, scaled as libjpeg does. quality: (B,)"""
    quality = quality.double()[:, None]
    scale = torch.where(quality < 50, torch.floor(5000 / quality), 200 - 2 * quality)
    steps = torch.tensor(base, dtype=torch.float64, device=quality.device)
    return torch.floor((steps * scale + 50) / 100).clamp(1, 255).float()


def _through_blocks(planes: Tensor, steps: Tensor) -> Tensor:
    """(B, C, H, W) planes about zero, quantised by `steps` (B, 64). H and W must be multiples of 8."""
    count, channels, height, width = planes.shape
    cosines = _cosines(planes.device)
    blocks = planes.reshape(count, channels, height // 8, 8, width // 8, 8).transpose(3, 4).reshape(count, -1, 64)
    coefficients = (blocks.reshape(-1, 64) @ cosines).reshape(blocks.shape)
    coefficients = torch.round(coefficients / steps[:, None]) * steps[:, None]
    blocks = (coefficients.reshape(-1, 64) @ cosines.T).reshape(count, channels, height // 8, width // 8, 8, 8)
    return blocks.transpose(3, 4).reshape(planes.shape).round_().clamp_(-128, 127)


def compress(pictures: Tensor, quality: Tensor) -> Tensor:
    """The pictures after JPEG: whole numbers as float32.

    pictures: (B, 3, H, W) RGB, 0 to 255
    quality: (B,) 1 to 100
    """
    height, width = pictures.shape[-2:]
    full = pad(pictures, (0, -width % 16, 0, -height % 16), mode="replicate")
    device = pictures.device
    ycc = torch.matmul(torch.tensor(_YCC_FROM_RGB, device=device), full.flatten(2)).reshape(full.shape)
    # A codec rounds to 8 bits at every stage.
    luma = _through_blocks(ycc[:, :1].round() - 128, _tables(_LUMA, quality)) + 128
    chroma = _through_blocks(avg_pool2d(ycc[:, 1:].round(), 2).round(), _tables(_CHROMA, quality))
    chroma = interpolate(chroma, scale_factor=2, mode="bilinear", align_corners=False)
    ycc = torch.cat([luma, chroma], dim=1)
    rgb = torch.matmul(torch.tensor(_RGB_FROM_YCC, device=device), ycc.flatten(2)).reshape(full.shape)
    return rgb[..., :height, :width].round().clamp(0, 255)
