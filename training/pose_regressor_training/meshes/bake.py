"""Multiplies a texture with colours of vertices, so that one picture shows both."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from pose_regressor.color import srgb_from_linear, srgb_table
from pose_regressor.types import FloatArray, InputError
from pose_regressor_training.meshes.part import Part

#: So many plain colours get a copy of the picture each.
COPIES = 16
#: Linear colours closer than this are the same.
SAME = 1e-3
#: Faces that share texels may differ by this in their linear colour.
CONFLICT = 0.02


def multiplied(part: Part, light: FloatArray, path: Path) -> list[Part]:
    """Parts whose pictures are the part's, times the linear colours (V, 3) of its vertices.

    A part whose faces have few plain colours is split by them. Else the colours are painted into the picture.

    Raises InputError if the colours vary, and texels belong to several faces of different colours.
    """
    assert part.texture is not None and part.uv is not None
    corners = light[part.faces]
    if (np.ptp(corners, axis=1) < SAME).all():
        plain = np.round(corners.mean(1) / SAME).astype(np.int64)
        found, owner = np.unique(plain, axis=0, return_inverse=True)
        if len(found) <= COPIES:
            return [_copy(part, part.faces[owner.reshape(-1) == i], color * SAME) for i, color in enumerate(found)]
    factor = _painted(part, corners, path)
    texture = srgb_from_linear(srgb_table()[part.texture] * factor)
    return [replace(part, texture=texture)]


def _copy(part: Part, faces: NDArray[np.int64], color: FloatArray) -> Part:
    assert part.texture is not None
    return replace(part, faces=faces, texture=tinted(part.texture, color))


def tinted(picture: NDArray[np.uint8], color: FloatArray) -> NDArray[np.uint8]:
    """The picture's light (H, W, 3) times a linear colour (3,)."""
    if (color > 0.999).all():
        return picture
    codes = srgb_from_linear(srgb_table()[:, None] * color)
    return np.stack([codes[:, i][picture[..., i]] for i in range(3)], -1)


def _painted(part: Part, corners: FloatArray, path: Path) -> NDArray[np.float32]:
    """(H, W, 3) linear colour of each texel: interpolated on the faces, else that of the nearest face."""
    assert part.texture is not None and part.uv is not None
    height, width = part.texture.shape[:2]
    uv = part.uv[part.faces]
    uv = uv - np.floor(uv.min(1, keepdims=True) + 1e-6)
    if uv.max() > 1 + 1e-3:
        raise _cannot(path, "its texture repeats within a face")
    places = np.stack([uv[..., 0] * width - 0.5, (1 - uv[..., 1]) * height - 0.5], -1)
    factor, owned = np.ones((height, width, 3), np.float32), np.zeros((height, width), bool)
    for triangle, colors in zip(places, corners, strict=True):
        low = np.floor(triangle.min(0)).astype(int).clip(0, (width - 1, height - 1))
        high = np.ceil(triangle.max(0)).astype(int).clip(0, (width - 1, height - 1)) + 1
        area = cv2.determinant(np.stack([triangle[1] - triangle[0], triangle[2] - triangle[0]]))
        if abs(area) < 1e-12:
            continue
        x, y = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]))
        offset = np.stack([x, y], -1) - triangle[0]
        (ax, ay), (bx, by) = triangle[1] - triangle[0], triangle[2] - triangle[0]
        second = (offset[..., 0] * by - offset[..., 1] * bx) / area
        third = (offset[..., 1] * ax - offset[..., 0] * ay) / area
        weights = np.stack([1 - second - third, second, third], -1)
        inside = (weights >= 0).all(-1)
        block = slice(low[1], high[1]), slice(low[0], high[0])
        values = (weights @ colors)[inside]
        again = owned[block][inside]
        if again.any() and np.abs(factor[block][inside][again] - values[again]).max() > CONFLICT:
            raise _cannot(path, "faces of different colours share a place on it")
        factor[block][inside] = values
        owned[block][inside] = True
    if owned.any():
        nearest = distance_transform_edt(~owned, return_distances=False, return_indices=True)
        factor = factor[tuple(nearest)]
    else:  # faces smaller than texels
        factor[:] = corners.mean((0, 1))
    return factor


def _cannot(path: Path, why: str) -> InputError:
    return InputError(
        f"mesh {path}: has a texture and colours of vertices, which cannot be joined in one picture, since {why}: "
        "bake them into one texture"
    )
