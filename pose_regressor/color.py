"""sRGB codes, in which pictures are stored, and linear light, in which light adds up (IEC 61966-2-1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def srgb_table() -> NDArray[np.float32]:
    """(256,) linear light of every sRGB code."""
    code = np.arange(256) / 255
    return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4).astype(np.float32)


def srgb_from_linear(light: NDArray) -> NDArray[np.uint8]:
    """sRGB codes of linear light of any shape, clipped to [0, 1]."""
    light = np.clip(light, 0, 1)
    code = np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.power(light, 1 / 2.4) - 0.055)
    return (code * 255 + 0.5).astype(np.uint8)
