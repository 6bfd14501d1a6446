"""From linear light to what a camera would give: batched torch, the same on the CPU and on CUDA.

The order is that of a real camera: lens (distortion, blur, motion, flare) on the camera's own pixels, sensor (exposure,
noise, mosaic), processing (colours, tone curve, sharpening, 8 bits), JPEG, and then the enlargement of pictures that
were taken with too few pixels. An effect is computed only for the pictures that have it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import erf
from torch import Tensor
from torch.nn.functional import conv2d, grid_sample, pad

from pose_regressor_training.randomize.camera import NONE, Shots
from pose_regressor_training.randomize.jpeg import compress

#: Half the width of the point spread function of lens and motion together, pixels.
PSF_REACH = 5
#: Images with at least this many camera pixels per pixel are not coarsened: the loss would be invisible.
ENOUGH_DETAIL = 0.9
#: Numbers in the table of noise.
NOISE_TABLE = 1 << 22
#: Standard deviation of the unsharp mask, pixels.
SHARPEN_SIGMA = 1.2


def photograph(color: Tensor, shots: Shots) -> Tensor:
    """(B, H, W, 3) linear light -> (B, 3, H, W) uint8 sRGB, taken as the `shots` say."""
    picture = color.permute(0, 3, 1, 2).contiguous()
    device = picture.device

    def values(array: NDArray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array, np.float32)).to(device)

    def chosen(condition: NDArray[np.bool_]) -> Tensor:
        return torch.from_numpy(np.flatnonzero(condition)).to(device)

    bent = chosen(shots.distortion != 0)
    if len(bent):
        picture[bent] = _distort(picture[bent], values(shots.distortion)[bent])
    coarse = chosen(shots.detail < ENOUGH_DETAIL)
    detail = values(shots.detail)[coarse]
    if len(coarse):
        picture[coarse] = _resample(picture[coarse], _shrinking, detail)
    picture = _convolve(picture, values(point_spread(shots)))
    picture *= _gain(shots, picture.shape[2], values)
    picture += values(shots.flare)[:, :, None, None]
    _add_noise(picture, values(shots.read), values(shots.shot), shots.noise_start)
    mosaic = chosen(shots.bayer != NONE)
    if len(mosaic):
        picture[mosaic] = _demosaiced(picture[mosaic], torch.from_numpy(shots.bayer).to(device)[mosaic])
    picture = _tone(_colored(picture, values(shots.colorfulness)), values(shots.gamma), values(shots.contrast))
    crisp = chosen(shots.sharpening > 0)
    if len(crisp):
        picture[crisp] = _sharpen(picture[crisp], values(shots.sharpening)[crisp])
    picture = picture.mul_(255).round_()
    compressed = chosen(shots.quality != NONE)
    if len(compressed):
        picture[compressed] = compress(picture[compressed], torch.from_numpy(shots.quality).to(device)[compressed])
    if len(coarse):
        picture[coarse] = _resample(picture[coarse], _enlarging, detail).round_()
    return picture.to(torch.uint8)


def point_spread(shots: Shots) -> NDArray[np.float64]:
    """(B, 3, N, N) normalised: a Gaussian drawn along the motion, shifted by the lateral chromatic error.

    A Gaussian integrated along a segment of length L: exp(-v²/2s²) (erf((u + L/2)/√2s) - erf((u - L/2)/√2s)), u along
    the segment and v across.
    """
    at = np.arange(-PSF_REACH, PSF_REACH + 1.0)
    shift = np.zeros((len(shots.sigma), 3, 2))
    shift[:, 0], shift[:, 2] = shots.chromatic[:, 0], shots.chromatic[:, 1]
    x = at[None, None, None, :] - shift[..., 0, None, None]
    y = at[None, None, :, None] - shift[..., 1, None, None]

    def each(values: NDArray) -> NDArray:
        return values[:, None, None, None]

    sigma, cosine, sine = each(shots.sigma), each(np.cos(shots.motion_angle)), each(np.sin(shots.motion_angle))
    # A segment far shorter than the blur gives the Gaussian itself; the least length avoids a difference of 0.
    half = np.maximum(each(shots.motion_length) / 2, 0.05 * sigma)
    along, across = x * cosine + y * sine, y * cosine - x * sine
    root = math.sqrt(2) * sigma
    spread = np.exp(-((across / root) ** 2)) * (erf((along + half) / root) - erf((along - half) / root))
    return spread / spread.sum((2, 3), keepdims=True)


def _convolve(picture: Tensor, kernels: Tensor, edges: str = "replicate") -> Tensor:
    """Each channel of each picture with its own (B, 3, N, N) kernel."""
    count, channels, height, width = picture.shape
    reach = kernels.shape[-1] // 2
    padded = pad(picture, (reach, reach, reach, reach), mode=edges)
    flat = padded.reshape(1, count * channels, *padded.shape[2:])
    # A convolution flips the kernel; torch's conv2d does not.
    out = conv2d(flat, kernels.flip(2, 3).reshape(count * channels, 1, *kernels.shape[2:]), groups=count * channels)
    return out.reshape(count, channels, height, width)


def _distort(picture: Tensor, pixels: Tensor) -> Tensor:
    """Radial distortion. pixels: (B,) shift at the corners; the middle stays."""
    height, width = picture.shape[2:]
    x = torch.linspace(-1, 1, width, device=picture.device)[None, None, :]
    y = torch.linspace(-1, 1, height, device=picture.device)[None, :, None]
    radius = (x.square() + y.square()) / 2
    factor = 1 + (pixels / math.hypot(width / 2, height / 2))[:, None, None] * radius
    grid = torch.stack([x * factor, y * factor], dim=-1)
    return grid_sample(picture, grid, mode="bilinear", padding_mode="border", align_corners=True)


def _shrinking(size: int, detail: Tensor) -> Tensor:
    """(B, size, size) matrices whose first rows average areas of 1 / detail pixels; all other rows repeat the last."""
    used = (size * detail).round().clamp(min=8)[:, None, None]
    target = torch.arange(size, device=detail.device)[None, :, None].minimum(used - 1)
    source = torch.arange(size, device=detail.device)[None, None, :]
    step = size / used
    overlap = torch.minimum((target + 1) * step, source + 1) - torch.maximum(target * step, source)
    return overlap.clamp(min=0) / step


def _enlarging(size: int, detail: Tensor) -> Tensor:
    """(B, size, size) matrices of bilinear interpolation between the first round(size * detail) places."""
    used = (size * detail).round().clamp(min=8)[:, None, None]
    place = (torch.arange(size, device=detail.device)[None, :, None] + 0.5) * used / size - 0.5
    place = torch.minimum(place.clamp(min=0), used - 1)
    source = torch.arange(size, device=detail.device)[None, None, :]
    return (1 - (place - source).abs()).clamp(min=0)


def _resample(picture: Tensor, matrix_of: Callable[[int, Tensor], Tensor], detail: Tensor) -> Tensor:
    """The pictures with the matrices of `_shrinking` or `_enlarging` applied to rows and columns."""
    height, width = picture.shape[2:]
    rows, columns = matrix_of(height, detail)[:, None], matrix_of(width, detail)[:, None]
    return rows @ picture @ columns.transpose(2, 3)


def _gain(shots: Shots, height: int, values: Callable[[NDArray], Tensor]) -> Tensor:
    """(B, 3, 1, 1) gains, or (B, 3, H, 1) if there are bands of flicker: rows are read one after another."""
    gain = shots.gain[:, :, None, None]
    if shots.band_depth.any():
        turns = 2 * math.pi * shots.band_turns[:, None] * np.arange(height) / height
        wave = np.sin(turns[:, None] + shots.band_phase[:, :, None])
        gain = gain * (1 + shots.band_depth[:, None, None] * wave)[..., None]
    return values(gain)


@functools.cache
def _noise_table(device: torch.device) -> Tensor:
    """Standard normal numbers, drawn once. Each picture takes a stretch of them, which is far faster than drawing."""
    return torch.from_numpy(np.random.default_rng(0).standard_normal(NOISE_TABLE, np.float32)).to(device)


def _add_noise(picture: Tensor, read: Tensor, shot: Tensor, start: NDArray[np.float64]) -> None:
    """Add Gaussian noise of variance read² + shot² x light. start: (B,) where in the table each picture begins."""
    table = _noise_table(picture.device)
    length = picture[0].numel()
    if length > NOISE_TABLE // 2:
        table = table.repeat(2 * length // NOISE_TABLE + 1)
    stretches = table.unfold(0, length, 16)
    index = torch.from_numpy((start * len(stretches)).astype(np.int64)).to(picture.device)
    noise = stretches[index].reshape(picture.shape)
    variance = picture.clamp(min=0).mul_(shot.square()[:, None, None, None]).add_(read.square()[:, None, None, None])
    picture.addcmul_(noise, variance.sqrt_())


def _demosaiced(picture: Tensor, pattern: Tensor) -> Tensor:
    """One colour for each pixel, the others interpolated linearly. pattern: (B,) 0 RGGB, 1 GRBG, 2 GBRG, 3 BGGR."""
    height, width = picture.shape[2:]
    row = (torch.arange(height, device=picture.device)[None, :, None] + pattern[:, None, None] // 2) % 2
    column = (torch.arange(width, device=picture.device)[None, None, :] + pattern[:, None, None]) % 2
    red, blue = (row + column == 0), (row + column == 2)
    kept = torch.stack([red, ~(red | blue), blue], dim=1)
    cross = torch.tensor([[0, 0.25, 0], [0.25, 1, 0.25], [0, 0.25, 0]], device=picture.device)
    square = torch.tensor([[0.25, 0.5, 0.25], [0.5, 1, 0.5], [0.25, 0.5, 0.25]], device=picture.device)
    kernels = torch.stack([square, cross, square]).expand(len(picture), 3, 3, 3)
    # Mirrored edges keep the mosaic's pattern, repeated ones do not.
    return _convolve(picture * kept, kernels, edges="reflect")


def _colored(light: Tensor, factor: Tensor) -> Tensor:
    """Each pixel moved away from its own grey by a factor, after the sensor has cut the light at white."""
    light = light.clamp_(0, 1)
    return torch.lerp(light.mean(1, keepdim=True), light, factor[:, None, None, None])


def _tone(light: Tensor, gamma: Tensor, contrast: Tensor) -> Tensor:
    """Linear light -> sRGB (IEC 61966-2-1) in [0, 1], then the camera's own exponent and a share of 3x² - 2x³."""
    light = light.clamp_(0, 1)
    bright = light.pow(1 / 2.4).mul_(1.055).sub_(0.055)
    shown = torch.where(light <= 0.0031308, light.mul_(12.92), bright).pow_(gamma[:, None, None, None])
    return torch.lerp(shown, shown.square() * (3 - 2 * shown), contrast[:, None, None, None]).clamp_(0, 1)


def _sharpen(picture: Tensor, strength: Tensor) -> Tensor:
    """Sharpen with an unsharp mask. strength: (B,) its weight."""
    at = torch.arange(-3, 4, device=picture.device, dtype=picture.dtype)
    row = torch.exp(-at.square() / (2 * SHARPEN_SIGMA**2))
    kernel = torch.outer(row, row) / row.sum().square()
    blurred = _convolve(picture, kernel.expand(len(picture), 3, 7, 7))
    return (picture + strength[:, None, None, None] * (picture - blurred)).clamp_(0, 1)
