# mypy: ignore-errors
"""Pictures on surfaces: linear light from sRGB texels with mip levels, for the ray tracer's kernels.

All texels lie in one flat array. A picture is a run of rows in a table of levels (start, width, height).
"""

from __future__ import annotations

import cv2
import numpy as np
import warp as wp
from numpy.typing import NDArray

from pose_regressor.color import srgb_from_linear, srgb_table

#: Levels are not made smaller than this many texels across.
SMALLEST = 4


def mip_levels(picture: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """The picture (H, W, 3) and its halvings, averaged in linear light."""
    levels = [picture]
    light = srgb_table()[picture]
    while min(light.shape[:2]) >= 2 * SMALLEST:
        light = cv2.resize(light, (light.shape[1] // 2, light.shape[0] // 2), interpolation=cv2.INTER_AREA)
        levels.append(srgb_from_linear(light))
    return levels


@wp.func
def linear_color(linear: wp.array(dtype=wp.float32), code: wp.vec3ub):
    return wp.vec3(linear[wp.int32(code[0])], linear[wp.int32(code[1])], linear[wp.int32(code[2])])


@wp.func
def blend(
    texels: wp.array(dtype=wp.vec3ub), linear: wp.array(dtype=wp.float32), upper: wp.int32, lower: wp.int32,
    left: wp.int32, right: wp.int32, fx: wp.float32, fy: wp.float32
):  # fmt: skip
    """Bilinear between four texels: of the rows that begin at `upper` and `lower`, in the columns `left` and
    `right`.
    """
    above = (1.0 - fx) * linear_color(linear, texels[upper + left]) + fx * linear_color(linear, texels[upper + right])
    below = (1.0 - fx) * linear_color(linear, texels[lower + left]) + fx * linear_color(linear, texels[lower + right])
    return (1.0 - fy) * above + fy * below


@wp.func
def mip_level(footprint: wp.float32, jitter: wp.float32, count: wp.int32):
    """The level for a pixel that covers `footprint` texels of the finest one.

    jitter: in [0, 1); spreads the change of levels over the pixels
    """
    # The bits of a float, read as an integer, give its logarithm to within a tenth.
    bits = wp.cast(wp.max(footprint, 1.0), wp.int32)
    logarithm = wp.float32(bits - 1065353216) * 1.1920929e-7
    return wp.min(wp.int32(logarithm + jitter), count - 1)


@wp.func
def sample_repeated(
    texels: wp.array(dtype=wp.vec3ub), linear: wp.array(dtype=wp.float32), level: wp.vec3i, x: wp.float32, y: wp.float32
):
    """Bilinear look-up, x right and y down from the upper left corner, 1 is the edge; repeats beyond."""
    width, height = level[1], level[2]
    column = (x - wp.floor(x)) * wp.float32(width) - 0.5
    row = (y - wp.floor(y)) * wp.float32(height) - 0.5
    left, top = wp.int32(wp.floor(column)), wp.int32(wp.floor(row))
    fx, fy = column - wp.float32(left), row - wp.float32(top)
    right, bottom = left + 1, top + 1
    left = wp.where(left < 0, width - 1, left)
    top = wp.where(top < 0, height - 1, top)
    right = wp.where(right >= width, 0, right)
    bottom = wp.where(bottom >= height, 0, bottom)
    return blend(texels, linear, level[0] + top * width, level[0] + bottom * width, left, right, fx, fy)


@wp.func
def sample_mirrored(
    texels: wp.array(dtype=wp.vec3ub), linear: wp.array(dtype=wp.float32), level: wp.vec3i, x: wp.float32, y: wp.float32
):
    """The same, but mirrored beyond the edges, without a seam."""
    width, height = level[1], level[2]
    last_column, last_row = wp.float32(width - 1), wp.float32(height - 1)
    column = wp.abs(x - 2.0 * wp.floor(0.5 * x + 0.5)) * wp.float32(width) - 0.5
    row = wp.abs(y - 2.0 * wp.floor(0.5 * y + 0.5)) * wp.float32(height) - 0.5
    column, row = wp.clamp(column, 0.0, last_column), wp.clamp(row, 0.0, last_row)
    left, top = wp.int32(column), wp.int32(row)
    right, bottom = wp.min(left + 1, width - 1), wp.min(top + 1, height - 1)
    fx, fy = column - wp.float32(left), row - wp.float32(top)
    return blend(texels, linear, level[0] + top * width, level[0] + bottom * width, left, right, fx, fy)
