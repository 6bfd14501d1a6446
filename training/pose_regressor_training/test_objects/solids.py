"""Signed distances of simple solids as functions of (N, 3) points, negative inside. Lengths are in the points' unit."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from pose_regressor.types import FloatArray
from pose_regressor_training.test_objects.skin import Field


def ball(centre: ArrayLike, radius: float) -> Field:
    return lambda points: np.linalg.norm(points - np.asarray(centre), axis=1) - radius


def ellipsoid(centre: ArrayLike, radii: ArrayLike) -> Field:
    """Exact on the surface and to first order near it (Quilez, 2008)."""
    axes = np.asarray(radii, np.float64)

    def distance(points: FloatArray) -> FloatArray:
        scaled = (points - np.asarray(centre)) / axes
        length = np.linalg.norm(scaled, axis=1)
        slope = np.linalg.norm(scaled / axes, axis=1)
        return np.asarray(length * (length - 1) / np.maximum(slope, 1e-12))

    return distance


def rod(start: ArrayLike, end: ArrayLike, start_radius: float, end_radius: float) -> Field:
    """A round-ended rod whose radius changes evenly along its axis: a bound of the distance, exact for a constant
    radius.
    """
    origin = np.asarray(start, np.float64)
    axis = np.asarray(end, np.float64) - origin

    def distance(points: FloatArray) -> FloatArray:
        along = ((points - origin) @ axis / (axis @ axis)).clip(0, 1)
        radius = start_radius + along * (end_radius - start_radius)
        return np.asarray(np.linalg.norm(points - origin - along[:, None] * axis, axis=1) - radius)

    return distance


def chain(places: Sequence[ArrayLike], radii: Sequence[float]) -> Field:
    """Rods from place to place."""
    rods = [rod(*ends, *sizes) for ends, sizes in zip(pairwise(places), pairwise(radii), strict=True)]
    return union(*rods, melt=0.5 * min(radii))


def ring(centre: ArrayLike, axis: ArrayLike, radius: float, thickness: float, height: float) -> Field:
    """A torus about `axis`. Its section is an ellipse with half axes `thickness` (across) and `height` (along)."""
    direction = np.asarray(axis, np.float64) / np.linalg.norm(axis)

    def distance(points: FloatArray) -> FloatArray:
        offset = points - np.asarray(centre)
        along = offset @ direction
        across = np.linalg.norm(offset - along[:, None] * direction, axis=1) - radius
        section = np.stack([across, along, np.zeros_like(along)], 1)
        return ellipsoid((0, 0, 0), (thickness, height, 1.0))(section)

    return distance


def half_space(point: ArrayLike, outward: ArrayLike) -> Field:
    direction = np.asarray(outward, np.float64) / np.linalg.norm(outward)
    return lambda points: np.asarray((points - np.asarray(point)) @ direction)


def rising(start: ArrayLike, end: ArrayLike) -> Field:
    """A shade rather than a distance: 0 at `start`, 1 at `end`, linear between them."""
    axis = np.subtract(end, start).astype(np.float64)
    return lambda points: np.asarray((points - np.asarray(start)) @ axis / (axis @ axis))


def union(*fields: Field, melt: float = 0.0) -> Field:
    """All of the solids. Where two are nearer than `melt`, they flow into each other."""
    return lambda points: _soft_minimum([field(points) for field in fields], melt)


def common(*fields: Field, melt: float = 0.0) -> Field:
    """What lies in all of the solids."""
    return lambda points: -_soft_minimum([-field(points) for field in fields], melt)


def _soft_minimum(values: Sequence[FloatArray], melt: float) -> FloatArray:
    """Polynomial smooth minimum (Quilez, 2013), taking the values one after the other."""
    result = values[0]
    for value in values[1:]:
        overlap = np.maximum(melt - np.abs(result - value), 0)
        result = np.minimum(result, value) - (overlap**2 / (4 * melt) if melt > 0 else 0)
    return result
