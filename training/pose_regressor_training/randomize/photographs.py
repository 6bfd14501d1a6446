"""Photographs of a folder, cut into squares for backgrounds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pose_regressor.types import InputError

PHOTOGRAPHS = {".jpg", ".jpeg", ".png"}
#: Sides of the squares that are cut at random, over the photograph's shorter side.
SHARE = (0.3, 1.0)
#: Squares of all photographs together that `squares_each` aims at, and most of one: a square takes 200 kB in each
#: process that makes images.
SQUARES, MOST = 800, 8

_REMEDY = "remove it from the photographs, or replace it"
#: Edge to which a JPEG is shrunk to be checked.
_SMALL = 64


def photographs_in(folder: Path) -> list[Path]:
    """The photographs in a folder and the folders below it, in the order of their names.

    Raises InputError if there are none.
    """
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PHOTOGRAPHS)
    if not found:
        raise InputError(f"{folder}: expected photographs ({', '.join(sorted(PHOTOGRAPHS))}), found none")
    return found


def squares_each(folder: Path) -> int:
    """How many squares to cut from each photograph of the folder: more if there are few photographs.

    Raises InputError if the folder has no photographs, or one that cannot be read.
    """
    found = photographs_in(folder)
    for path in found:
        _check(path)
    return max(1, min(MOST, SQUARES // len(found)))


def squares(folder: Path, size: int, each: int, seed: int) -> Iterator[NDArray[np.uint8]]:
    """(size, size, 3) RGB: `each` squares of every photograph. The first is its middle, the others are cut at random.

    seed: the squares of photograph i depend on the seed and on i

    Raises InputError if the folder has no photographs, or one that cannot be read.
    """
    for index, path in enumerate(photographs_in(folder)):
        picture = _read(path)
        shortest = np.array(picture.shape[:2]).min()
        rng = np.random.default_rng((seed, index, 2))  # 2: the procedural pictures have (seed, index)
        for number in range(each):
            edge = shortest if number == 0 else max(1, round(shortest * rng.uniform(*SHARE)))
            room = np.array(picture.shape[:2]) - edge
            top, left = room // 2 if number == 0 else rng.integers(0, room + 1)
            square = picture[top : top + edge, left : left + edge, ::-1]
            yield cv2.resize(np.ascontiguousarray(square), (size, size), interpolation=cv2.INTER_AREA)


def _check(path: Path) -> None:
    """Raises InputError for a picture that cannot be read, or is cut off."""
    try:
        with Image.open(path) as image:
            image.draft("RGB", (_SMALL, _SMALL))  # a JPEG is read in a fraction of the time, but to its end
            image.load()
    except Exception as error:  # Pillow's decoders raise whatever they meet
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: cannot be read as a picture: {reason}; {_REMEDY}") from None


def _read(path: Path) -> NDArray[np.uint8]:
    """(H, W, 3) BGR."""
    try:
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    except cv2.error:  # more pixels than OpenCV allows
        picture = None
    if picture is None:
        raise InputError(f"{path}: cannot be read as a picture; {_REMEDY}")
    return np.asarray(picture, np.uint8)
