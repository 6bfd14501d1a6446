"""Closed bodies of random shape. Each function takes a random generator and returns a `Body` of any size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import mapbox_earcut
import numpy as np
import trimesh
from numpy.typing import NDArray

from pose_regressor.types import FloatArray
from pose_regressor_training.meshes.primitives import Faces, cuboid, turned
from pose_regressor_training.randomize.draw import log_uniform
from pose_regressor_training.randomize.pose import rotation_from_quaternion
from pose_regressor_training.test_objects.skin import Coat, Field, skin
from pose_regressor_training.test_objects.solids import ball, common, ellipsoid, half_space, ring, rod, union

#: Segments of round bodies.
_SEGMENTS = 40
#: Edge of a cell of the bodies that are made from signed distances, over their longest edge.
_CELL = 1 / 36


@dataclass(frozen=True, eq=False)
class Body:
    """A closed surface, turned outwards.

    vertices: (V, 3) of any unit
    faces: (F, 3)
    fine: whether its triangles are small enough to carry colours at their corners
    turned: whether it is round about z
    """

    vertices: FloatArray
    faces: NDArray[np.int64]
    fine: bool = False
    turned: bool = False


def carton(rng: np.random.Generator) -> Body:
    """A box, from a cube to a flat packet."""
    return _body(*cuboid(tuple(log_uniform(rng, (0.2, 1), 3))))


def primitive(rng: np.random.Generator) -> Body:
    """A ball, an egg, a ring, a cone, a cylinder, a prism or a stone."""
    kinds: tuple[Callable[[np.random.Generator], Body], ...] = (_egg, _torus, _cone, _prism, _stone)
    return kinds[rng.integers(len(kinds))](rng)


def lathe(rng: np.random.Generator) -> Body:
    """A bottle, can, cup, lid or knob: a profile turned about z."""
    count = int(rng.integers(2, 7))
    height = np.sort(rng.uniform(0, 1, count)) * rng.uniform(0.5, 2.5)
    height[0] = 0
    knots = np.column_stack([rng.uniform(0.2, 1) * log_uniform(rng, (0.4, 1.4), count) * 0.7, height])
    if rng.random() < 0.3:  # a can
        knots[:, 0] = knots[0, 0]
    profile = _filled(knots, 0.12)
    if rng.random() < 0.4:  # a cup: the profile returns inside
        inner = profile[:0:-1] * (0.85, 1)
        profile = np.vstack([profile, inner])
        profile[len(profile) - 1, 1] += 0.06 * np.ptp(height)
    ends = profile[[0, -1]] * (0, 1)
    vertices, faces = turned(np.vstack([ends[:1], profile, ends[1:]]), _SEGMENTS)
    return _body(vertices, faces, fine=True, turned=True)


def extrusion(rng: np.random.Generator) -> Body:
    """A gear, star, bracket or plate, with holes or without, cut from a sheet."""
    round_one = rng.random() < 0.5
    rings = [_star(rng) if round_one else _bracket(rng)]
    inner = np.linalg.norm(_filled(rings[0][np.arange(-1, len(rings[0]))], 0.02), axis=1).min()
    if round_one and rng.random() < 0.7:
        holes = int(rng.integers(3, 9))
        turn = np.arange(holes) * (2 * np.pi / holes) + rng.uniform(0, 1)
        circle = np.stack([np.cos(turn), -np.sin(turn)], 1)  # runs the other way round
        rings.append(circle * inner * rng.uniform(0.3, 0.75))
    return _extruded(rings, float(log_uniform(rng, (0.1, 1.2), 1)[0]))


def machined(rng: np.random.Generator) -> Body:
    """A part made by adding and cutting: blocks, rods and balls, with holes and flat sides."""
    add: list[Field] = [_solid(rng, 0.0)]
    add += [_solid(rng, 0.7) for _ in range(int(rng.integers(1, 5)))]
    body = union(*add, melt=float(rng.uniform(0, 0.15)))
    for _ in range(int(rng.integers(0, 4))):
        direction, at = rng.normal(size=3), rng.normal(0, 0.5, 3)
        hole = rod(at - 3 * direction, at + 3 * direction, *[float(rng.uniform(0.1, 0.25))] * 2)
        body = common(body, _outside(hole))
    for _ in range(int(rng.integers(0, 3))):
        outward = rng.normal(size=3)
        body = common(body, half_space(outward / np.linalg.norm(outward) * rng.uniform(0.4, 0.8), outward))
    return _skinned(body)


def figure(rng: np.random.Generator) -> Body:
    """A toy: a trunk with a head, limbs and knobs that flow into each other."""
    trunk = rng.uniform(0.3, 0.6, 3) * (1.3, 1, 1)
    parts: list[Field] = [ellipsoid((0, 0, 0), trunk)]
    towards = rng.normal(size=3)
    head = towards / np.linalg.norm(towards) * (trunk.max() + rng.uniform(0.1, 0.4))
    parts += [rod((0, 0, 0), head, *rng.uniform(0.12, 0.25, 2)), ellipsoid(head, rng.uniform(0.2, 0.4, 3))]
    for _ in range(int(rng.integers(2, 7))):
        direction = rng.normal(size=3)
        direction /= np.linalg.norm(direction)
        knee, tip = direction * rng.uniform(0.6, 0.9), direction * rng.uniform(0.9, 1.4) + rng.normal(0, 0.25, 3)
        thick = rng.uniform(0.09, 0.22, 3)
        parts += [rod((0, 0, 0), knee, *thick[:2]), rod(knee, tip, *thick[1:])]
        if rng.random() < 0.4:
            parts.append(ball(tip, float(thick[2] * 1.5)))
    for _ in range(int(rng.integers(0, 4))):
        at = head if rng.random() < 0.5 else np.zeros(3)
        bump = rng.normal(size=3)
        parts.append(ball(at + bump / np.linalg.norm(bump) * 0.35, float(rng.uniform(0.1, 0.2))))
    return _skinned(union(*parts, melt=float(rng.uniform(0.05, 0.25))))


def _egg(rng: np.random.Generator) -> Body:
    solid = trimesh.creation.icosphere(subdivisions=3)
    return _body(solid.vertices * rng.uniform(0.5, 1, 3), solid.faces.tolist(), fine=True)


def _torus(rng: np.random.Generator) -> Body:
    solid = trimesh.creation.torus(1.0, rng.uniform(0.15, 0.5), major_sections=_SEGMENTS, minor_sections=16)
    return _body(np.asarray(solid.vertices), solid.faces.tolist(), fine=True, turned=True)


def _cone(rng: np.random.Generator) -> Body:
    """A cone or a cylinder, cut off or pointed."""
    low, high = rng.uniform(0.3, 1), max(rng.uniform(-0.3, 1), 0.02)
    profile = _filled(np.array([(low, 0.0), (high, rng.uniform(0.5, 2.5))]), 0.12)
    ends = profile[[0, -1]] * (0, 1)
    return _body(*turned(np.vstack([ends[:1], profile, ends[1:]]), _SEGMENTS), fine=True, turned=True)


def _prism(rng: np.random.Generator) -> Body:
    count = int(rng.integers(3, 9))
    turn = np.arange(count) * (2 * np.pi / count)
    return _extruded([np.stack([np.cos(turn), np.sin(turn)], 1) * (1, rng.uniform(0.5, 1))], rng.uniform(0.3, 2.5))


def _stone(rng: np.random.Generator) -> Body:
    hull = trimesh.convex.convex_hull(rng.normal(size=(int(rng.integers(6, 16)), 3)) * rng.uniform(0.5, 1, 3))
    return _body(np.asarray(hull.vertices), hull.faces.tolist())


def _filled(knots: FloatArray, step: float) -> FloatArray:
    """The line (P, 2) through the knots (N, 2), with further points at most about `step` apart."""
    pieces = [
        np.linspace(a, b, max(2, int(np.ceil(np.linalg.norm(b - a) / step)) + 1))[:-1] for a, b in pairwise(knots)
    ]
    return np.vstack([*pieces, knots[-1:]])


def _star(rng: np.random.Generator) -> FloatArray:
    """(N, 2) outline of a gear, a star or a blob, counter-clockwise."""
    teeth = int(rng.integers(3, 11))
    shape = rng.random()
    if shape < 0.4:  # teeth with flat tops
        turn = (np.arange(4 * teeth) + 0.5) * (np.pi / 2 / teeth)
        radius = np.tile([1, 1, *[rng.uniform(0.5, 0.85)] * 2], teeth)
    elif shape < 0.7:
        turn = np.arange(2 * teeth) * (np.pi / teeth)
        radius = np.tile([1, rng.uniform(0.35, 0.8)], teeth)
    else:
        turn = np.arange(32) * (np.pi / 16)
        radius = 1 + sum(rng.normal(0, 0.2 / k) * np.cos(k * turn + rng.uniform(0, 6)) for k in range(1, 6))
        radius = np.clip(radius, 0.3, 2)
    return np.stack([np.cos(turn), np.sin(turn)], 1) * radius[:, None]


def _bracket(rng: np.random.Generator) -> FloatArray:
    """(N, 2) outline of an L, T, U, plus or step, counter-clockwise."""
    a, b = rng.uniform(0.2, 0.45, 2)
    outlines = (
        ((0, 0), (1, 0), (1, a), (b, a), (b, 1), (0, 1)),
        ((0.5 - b / 2, 0), (0.5 + b / 2, 0), (0.5 + b / 2, 1 - a), (1, 1 - a), (1, 1), (0, 1), (0, 1 - a),
         (0.5 - b / 2, 1 - a)),
        ((0, 0), (1, 0), (1, 1), (1 - b, 1), (1 - b, a), (b, a), (b, rng.uniform(0.6, 1)), (0, 0.6)),
        ((0, 0), (1, 0), (1, a), (a + b, a), (a + b, a + b), (a, a + b), (a, 1), (0, 1)),
    )  # fmt: skip
    outline = np.array(outlines[rng.integers(len(outlines))], np.float64) * (1, rng.uniform(0.6, 1.4))
    return outline - outline.mean(0)


def _extruded(rings: Sequence[FloatArray], height: float) -> Body:
    """A polygon with an outer ring, counter-clockwise, and holes, clockwise, that is pulled along z."""
    flat = np.ascontiguousarray(np.vstack(rings), np.float64)
    ends = np.cumsum([len(ring) for ring in rings]).astype(np.uint32)
    cut = mapbox_earcut.triangulate_float64(flat, ends).astype(np.int64).reshape(-1, 3)
    a, b, c = (flat[cut[:, i]] for i in range(3))
    backwards = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) < (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    cut[backwards] = cut[backwards][:, ::-1]
    count = len(flat)
    vertices = np.vstack([np.column_stack([flat, np.full(count, z)]) for z in (0.0, height)])
    walls = []
    for first, end in zip(np.concatenate([[0], ends[:-1]]), ends, strict=True):
        here = np.arange(first, end)
        after = np.roll(here, -1)
        walls += [np.stack([here, after, after + count], 1), np.stack([here, after + count, here + count], 1)]
    return Body(vertices, np.vstack([cut[:, ::-1], cut + count, *walls]))


def _solid(rng: np.random.Generator, spread: float) -> Field:
    """A block, rod, ball or ring within a few tenths of the origin."""
    at = rng.normal(size=3) * spread * 0.6
    turn = rotation_from_quaternion(rng.normal(size=4))
    kind = rng.random()
    if kind < 0.5:
        half = rng.uniform(0.15, 0.6, 3)
        sides = [half_space(sign * half[i] * turn[i] + at, sign * turn[i]) for i in range(3) for sign in (1, -1)]
        return common(*sides)
    if kind < 0.75:
        reach = turn[0] * rng.uniform(0.3, 0.9)
        return rod(at - reach, at + reach, *rng.uniform(0.12, 0.35, 2))
    if kind < 0.9:
        return ball(at, float(rng.uniform(0.2, 0.5)))
    return ring(at, turn[2], float(rng.uniform(0.35, 0.6)), *rng.uniform(0.1, 0.18, 2))


def _outside(field: Field) -> Field:
    return lambda points: -field(points)


def _skinned(field: Field) -> Body:
    """The largest piece of the surface where the field is 0."""
    reach = np.full(3, 2.2)
    rough = 24
    axis = np.linspace(-reach[0], reach[0], 2 * rough)
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    inside = grid[field(grid) < 0]
    margin = 2 * (axis[1] - axis[0])
    low, high = inside.min(0) - margin, inside.max(0) + margin
    everywhere: Field = lambda points: np.zeros(len(points))  # noqa: E731
    coat = Coat(everywhere, (0, 0, 0), (0, 0, 0), everywhere)
    made = skin(field, [coat], low, high, _CELL * float((high - low).max()))
    return _largest(Body(made.vertices, made.faces, fine=True))


def _largest(body: Body) -> Body:
    surface = trimesh.Trimesh(body.vertices, body.faces, process=False)
    pieces = trimesh.graph.connected_components(surface.face_adjacency, min_len=1, nodes=np.arange(len(body.faces)))
    faces = body.faces[max(pieces, key=len)]
    used, faces = np.unique(faces, return_inverse=True)
    return Body(body.vertices[used], faces.reshape(-1, 3), body.fine, body.turned)


def _body(vertices: FloatArray, polygons: Faces, fine: bool = False, turned: bool = False) -> Body:
    """A body of convex polygons."""
    faces = [[face[0], face[i], face[i + 1]] for face in polygons for i in range(1, len(face) - 1)]
    return Body(np.asarray(vertices, np.float64), np.array(faces, np.int64), fine, turned)
