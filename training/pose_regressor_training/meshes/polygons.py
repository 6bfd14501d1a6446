"""Cuts polygons and strips into triangles."""

from __future__ import annotations

import mapbox_earcut
import numpy as np
from numpy.typing import NDArray

from pose_regressor.types import FloatArray

#: A corner turns inwards if the sine of its turn is below this. Straight corners stay within it.
INWARDS = -1e-6


def triangles(vertices: FloatArray, counts: NDArray[np.int64], corners: NDArray[np.int64]) -> NDArray[np.int64]:
    """(T, 3) positions in `corners` of the triangles that polygons consist of.

    Convex polygons become a fan from their first corner, all others are cut by ear clipping. Polygons of fewer than
    three corners are left out.

    vertices: (V, 3)
    counts: (F,) number of corners of each polygon
    corners: (sum of counts,) vertices of the polygons, one after the other
    """
    starts = np.cumsum(counts) - counts
    fans, order = [], []
    for count in np.unique(counts[counts >= 3]):
        first = starts[counts == count]
        own = first[:, None] + np.arange(count)
        if count > 3:
            concave = _concave(vertices[corners[own]])
            for polygon in own[concave]:
                cut = polygon[_ears(vertices[corners[polygon]])]
                fans.append(cut)
                order.append(np.zeros(len(cut), np.int64))
            own = own[~concave]
        for step in range(count - 2):
            # A quad's second triangle begins where its first ends, as other readers have it.
            fans.append(own[:, [0, 1, 2]] if step == 0 else own[:, [step + 1, step + 2, 0]])
            order.append(np.full(len(own), step))
    if not fans:
        return np.zeros((0, 3), np.int64)
    found, rank = np.concatenate(fans), np.concatenate(order)
    # The first triangles of all polygons come first, in the order of the file.
    return found[np.lexsort([found.min(1), rank])]


def strip_triangles(strip: NDArray[np.int64]) -> NDArray[np.int64]:
    """(T, 3) triangles of a strip (S,) of vertices; every other one is turned over, so that all face the same way."""
    if len(strip) < 3:
        return np.zeros((0, 3), np.int64)
    found = np.stack([strip[:-2], strip[1:-1], strip[2:]], 1)
    found[1::2] = found[1::2, [1, 0, 2]]
    return found


def _normals(points: FloatArray) -> FloatArray:
    """(P, 3) normals of polygons (P, N, 3), as long as twice their areas (Newell's method)."""
    centred = points - points[:, :1]
    return np.cross(centred, np.roll(centred, -1, 1)).sum(1)


def _concave(points: FloatArray) -> NDArray[np.bool_]:
    """(P,) whether polygons (P, N, 3) have a corner that turns inwards."""
    ahead = np.roll(points, -1, 1) - points
    behind = np.roll(ahead, 1, 1)
    normal = _normals(points)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True).clip(1e-300)
    turn = np.einsum("pnj,pj->pn", np.cross(behind, ahead), normal)
    lengths = np.linalg.norm(ahead, axis=2) * np.linalg.norm(behind, axis=2)
    return (turn < INWARDS * lengths).any(1)


def _ears(points: FloatArray) -> NDArray[np.int64]:
    """(T, 3) triangles of one polygon (N, 3), seen along its normal and turned like it."""
    normal = _normals(points[None])[0]
    drop = int(np.abs(normal).argmax())
    # The two axes that are left, in an order that keeps the polygon's turn.
    seen = points[:, [(drop + 1) % 3, (drop + 2) % 3]]
    if normal[drop] < 0:
        seen = seen[:, ::-1]
    seen = np.ascontiguousarray(seen - seen.mean(0), np.float64)
    found = mapbox_earcut.triangulate_float64(seen, np.array([len(seen)], np.uint32)).astype(np.int64).reshape(-1, 3)
    a, b, c = (seen[found[:, i]] for i in range(3))
    backwards = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) < (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    found[backwards] = found[backwards][:, ::-1]
    return found
