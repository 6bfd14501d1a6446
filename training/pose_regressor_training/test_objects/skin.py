"""From a signed distance to a painted mesh: one closed skin whose colours change at clean edges.

The mesh is made by a dual method (surface nets: Gibson, 1998): one vertex in each grid cell that the surface crosses,
one quadrilateral around each grid edge that it crosses. Vertices then slide along the surface until they are evenly
spread; those near the edge of a coat of paint slide onto that edge.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from pose_regressor.types import FloatArray

#: (N, 3) points -> (N,) values: a signed distance, negative inside, or the shade of a colour, 0 to 1.
Field = Callable[[FloatArray], FloatArray]
Color = tuple[int, int, int]  # RGB

_RELAXATIONS = 6
_PASSES = 30
# In cells: a vertex nearer than _EDGE to the edge of a coat moves onto it. Of two that then are nearer than _APART to
# each other, one is released again.
_EDGE = 0.6
_APART = 0.4


@dataclass(frozen=True)
class Coat:
    """Paint over all earlier coats.

    where: negative where the paint is
    low, high: colours of shade 0 and 1
    shade: 0 to 1
    """

    where: Field
    low: Color
    high: Color
    shade: Field

    @property
    def colors(self) -> tuple[Color, Color]:
        return self.low, self.high


@dataclass(frozen=True, eq=False)
class Skin:
    """A painted mesh.

    vertices: (V, 3)
    faces: (F, 3), counter-clockwise from outside
    coat: (F,) number of each face's coat
    shade: (F, 3) shade at each corner
    """

    vertices: FloatArray
    faces: NDArray[np.int64]
    coat: NDArray[np.int64]
    shade: FloatArray


def skin(distance: Field, coats: Sequence[Coat], low: FloatArray, high: FloatArray, cell: float) -> Skin:
    """The surface where `distance` is 0, in cells of size `cell`. It must lie within the box from `low` to `high`."""
    vertices, quads = _surface_nets(distance, low, high, cell)
    edges = np.unique(np.sort(np.stack([quads, np.roll(quads, -1, axis=1)], -1).reshape(-1, 2), axis=1), axis=0)
    vertices = _relaxed(vertices, edges, distance, coats, np.zeros(len(vertices), np.int64), cell)
    edge_of = _near_edges_of_paint(vertices, coats, cell)
    for _ in range(2):
        vertices = _relaxed(vertices, edges, distance, coats, edge_of, cell)
        short = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1) < _APART * cell
        edge_of[edges[short & (edge_of[edges] > 0).all(1), 1]] = 0
    vertices = _relaxed(vertices, edges, distance, coats, edge_of, cell)
    faces = _triangles(vertices, quads)
    centres = vertices[faces].mean(1)
    coat = np.zeros(len(faces), np.int64)
    for number, layer in enumerate(coats[1:], start=1):
        coat[layer.where(centres) < 0] = number
    shade = np.empty((len(faces), 3))
    for number, layer in enumerate(coats):
        own = coat == number
        shade[own] = layer.shade(vertices[faces[own]].reshape(-1, 3)).reshape(-1, 3)
    return Skin(vertices, faces, coat, shade.clip(0, 1))


def _surface_nets(distance: Field, low: FloatArray, high: FloatArray, cell: float) -> tuple[FloatArray, NDArray]:
    count = np.ceil((high - low) / cell).astype(int) + 1
    # The grid is centred in the box, so that a symmetric box gives a symmetric grid.
    axes = [(a + b) / 2 + cell * (np.arange(n) - (n - 1) / 2) for a, b, n in zip(low, high, count, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
    inside = _unambiguous(distance(grid.reshape(-1, 3)).reshape(grid.shape[:3]))
    corners = [inside[tuple(slice(o, n - 1 + o) for o, n in zip(offset, count, strict=True))]
               for offset in product((0, 1), repeat=3)]  # fmt: skip
    number = np.full(count - 1, -1)
    active = np.any(corners, axis=0) & ~np.all(corners, axis=0)
    number[active] = np.arange(active.sum())
    vertices = grid[:-1, :-1, :-1][active] + cell / 2
    quads = []
    for axis in range(3):
        # Edges along `axis` whose ends differ, away from the border; the four cells around each in turn.
        first, second = (axis + 1) % 3, (axis + 2) % 3
        ahead = np.take(inside, range(1, count[axis]), axis)
        behind = np.take(inside, range(count[axis] - 1), axis)
        at = np.argwhere(ahead != behind)
        leaving = behind[tuple(at.T)]
        around = []
        for a, b in ((0, 0), (-1, 0), (-1, -1), (0, -1)):
            place = at.copy()
            place[:, first] += a
            place[:, second] += b
            around.append(number[tuple(place.T)])
        quad = np.stack(around, 1)
        quads.append(np.where(leaving[:, None], quad, quad[:, ::-1]))
    return _onto(vertices, [distance], cell), np.concatenate(quads)


def _unambiguous(value: FloatArray) -> NDArray[np.bool_]:
    """Which samples of a grid lie inside.

    If two opposite corners of a square lie inside and the other two outside, the skin would touch itself along an edge.
    Then the corner nearest to the surface goes to the other side. Squares that are left after _PASSES passes, because
    they take corners from each other, are filled.
    """
    value = value.copy()
    passes = 0
    while True:
        passes += 1
        clear = True
        for axis in range(3):
            view = np.moveaxis(value, axis, 0)  # writes through to `value`
            square = np.stack([view[:, :-1, :-1], view[:, 1:, :-1], view[:, 1:, 1:], view[:, :-1, 1:]])
            inside = square < 0
            crossed = (inside[0] == inside[2]) & (inside[1] == inside[3]) & (inside[0] != inside[1])
            for i, j, k in np.argwhere(crossed):
                if passes <= _PASSES:
                    corner = int(np.abs(square[:, i, j, k]).argmin())
                    j, k = j + (corner in (1, 2)), k + (corner in (2, 3))
                    view[i, j, k] *= -1
                else:
                    view[i, j : j + 2, k : k + 2] = -1
                clear = False
        if clear:
            return value < 0


def _relaxed(
    vertices: FloatArray, edges: NDArray, distance: Field, coats: Sequence[Coat], edge_of: NDArray, cell: float
) -> FloatArray:
    """Slide vertices along the surface until they are evenly spread; those with a coat in `edge_of` along its edge."""
    degree = np.bincount(edges.ravel())[:, None]
    for _ in range(_RELAXATIONS):
        total = np.zeros_like(vertices)
        for a, b in (edges.T, edges.T[::-1]):
            np.add.at(total, a, vertices[b])
        middle = (vertices + total / degree) / 2
        for number in np.unique(edge_of):
            own = edge_of == number
            fields = [distance, coats[number].where] if number else [distance]
            vertices[own] = _onto(middle[own], fields, cell)
    return vertices


def _onto(points: FloatArray, fields: Sequence[Field], cell: float) -> FloatArray:
    """Newton steps of least length to where all `fields` vanish, none longer than a cell."""
    step = 1e-3 * cell
    for _ in range(3):
        value = np.stack([field(points) for field in fields], -1)
        ahead = np.stack([[field(points + step * axis) for axis in np.eye(3)] for field in fields])
        slope = np.moveaxis(ahead, -1, 0) / step - value[..., None] / step  # (N, fields, 3)
        gram = np.einsum("nij,nkj->nik", slope, slope) + 1e-6 * np.eye(len(fields))
        move = -np.einsum("nij,ni->nj", slope, np.linalg.solve(gram, value[..., None])[..., 0])
        length = np.linalg.norm(move, axis=1, keepdims=True)
        points = points + move * np.minimum(1, cell / np.maximum(length, 1e-12))
    return points


def _near_edges_of_paint(vertices: FloatArray, coats: Sequence[Coat], cell: float) -> NDArray[np.int64]:
    """(V,) number of the coat whose visible edge passes nearby; 0 for none."""
    number = np.zeros(len(vertices), np.int64)
    bare = np.ones(len(vertices), bool)
    for index in range(len(coats) - 1, 0, -1):  # the top coat decides
        value = coats[index].where(vertices)
        number[bare & (np.abs(value) < _EDGE * cell)] = index
        bare &= value >= _EDGE * cell
    return number


def _triangles(vertices: FloatArray, quads: NDArray) -> NDArray[np.int64]:
    """Each quadrilateral cut along its shorter diagonal."""
    a, b, c, d = quads.T
    short = np.linalg.norm(vertices[a] - vertices[c], axis=1) <= np.linalg.norm(vertices[b] - vertices[d], axis=1)
    one = np.where(short[:, None], np.stack([a, b, c], 1), np.stack([a, b, d], 1))
    two = np.where(short[:, None], np.stack([a, c, d], 1), np.stack([b, c, d], 1))
    return np.concatenate([one, two])
