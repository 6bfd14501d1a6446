"""From sRGB codes, in which pictures are stored, to linear light, in which light adds up."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def srgb_table() -> NDArray[np.float32]:
    """(256,) linear light of every sRGB code (IEC 61966-2-1)."""
    code = np.arange(256) / 255
    return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4).astype(np.float32)
