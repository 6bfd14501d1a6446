# mypy: ignore-errors
"""How the triangles of a mesh are connected: whether they close it, and where it is smooth."""

from __future__ import annotations

import numpy as np
import warp as wp
from numpy.typing import NDArray

wp.set_module_options({"enable_backward": False})

#: Faces meet in a visible edge if the cosine of their normals is below this: 35 degrees.
CREASE = wp.constant(0.819)
#: At most this many faces around a corner form its normal.
NEIGHBOURS = wp.constant(64)


def places(vertices: NDArray[np.floating]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The first vertex (P,) at each place, and the place (V,) of each vertex. Places are ordered by x, y and z."""
    keys = vertices + vertices.dtype.type(0)  # -0 becomes 0
    if keys.dtype == np.float32:
        order, new = _ordered(keys)
    else:
        order = np.lexsort(keys.T[::-1])
        new = np.concatenate([[True], (keys[order[1:]] != keys[order[:-1]]).any(1)])
    names = np.empty(len(keys), np.int64)
    names[order] = np.cumsum(new) - 1
    return order[new], names


def _ordered(keys: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The order of points (V, 3) by x, y and z, and which of them differ from the one before.

    Two sorts of whole numbers take less time than a sort for each axis.
    """
    bits = keys.view(np.uint32)
    ranks = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))  # in the order of the numbers
    x, y, z = ranks.T.astype(np.uint64)
    first = x << np.uint64(32) | y
    order = np.argsort(first, kind="stable")
    columns = np.cumsum(np.concatenate([[False], first[order[1:]] != first[order[:-1]]])).astype(np.uint64)
    both = columns << np.uint64(32) | z[order]
    again = np.argsort(both, kind="stable")
    both = both[again]
    return order[again], np.concatenate([[True], both[1:] != both[:-1]])


def merged(vertices: NDArray[np.float32], faces: NDArray[np.int32]) -> NDArray[np.int64]:
    """The faces (F, 3) with one number for all vertices at the same place: seams of the texture do not count."""
    return places(vertices)[1][faces]


def is_closed(joined: NDArray[np.int64]) -> bool:
    """Whether every edge joins two faces of the same orientation."""
    start, end = joined[:, [0, 1, 2]].ravel(), joined[:, [1, 2, 0]].ravel()
    count = int(joined.max()) + 1
    forward, backward = np.sort(start * count + end), np.sort(end * count + start)
    return not (forward[1:] == forward[:-1]).any() and np.array_equal(forward, backward)


def corner_normals(corners: NDArray, joined: NDArray[np.int64]) -> NDArray[np.float32]:
    """(F, 3, 3) unit normals of a smooth surface through corners (F, 3, 3).

    A corner's normal is the mean, weighted by their angles, of the faces around it that form no crease with its own
    face.
    """
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True).clip(1e-30)
    # All corners of a vertex are side by side; runs tell where each vertex begins and ends.
    order = np.argsort(joined.ravel(), kind="stable")
    runs = np.concatenate([[0], np.cumsum(np.bincount(joined.ravel()))])
    smooth = wp.zeros((len(corners), 3), dtype=wp.vec3, device="cpu")
    arrays = [
        wp.array(array.astype(kind), dtype=dtype, device="cpu")
        for array, kind, dtype in (
            (order, np.int32, wp.int32),
            (runs, np.int32, wp.int32),
            (joined, np.int32, wp.vec3i),
            (normal, np.float32, wp.vec3),
            (_angles(corners), np.float32, wp.vec3),
        )
    ]
    wp.launch(_smooth, (len(corners), 3), arrays, [smooth], device="cpu")
    return smooth.numpy()


@wp.kernel
def _smooth(
    order: wp.array(dtype=wp.int32),
    runs: wp.array(dtype=wp.int32),
    joined: wp.array(dtype=wp.vec3i),
    normal: wp.array(dtype=wp.vec3),
    angle: wp.array(dtype=wp.vec3),
    smooth: wp.array(dtype=wp.vec3, ndim=2),
):
    face, corner = wp.tid()
    own = normal[face]
    vertex = joined[face][corner]
    total = wp.vec3(0.0, 0.0, 0.0)
    for i in range(runs[vertex], wp.min(runs[vertex + 1], runs[vertex] + NEIGHBOURS)):
        other = order[i] // 3
        if wp.dot(own, normal[other]) > CREASE:
            total += angle[other][order[i] - 3 * other] * normal[other]
    length = wp.length(total)
    if length > 1.0e-12:
        smooth[face, corner] = total / length
    else:
        smooth[face, corner] = own


def _angles(corners: NDArray) -> NDArray:
    """(F, 3) inner angles."""
    after, before = np.roll(corners, -1, 1) - corners, np.roll(corners, 1, 1) - corners
    lengths = np.linalg.norm(after, axis=2) * np.linalg.norm(before, axis=2)
    return np.arccos((np.einsum("fcj,fcj->fc", after, before) / lengths.clip(1e-30)).clip(-1, 1))
