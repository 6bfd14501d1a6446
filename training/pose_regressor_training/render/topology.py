"""How the triangles of a mesh hang together: whether they close it, and where it is smooth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Faces that meet under a greater angle than this meet in an edge that is seen.
CREASE = np.deg2rad(35)
#: Faces that one round of the smoothing works on, so that it needs little memory.
CHUNK = 200_000


def merged(vertices: NDArray[np.float32], faces: NDArray[np.int32]) -> NDArray[np.int64]:
    """The faces (F, 3) with vertices at the same place named by one number: seams of the texture do not count."""
    places = np.ascontiguousarray(vertices + np.float32(0)).view([("", np.float32)] * 3).ravel()
    _, names = np.unique(places, return_inverse=True)
    return names.reshape(-1)[faces]


def is_closed(joined: NDArray[np.int64]) -> bool:
    """Whether every edge joins two faces that turn the same way."""
    start, end = joined[:, [0, 1, 2]].ravel(), joined[:, [1, 2, 0]].ravel()
    count = int(joined.max()) + 1
    forward, backward = np.sort(start * count + end), np.sort(end * count + start)
    return not (forward[1:] == forward[:-1]).any() and np.array_equal(forward, backward)


def corner_normals(corners: NDArray[np.float64], joined: NDArray[np.int64]) -> NDArray[np.float64]:
    """(F, 3, 3) unit normals of a smooth surface through corners (F, 3, 3): the mean, weighted with their angles, of
    the faces around a corner that form no crease with the corner's own face.
    """
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True).clip(1e-30)
    angle = _angles(corners)
    # All corners of a vertex side by side, and for every corner where that run begins and ends.
    order = np.argsort(joined.ravel(), kind="stable")
    names = joined.ravel()[order]
    begin, end = np.searchsorted(names, joined, "left"), np.searchsorted(names, joined, "right")
    weighted = angle.ravel()[order, None] * normal[order // 3]
    own = normal[order // 3]
    smooth = np.zeros_like(corners)
    for first in range(0, len(corners), CHUNK):
        part = slice(first, first + CHUNK)
        low, high = begin[part], end[part]
        for step in range(int((high - low).max())):
            neighbour = np.minimum(low + step, high - 1)
            flat = np.einsum("fcj,fj->fc", own[neighbour], normal[part]) > np.cos(CREASE)
            smooth[part] += weighted[neighbour] * (flat & (low + step < high))[..., None]
    length = np.linalg.norm(smooth, axis=2, keepdims=True)
    return np.where(length > 1e-12, smooth / length.clip(1e-12), normal[:, None])


def _angles(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """(F, 3) inner angles."""
    after, before = np.roll(corners, -1, 1) - corners, np.roll(corners, 1, 1) - corners
    lengths = np.linalg.norm(after, axis=2) * np.linalg.norm(before, axis=2)
    return np.arccos((np.einsum("fcj,fcj->fc", after, before) / lengths.clip(1e-30)).clip(-1, 1))
