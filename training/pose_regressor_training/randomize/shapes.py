"""Random meshes for clutter: household shapes, and limbs that reach into the picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import trimesh
from numpy.typing import NDArray

from pose_regressor.types import FloatArray
from pose_regressor_training.meshes.mesh import Mesh
from pose_regressor_training.meshes.primitives import Capsules, Faces, capsules, cuboid, turned

Solid = tuple[FloatArray, Faces]
#: Points that stand for the surface of a shape when its height above the ground is computed.
SUPPORT = 48


@dataclass(frozen=True, eq=False)
class Shapes:
    """Shapes of clutter. They are scaled when they are placed: a thing fits into a ball of radius 1 about its origin; a
    limb suits an object of diameter 1, with its tip at the origin and the rest along +z.

    meshes: the things, then the limbs
    support: (N, SUPPORT, 3) points of the convex hull of each
    limbs: which of the meshes are limbs
    """

    meshes: tuple[Mesh, ...]
    support: NDArray[np.float64]
    limbs: range

    @property
    def things(self) -> range:
        """Which of the meshes are things."""
        return range(self.limbs.start)


def random_shapes(rng: np.random.Generator, things: int, limbs: int) -> Shapes:
    """So many things and so many limbs."""
    solids = [_thing(rng) for _ in range(things)] + [_limb(rng) for _ in range(limbs)]
    meshes = tuple(_mesh(vertices, faces) for vertices, faces in solids)
    support = np.stack([support_of(mesh.vertices) for mesh in meshes])
    return Shapes(meshes, support, range(things, things + limbs))


def _mesh(vertices: FloatArray, faces: Faces) -> Mesh:
    """A mesh of white triangles: colours come with the material."""
    triangles = [[face[0], face[i], face[i + 1]] for face in faces for i in range(1, len(face) - 1)]
    white = np.full((len(vertices), 3), 255, np.uint8)
    return Mesh(vertices.astype(np.float32), np.array(triangles, np.int32), None, None, white)


def support_of(vertices: NDArray) -> FloatArray:
    """(SUPPORT, 3) of the vertices: the farthest ones in directions spread over the sphere (a Fibonacci spiral)."""
    turn = np.arange(SUPPORT) + 0.5
    z = 1 - 2 * turn / SUPPORT
    angle = np.pi * (1 + 5**0.5) * turn
    side = np.sqrt(1 - z * z)
    directions = np.stack([side * np.cos(angle), side * np.sin(angle), z], axis=1)
    return np.asarray(vertices[(vertices @ directions.T).argmax(0)], np.float64)


def _thing(rng: np.random.Generator) -> Solid:
    kinds: tuple[Callable[[np.random.Generator], Solid], ...] = (_block, _block, _lathe, _lathe, _ball, _ring, _stone)
    vertices, faces = kinds[rng.integers(len(kinds))](rng)
    vertices = vertices - (vertices.min(0) + vertices.max(0)) / 2
    return vertices / np.linalg.norm(vertices, axis=1).max(), faces


def _block(rng: np.random.Generator) -> Solid:
    """From a cube to a card or a stick."""
    length, width, height = np.exp(rng.uniform(np.log(0.08), 0, 3))
    return cuboid((length, width, height))


def _lathe(rng: np.random.Generator) -> Solid:
    """A bottle, cup, lid or knob."""
    rings = int(rng.integers(2, 6))
    height = np.sort(rng.uniform(0, 1, rings))
    height[0], height[-1] = 0, 1
    radius = rng.uniform(0.1, 1) * np.exp(rng.uniform(np.log(0.5), np.log(1.5), rings))
    profile = np.column_stack([radius, height * rng.uniform(0.3, 2.5)])
    ends = profile[[0, -1]] * (0, 1)
    return turned(np.vstack([ends[:1], profile, ends[1:]]), segments=32)


def _ball(rng: np.random.Generator) -> Solid:
    ball = trimesh.creation.icosphere(subdivisions=3)
    return ball.vertices * rng.uniform(0.4, 1, 3), ball.faces.tolist()


def _ring(rng: np.random.Generator) -> Solid:
    ring = trimesh.creation.torus(1.0, rng.uniform(0.1, 0.5), major_sections=32, minor_sections=16)
    return np.asarray(ring.vertices), ring.faces.tolist()


def _stone(rng: np.random.Generator) -> Solid:
    """The convex hull of a few points: flat faces at all angles."""
    points = rng.normal(size=(int(rng.integers(5, 14)), 3)) * rng.uniform(0.4, 1, 3)
    hull = trimesh.convex.convex_hull(points)
    return np.asarray(hull.vertices), hull.faces.tolist()


def _limb(rng: np.random.Generator) -> Solid:
    """A rod, or an arm with a hand and some fingers."""
    length, thick = rng.uniform(2.5, 4), rng.uniform(0.05, 0.2)
    if rng.random() < 0.4:
        return capsules(Capsules((((0, 0, thick), (0, 0, length), thick),)))
    finger = rng.uniform(0.04, 0.09)
    reach, palm = finger * rng.uniform(6, 9), finger * 1.3
    rods: list[tuple[tuple[float, float, float], tuple[float, float, float], float]] = []
    for place in np.arange(int(rng.integers(1, 5))) - 1.5:
        tip = (
            (place + rng.normal(0, 0.3)) * finger * 2.4,
            rng.normal(0, 0.6) * finger,
            finger * (1 + rng.uniform(0, 2)),
        )
        knuckle = (place * finger * 2, 0.0, reach)
        bend = tuple((a + b) / 2 for a, b in zip(tip, knuckle, strict=True))
        bent = (bend[0], bend[1] + finger * rng.uniform(-1.5, 1.5), bend[2])
        rods += [(tip, bent, finger), (bent, knuckle, finger), (knuckle, (place * finger, 0.0, 1.8 * reach), palm)]
    wrist = (0.0, 0.0, 2 * reach)
    rods.append((wrist, (0.0, 0.0, 2 * reach + length), finger * 2.2))
    return capsules(Capsules(tuple(rods)))
