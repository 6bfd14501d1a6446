"""The effects of a camera on a picture, drawn for a batch. `develop.py` applies them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pose_regressor.settings import chance, number, span
from pose_regressor_training.randomize.draw import log_uniform, uniform
from pose_regressor_training.randomize.part import Part, Span

#: Stands for no mosaic and for no compression.
NONE = -1
#: Blur by the area of a pixel, standard deviation in pixels: it remains when nothing else blurs.
PIXEL_BLUR = 0.45


@dataclass(frozen=True)
class CameraPart(Part):
    """Lens, sensor, processing and compression. Fixed: an ideal camera.

    Pixels are the camera's, not those of an enlarged window.
    """

    scope: ClassVar[str] = "camera."

    blur: Span = span(0.4, 1.0, "standard deviation of the lens's Gaussian blur", 0.3, 3, unit="pixels")
    motion: float = chance(0.2, "how often the camera moves during the exposure")
    motion_length: Span = span(2, 9, "length of that motion", high=9, unit="pixels")
    chromatic: Span = span(0, 0.4, "shift of red and blue against green, in opposite directions", high=2, unit="pixels")
    distortion: float = chance(0.2, "how often the lens has a distortion that the calibration lacks")
    distortion_pixels: Span = span(
        0, 0.8, "shift that this distortion causes at the window's corner", high=20, unit="pixels"
    )
    exposure: Span = span(0.8, 1.25, "gain of all channels; uniform in the logarithm", 0.01)
    white_balance: float = number(0.07, "standard deviation of each channel's gain", high=0.5)
    flare: float = chance(0.5, "how often stray light in the lens brightens the picture")
    flare_light: Span = span(
        0, 0.12, "strength of that stray light, white is 1; small values are more frequent", high=1
    )
    banding: float = chance(0.1, "how often flickering light leaves bands of colour across the rows")
    banding_depth: Span = span(0.02, 0.12, "change of the gain in these bands", high=1)
    shot_noise: Span = span(
        0,
        0.06,
        "standard deviation at white of the noise that grows with the square root of the light; small values are more "
        "frequent",
        high=1,
    )
    read_noise: Span = span(
        0, 0.005, "standard deviation of the noise at black; small values are more frequent", high=1
    )
    bayer: float = chance(0.3, "how often colours come from a mosaic of single-colour pixels")
    colorfulness: Span = span(0.7, 1.3, "factor on each pixel's distance from grey", high=4)
    gamma: Span = span(0.8, 1.25, "exponent on top of sRGB's tone curve; uniform in the logarithm", 0.1)
    contrast: Span = span(
        -0.2, 0.6, "share of an S-shaped tone curve, which darkens dark pixels and brightens bright ones", -1, 1
    )
    sharpening: float = chance(0.15, "how often the camera sharpens")
    sharpening_strength: Span = span(0.4, 1.0, "weight of the unsharp mask", high=5)
    jpeg: float = chance(0.4, "how often the picture is compressed")
    jpeg_quality: Span = span(35, 96, "quality on libjpeg's scale", 1, 100)


@dataclass(frozen=True, eq=False)
class Shots:
    """How B pictures are taken. Every array has B rows.

    detail: (B,) camera pixels for each pixel of the picture, at most 1
    sigma: (B,) standard deviation of the blur, pixels
    motion_length: (B,) pixels
    motion_angle: (B,) radians
    chromatic: (B, 2, 2) shifts (x, y) of red and of blue, pixels
    distortion: (B,) shift at the corner, pixels
    gain: (B, 3) factors on red, green and blue
    flare: (B, 3) stray light, white is 1
    band_depth: (B,) change of the gain in the bands
    band_turns: (B,) bands over the picture's height
    band_phase: (B, 3) radians
    shot, read: (B,) standard deviations of the noise at white and at black
    noise_start: (B,) from 0 to 1, where in the table of noise to begin
    bayer: (B,) which of the four mosaics, or NONE
    colorfulness: (B,) factor on the distance from grey
    gamma: (B,) exponent
    contrast: (B,) share of the S-shaped curve
    sharpening: (B,) weight of the unsharp mask
    quality: (B,) of the JPEG, or NONE
    """

    detail: NDArray[np.float64]
    sigma: NDArray[np.float64]
    motion_length: NDArray[np.float64]
    motion_angle: NDArray[np.float64]
    chromatic: NDArray[np.float64]
    distortion: NDArray[np.float64]
    gain: NDArray[np.float64]
    flare: NDArray[np.float64]
    band_depth: NDArray[np.float64]
    band_turns: NDArray[np.float64]
    band_phase: NDArray[np.float64]
    shot: NDArray[np.float64]
    read: NDArray[np.float64]
    noise_start: NDArray[np.float64]
    bayer: NDArray[np.int64]
    colorfulness: NDArray[np.float64]
    gamma: NDArray[np.float64]
    contrast: NDArray[np.float64]
    sharpening: NDArray[np.float64]
    quality: NDArray[np.int64]


def plain_shots(count: int) -> Shots:
    """Shots of an ideal camera: pixels with an area, sRGB, nothing else."""
    zeros = np.zeros(count)
    return Shots(
        detail=np.ones(count),
        sigma=np.full(count, PIXEL_BLUR),
        motion_length=zeros,
        motion_angle=zeros,
        chromatic=np.zeros((count, 2, 2)),
        distortion=zeros,
        gain=np.ones((count, 3)),
        flare=np.zeros((count, 3)),
        band_depth=zeros,
        band_turns=zeros,
        band_phase=np.zeros((count, 3)),
        shot=zeros,
        read=zeros,
        noise_start=zeros,
        bayer=np.full(count, NONE),
        colorfulness=np.ones(count),
        gamma=np.ones(count),
        contrast=zeros,
        sharpening=zeros,
        quality=np.full(count, NONE),
    )


def draw_shots(part: CameraPart, rng: np.random.Generator, detail: NDArray[np.float64]) -> Shots:
    """One picture for each of `detail` (B,): camera pixels for each of its pixels."""
    count = len(detail)
    if not part.random:
        return plain_shots(count)

    def sometimes(how_often: float, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(rng.random(count) < how_often, values, 0.0)

    def mostly_low(bounds: Span) -> NDArray[np.float64]:
        return bounds[0] + (bounds[1] - bounds[0]) * rng.random(count) ** 2

    shift = uniform(rng, part.chromatic, count)
    angle = rng.uniform(0, 2 * math.pi, count)
    red = (shift * np.stack([np.cos(angle), np.sin(angle)])).T
    gain = log_uniform(rng, part.exposure, (count, 1)) * (1 + part.white_balance * rng.normal(size=(count, 3)))
    flare = sometimes(part.flare, mostly_low(part.flare_light))[:, None] * rng.uniform(0.8, 1.2, (count, 3))
    quality = np.rint(uniform(rng, part.jpeg_quality, count)).astype(np.int64)
    return Shots(
        detail=detail,
        sigma=uniform(rng, part.blur, count),
        motion_length=sometimes(part.motion, uniform(rng, part.motion_length, count)),
        motion_angle=rng.uniform(0, math.pi, count),
        chromatic=np.stack([red, -red], axis=1),
        distortion=sometimes(part.distortion, uniform(rng, part.distortion_pixels, count) * rng.choice((-1, 1), count)),
        gain=gain.clip(0.05),
        flare=flare,
        band_depth=sometimes(part.banding, uniform(rng, part.banding_depth, count)),
        band_turns=rng.uniform(0.5, 4, count),
        band_phase=rng.uniform(0, 2 * math.pi, (count, 1)) + rng.normal(0, 0.5, (count, 3)),
        shot=mostly_low(part.shot_noise),
        read=mostly_low(part.read_noise),
        noise_start=rng.random(count),
        bayer=np.where(rng.random(count) < part.bayer, rng.integers(0, 4, count), NONE),
        colorfulness=uniform(rng, part.colorfulness, count),
        gamma=log_uniform(rng, part.gamma, count),
        contrast=uniform(rng, part.contrast, count),
        sharpening=sometimes(part.sharpening, uniform(rng, part.sharpening_strength, count)),
        quality=np.where(rng.random(count) < part.jpeg, quality, NONE),
    )
