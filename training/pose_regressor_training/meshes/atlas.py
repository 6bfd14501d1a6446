"""Puts several textures and plain colours of a mesh into one picture."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_regressor.types import InputError
from pose_regressor_training.meshes.part import Part

#: Longest edge of a texture, and of a picture that holds several. Images seldom show more of it.
TEXTURE_LIMIT, ATLAS_LIMIT = 2048, 4096
#: Texels around each picture that repeat its edge, so that neighbours do not mix when seen from afar.
MARGIN = 16
#: Edge of the picture of a plain colour.
PATCH = 16
#: Rounding may put coordinates this far outside a picture.
ROUNDING = 1e-3


def shrunk(texture: NDArray[np.uint8], limit: int) -> NDArray[np.uint8]:
    """(H, W, 3) with neither edge longer than `limit`."""
    scale = limit / max(texture.shape[:2])
    if scale >= 1:
        return texture
    if scale * min(texture.shape[:2]) < 1:  # a strip
        height, width = (max(1, round(scale * edge)) for edge in texture.shape[:2])
        return cv2.resize(texture, (width, height), interpolation=cv2.INTER_AREA)
    return cv2.resize(texture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def one_texture(parts: list[Part], path: Path) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The texture of all parts (H, W, 3), and every face's corners on it (F, 3, 2), in the order of the parts.

    Raises InputError for what one picture cannot hold.
    """
    pictures: list[NDArray[np.uint8]] = []
    owner = []
    for part in parts:
        picture = _picture(part, path)
        same = [i for i, other in enumerate(pictures) if np.array_equal(other, picture)]
        owner.append(same[0] if same else len(pictures))
        if not same:
            pictures.append(picture)
    if len(pictures) == 1:
        return shrunk(pictures[0], TEXTURE_LIMIT), np.concatenate([_corners(part) for part in parts])
    edge = ATLAS_LIMIT // int(np.ceil(np.sqrt(len(pictures)))) - 2 * MARGIN
    pictures = [shrunk(picture, min(TEXTURE_LIMIT, edge)) for picture in pictures]
    places, size = _shelves([picture.shape[:2] for picture in pictures])
    atlas = np.zeros((*size, 3), np.uint8)
    for picture, (row, column) in zip(pictures, places, strict=True):
        framed = cv2.copyMakeBorder(picture, MARGIN, MARGIN, MARGIN, MARGIN, cv2.BORDER_REPLICATE)
        atlas[row : row + framed.shape[0], column : column + framed.shape[1]] = framed
    moved = []
    for part, index in zip(parts, owner, strict=True):
        uv = _inside(_corners(part), path)
        (height, width), (row, column) = pictures[index].shape[:2], places[index]
        x = (column + MARGIN + uv[..., 0] * width) / size[1]
        y = (row + MARGIN + (1 - uv[..., 1]) * height) / size[0]
        moved.append(np.stack([x, 1 - y], -1))
    return atlas, np.concatenate(moved)


def _picture(part: Part, path: Path) -> NDArray[np.uint8]:
    if part.texture is not None:
        return part.texture
    assert part.colors is not None
    if (part.colors != part.colors[0]).any():
        raise InputError(f"mesh {path}: expected either textures or vertex colours, got parts with each of them")
    return np.tile(part.colors[0], (PATCH, PATCH, 1))


def _corners(part: Part) -> NDArray[np.float64]:
    return np.full((*part.faces.shape, 2), 0.5) if part.uv is None else part.uv[part.faces]


def _inside(uv: NDArray[np.float64], path: Path) -> NDArray[np.float64]:
    """Coordinates moved by whole repeats into [0, 1], face by face."""
    uv = uv - np.floor(uv.min(1, keepdims=True) + ROUNDING)
    if uv.max() > 1 + ROUNDING:
        raise InputError(
            f"mesh {path}: its textures repeat within a face, which works for one texture only, and it has several: "
            "bake them into one"
        )
    return uv.clip(0, 1)


def _shelves(shapes: list[tuple[int, int]]) -> tuple[list[tuple[int, int]], tuple[int, int]]:
    """Places (row, column) of pictures side by side on shelves, the tallest first, and the total (height, width)."""
    shapes = [(height + 2 * MARGIN, width + 2 * MARGIN) for height, width in shapes]
    longest = max(sum(width for _, width in shapes) / np.ceil(np.sqrt(len(shapes))), max(w for _, w in shapes))
    places: list[tuple[int, int]] = [(0, 0)] * len(shapes)
    row = column = shelf = right = 0
    for index in sorted(range(len(shapes)), key=lambda i: -shapes[i][0]):
        height, width = shapes[index]
        if column and column + width > longest:
            row, column, shelf = row + shelf, 0, 0
        places[index] = (row, column)
        column, shelf = column + width, max(shelf, height)
        right = max(right, column)
    return places, (row + shelf, right)
