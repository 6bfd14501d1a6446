"""From linear light to sRGB codes, in which pictures are stored; the other way is `pose_regressor.color`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def srgb_from_linear(light: NDArray) -> NDArray[np.uint8]:
    """Linear light, clipped to [0, 1], as sRGB codes; any shape."""
    light = np.clip(light, 0, 1)
    code = np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.power(light, 1 / 2.4) - 0.055)
    return (code * 255 + 0.5).astype(np.uint8)
