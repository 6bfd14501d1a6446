"""Things in front of the object, and shadows on it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_regressor_training.randomize.background import PictureBank, random_outline


def random_occluder(rng: np.random.Generator, size: int, box: NDArray) -> NDArray[np.float32]:
    """(size, size) in [0, 1]: one thing that reaches into `box` (4,) x0, y0, x1, y1 from outside or lies across it."""
    alpha = np.zeros((size, size), np.uint8)
    centre, extent = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]).max()
    angle = rng.uniform(0, 2 * np.pi)
    outward = np.array([np.cos(angle), np.sin(angle)])
    if rng.random() < 0.5:
        at = centre + outward * extent * rng.uniform(0.3, 0.8)
        cv2.fillPoly(alpha, [random_outline(rng, at, extent * rng.uniform(0.15, 0.6))], 255, cv2.LINE_AA)
    else:  # a hand: a thick limb with some thinner ones on it
        start = centre + outward * extent * 2
        for _ in range(int(rng.integers(1, 6))):
            end = centre + outward * extent * rng.uniform(-0.1, 0.5) + rng.normal(0, 0.2 * extent, 2)
            thickness = max(2, int(extent * rng.uniform(0.05, 0.25)))
            cv2.line(alpha, start.astype(int).tolist(), end.astype(int).tolist(), 255, thickness, cv2.LINE_AA)
    return (alpha / 255).astype(np.float32)


def occluder_color(rng: np.random.Generator, bank: PictureBank, size: int) -> NDArray[np.float32]:
    """(size, size, 3) in [0, 1]: any picture, or skin."""
    if rng.random() < 0.6:
        return (bank.cut(rng, size) / 255).astype(np.float32)
    skin = np.array([0.85, 0.62, 0.5], np.float32) * rng.uniform(0.25, 1.15) + rng.normal(0, 0.04, 3)
    shade = cv2.resize(rng.normal(1, 0.12, (5, 5)).astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    return (skin.astype(np.float32) * shade[..., None]).clip(0, 1)


def random_shadow(rng: np.random.Generator, size: int) -> NDArray[np.float32]:
    """(size, size, 1) factor: a soft or hard shadow, or a brighter patch, over part of the window."""
    area = np.zeros((size, size), np.float32)
    cv2.fillPoly(area, [random_outline(rng, rng.uniform(0, size, 2), size * rng.uniform(0.2, 0.8))], 1.0)
    area = cv2.GaussianBlur(area, (0, 0), rng.uniform(0.8, 12))
    return 1 + area[..., None] * np.float32(rng.uniform(-0.6, 0.35))
