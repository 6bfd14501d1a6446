"""What lens, sensor and compression do to a picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

#: Gaussian noise, drawn once: every picture gets a window of it, which is ten times faster than drawing it.
_NOISE = np.random.default_rng(0).standard_normal((512, 512, 3), np.float32)


def _noise(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    top, left = rng.integers(0, _NOISE.shape[0] - height + 1), rng.integers(0, _NOISE.shape[1] - width + 1)
    return _NOISE[top : top + height, left : left + width, rng.permutation(3)]


def _motion_blur(rng: np.random.Generator, image: NDArray[np.float32]) -> NDArray[np.float32]:
    length = int(rng.integers(3, 10))
    kernel = np.zeros((length, length), np.float32)
    angle = rng.uniform(0, np.pi)
    half = (length - 1) / 2
    reach = half * np.array([np.cos(angle), np.sin(angle)])
    start, end = (half - reach).round().astype(int), (half + reach).round().astype(int)
    cv2.line(kernel, start.tolist(), end.tolist(), 1.0, 1)
    return cv2.filter2D(image, -1, kernel / kernel.sum())


def photograph(rng: np.random.Generator, image: NDArray[np.float32], detail: float) -> NDArray[np.uint8]:
    """(H, W, 3) colours in [0, 1] -> uint8, as a camera would have seen them.

    detail: camera pixels for each pixel of `image`; below 1 the picture is an enlargement of fewer pixels.
    """
    height, width = image.shape[:2]
    if detail < 0.9:
        small = (max(8, round(width * detail)), max(8, round(height * detail)))
        image = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    if rng.random() < 0.2:
        image = _motion_blur(rng, image)
    image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.35, 1.1))
    image = image * (1 + rng.normal(0, 0.07, 3)).astype(np.float32)  # white balance
    image = np.maximum(image, 0) ** np.float32(np.exp(rng.normal(0, 0.15)))
    sigma = 0.04 * rng.beta(1, 3)
    image = image + _noise(rng, *image.shape[:2]) * np.float32(sigma)
    picture = (image.clip(0, 1) * 255).astype(np.uint8)
    if rng.random() < 0.15:  # in-camera sharpening
        picture = cv2.addWeighted(picture, 1.8, cv2.GaussianBlur(picture, (0, 0), 1.2), -0.8, 0)
    if rng.random() < 0.4:
        encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 96))])[1]
        picture = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR))
    if picture.shape[:2] != (height, width):
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)
    return picture
