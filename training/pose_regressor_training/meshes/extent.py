"""How large a mesh is: the largest distance of two of its points, and the volume of its convex hull."""

from __future__ import annotations

import numpy as np
import trimesh
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

from pose_regressor.types import FloatArray

#: Up to so many vertices, the convex hull is computed; up to so many corners, all pairs of them are compared.
HULL_VERTICES, HULL_CORNERS = 200_000, 3_000
#: Of larger meshes, the outermost vertices as seen from the middle, one for each of about this many cells squared.
CELLS = 48
#: Directions along which these are measured, and how many of the widest pairs are improved.
DIRECTIONS, IMPROVED = 256, 6


def diameter(vertices: NDArray[np.floating], faces: NDArray[np.integer]) -> float:
    """The largest distance of two of the vertices (V, 3).

    Exact if the convex hull has few corners. A round part has hundreds of thousands, and as many pairs squared: its
    widest pairs along a few hundred directions are improved until no vertex is farther from either end. The result is
    a distance of two vertices, and the shortfall of a smooth shape is below 1e-4 of it.
    """
    corners = np.asarray(vertices, np.float64)
    if len(vertices) <= HULL_VERTICES:
        hull = trimesh.Trimesh(vertices, faces, process=False).convex_hull
        corners = np.asarray(hull.vertices, np.float64)
    if len(corners) <= HULL_CORNERS:
        return max(float(np.linalg.norm(corners - corner, axis=1).max()) for corner in corners)
    outermost = _outermost(corners)
    return max(_improved(corners, corners[outermost[end]]) for end in _widest_pairs(corners[outermost]))


def hull_volume(vertices: NDArray[np.floating]) -> float:
    """Volume of the convex hull of vertices (V, 3).

    Of very many vertices, the outermost ones in a few thousand directions count: of a ball, they span 99.8 % of it.
    """
    if len(vertices) > HULL_VERTICES:
        vertices = vertices[_outermost(np.asarray(vertices, np.float64))]
    return float(ConvexHull(vertices).volume)


def _outermost(points: FloatArray) -> NDArray[np.int64]:
    """The farthest point from the middle in each direction that has any; a few thousand in all."""
    offset = points - (points.min(0) + points.max(0)) / 2
    radius = np.sqrt(np.einsum("pi,pi->p", offset, offset))
    cell = (offset / radius.clip(1e-300)[:, None] * (CELLS / 2) + CELLS / 2).astype(np.int64)
    key = (cell[:, 0] * (CELLS + 1) + cell[:, 1]) * (CELLS + 1) + cell[:, 2]
    order = np.argsort(radius)
    last = np.zeros((CELLS + 1) ** 3, np.int64)
    last[key[order]] = order  # of several, the last one stays: the farthest
    return last[np.unique(key)]


def _widest_pairs(points: FloatArray) -> NDArray[np.int64]:
    """One end of each of the widest pairs of points along evenly spread directions (Fibonacci lattice)."""
    place = np.arange(DIRECTIONS) + 0.5
    z, turn = 1 - place / DIRECTIONS, np.pi * (1 + 5**0.5) * place
    radius = np.sqrt(1 - z * z)
    heights = points @ np.stack([radius * np.cos(turn), radius * np.sin(turn), z])
    low, high = heights.argmin(0), heights.argmax(0)
    distance = np.linalg.norm(points[low] - points[high], axis=1)
    return np.unique(low[np.argsort(-distance)[:IMPROVED]])


def _improved(points: FloatArray, end: FloatArray) -> float:
    """The distance from one end (3,) to the farthest point, from there to the farthest again, until it stays."""
    best = 0.0
    while True:
        offset = points - end
        square = np.einsum("pi,pi->p", offset, offset)
        farthest = int(square.argmax())
        if square[farthest] <= best:
            return float(np.sqrt(best))
        best, end = float(square[farthest]), points[farthest]
