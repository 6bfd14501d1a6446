"""RVL, the lossless code for depth images that `compressedDepth` may use.

Source: A. D. Wilson, Fast Lossless Depth Image Compression, ISS 2017. The pixels are runs of zeros and runs of other
values. A run of others is stored as differences from the value before. Numbers are stored in digits of three bits, the
lowest first; a fourth bit says that another digit follows. Eight of these lie in each 32-bit word, the first on top.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Digits of the largest number that can occur: the length of a run of 2**31 pixels.
MOST_DIGITS = 11
#: Two pixels take at most eight half bytes: two lengths of runs and one difference of 17 bits.
BYTES_PER_PIXEL = 4


def decode_rvl(data: bytes, pixels: int) -> NDArray[np.uint16]:
    """(pixels,) values. ValueError: `data` is no such image. Bytes that follow the last pixel are ignored."""
    words = np.frombuffer(data[: BYTES_PER_PIXEL * (pixels + 4)], dtype="<u4", count=min(len(data) // 4, pixels + 4))
    numbers = _numbers(words)
    result = np.zeros(pixels, np.uint16)
    differences, places = [], []
    position = done = 0
    while done < pixels:
        if position + 2 > len(numbers):
            raise ValueError(f"{done} of {pixels} pixels")
        zeros, others = int(numbers[position]), int(numbers[position + 1])
        position, done = position + 2, done + zeros
        if zeros + others == 0 or done + others > pixels or position + others > len(numbers):
            raise ValueError(f"runs of {zeros} and {others} pixels, {done} of {pixels} before")
        differences.append(numbers[position : position + others])
        places.append(np.arange(done, done + others))
        position, done = position + others, done + others
    signed = np.concatenate(differences or [np.zeros(0, np.int64)])
    signed = (signed >> 1) ^ -(signed & 1)  # the lowest bit is the sign
    result[np.concatenate(places or [np.zeros(0, np.int64)])] = np.cumsum(signed) & 0xFFFF
    return result


def _numbers(words: NDArray[np.uint32]) -> NDArray[np.int64]:
    """All whole numbers in the words. An unfinished one at their end is left out."""
    digits = (words[:, None] >> np.arange(28, -1, -4, dtype=np.uint32) & 0xF).reshape(-1).astype(np.int64)
    ends = np.flatnonzero(digits < 8)
    starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
    lengths = ends - starts + 1
    if len(ends) == 0:
        return np.zeros(0, np.int64)
    if lengths.max() > MOST_DIGITS:
        raise ValueError(f"a number of {lengths.max()} digits")
    place = np.arange(ends[-1] + 1) - np.repeat(starts, lengths)
    return np.add.reduceat((digits[: ends[-1] + 1] & 7) << 3 * place, starts)
