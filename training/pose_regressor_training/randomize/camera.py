"""What a camera adds to a picture, drawn for a batch; `develop.py` carries it out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pose_regressor_training.randomize.part import Part, Span, chance, log_uniform, number, span, uniform

#: No mosaic, no compression.
NONE = -1
#: Blur by a pixel's own area, which is left when nothing else blurs.
PIXEL_BLUR = 0.45


@dataclass(frozen=True)
class CameraPart(Part):
    """Lens, sensor, signal processing and compression. Pixels are the camera's, not those of an enlarged window."""

    NAME: ClassVar[str] = "camera"

    blur: Span = span(0.4, 1.0, "Gaussian blur of the lens, sigma in pixels", least=0.3, most=3)
    motion: float = chance(0.2, "how often the camera moves during the exposure")
    motion_length: Span = span(2, 9, "length of that motion, pixels", most=9)
    chromatic: Span = span(0, 0.4, "red and blue are shifted against green by so many pixels", most=2)
    distortion: float = chance(0.2, "how often a lens distortion is left that the calibration does not know")
    distortion_pixels: Span = span(0, 0.8, "its shift at the window's corner, pixels", most=20)
    exposure: Span = span(0.8, 1.25, "gain, uniform in the logarithm", least=0.01)
    white_balance: float = number(0.07, "standard deviation of each channel's gain", most=0.5)
    flare: float = chance(0.5, "how often light that strays in the lens lies over everything")
    flare_light: Span = span(0, 0.12, "that light, 1 being white; mostly little", most=1)
    banding: float = chance(0.1, "how often flicker of the light rolls over the rows as bands of colour")
    banding_depth: Span = span(0.02, 0.12, "change of the gain by those bands", most=1)
    shot_noise: Span = span(
        0, 0.06, "standard deviation of the noise of white, falling with the root; mostly low", most=1
    )
    read_noise: Span = span(0, 0.005, "standard deviation of the noise of black; mostly low", most=1)
    bayer: float = chance(0.3, "how often colours come from a mosaic of single-colour pixels")
    colorfulness: Span = span(0.7, 1.3, "factor on the distance from grey", most=4)
    gamma: Span = span(0.8, 1.25, "exponent on top of sRGB's tone curve, uniform in the logarithm", least=0.1)
    contrast: Span = span(-0.2, 0.6, "share of an S-shaped curve, which deepens shadows and spares highlights", -1, 1)
    sharpening: float = chance(0.15, "how often the camera sharpens")
    sharpening_strength: Span = span(0.4, 1.0, "weight of the unsharp mask", most=5)
    jpeg: float = chance(0.4, "how often the picture is compressed")
    jpeg_quality: Span = span(35, 96, "libjpeg's quality", least=1, most=100)


@dataclass(frozen=True, eq=False)
class Shots:
    """How B pictures were taken; every array has B rows.

    detail: camera pixels for each pixel of the picture, at most 1; sigma, motion_length: pixels; motion_angle: radians;
    chromatic (B, 2, 2): shifts (x, y) of red and blue, pixels; distortion: k, in pixels at the corner; gain (B, 3);
    flare (B, 3): light; band_depth, band_turns (over the picture's height), band_phase (B, 3); shot, read: standard
    deviations at white and at black; noise_start: in [0, 1), where in the table of noise; bayer: which of the four
    mosaics, or NONE; colorfulness; gamma; contrast; sharpening; quality: of the JPEG, or NONE.
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
    """An ideal camera: pixels with an area, sRGB, nothing else."""
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
