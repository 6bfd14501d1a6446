"""A scene as data: what stands where, made of what, in every frame. Nothing here knows the renderer.

World frame: metres, z up. Poses are ``world_from_x`` matrices, (1, 4, 4) for what stands still, (N, 4, 4) for what
    moves. The camera's frame is OpenCV's (x right, y down, z forward).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from pose_regressor.types import Camera, FloatArray
from pose_regressor_training.meshes.primitives import Capsules

Color = tuple[float, float, float]  # sRGB, 0 to 1


@dataclass(frozen=True)
class Material:
    """The surface of a thing.

    color: sRGB, 0 to 1
    roughness: 0 (mirror) to 1 (matt)
    metallic: 0 (plastic) to 1 (metal)
    kind: plain, or wood with a grain
    """

    color: Color
    roughness: float = 0.5
    metallic: float = 0.0
    kind: Literal["plain", "wood"] = "plain"


@dataclass(frozen=True)
class Cuboid:
    """A cuboid around its origin.

    size: along x, y, z, metres
    bevel: radius of its edges, metres
    """

    size: tuple[float, float, float]
    bevel: float = 0.001


@dataclass(frozen=True)
class Lathe:
    """A profile turned about z.

    profile: (radius, z) points in metres, from the bottom's middle around the outside to the top
    """

    profile: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class MeshFile:
    """A textured OBJ file in metres, with its own material.

    path: of the file
    bevel: radius of its edges when rendered, metres
    """

    path: Path
    bevel: float = 0.0


@dataclass(frozen=True, eq=False)
class Item:
    """A thing in the scene.

    name: of the thing
    shape: of the thing
    poses: world_from_item, (1, 4, 4) or (N, 4, 4)
    material: None if the shape has its own
    """

    name: str
    shape: Cuboid | Lathe | Capsules | MeshFile
    poses: FloatArray
    material: Material | None = None


@dataclass(frozen=True)
class Lamp:
    """A square light.

    position: metres
    target: point that it faces, metres
    size: edge of the square, metres
    power: watts
    color: sRGB, 0 to 1
    """

    position: tuple[float, float, float]
    target: tuple[float, float, float]
    size: float
    power: float
    color: Color = (1.0, 1.0, 1.0)


@dataclass(frozen=True, eq=False)
class Scene:
    """Everything that a renderer needs.

    camera: of the clip
    camera_poses: (N, 4, 4) world_from_camera of every frame
    items: in the scene
    world: name of one of the renderer's own surroundings
    world_turn: its turn about z, radians
    world_strength: factor of its light
    lamps: besides the surroundings
    white_balance: colour temperature of the light that the camera shows as white, kelvin
    """

    camera: Camera
    camera_poses: FloatArray
    items: tuple[Item, ...]
    world: str
    world_turn: float = 0.0
    world_strength: float = 1.0
    lamps: tuple[Lamp, ...] = ()
    white_balance: float = 6500.0

    @property
    def frames(self) -> int:
        return len(self.camera_poses)

    def item(self, name: str) -> Item:
        return next(item for item in self.items if item.name == name)


def at(x: float, y: float, z: float, turn: float = 0.0) -> FloatArray:
    """(1, 4, 4) pose of a thing that stands upright at a place. turn: degrees about z."""
    pose = np.eye(4)
    pose[:3, :3] = rotation("z", np.radians(turn))
    pose[:3, 3] = x, y, z
    return pose[None]


def rotation(axis: Literal["x", "y", "z"], angle: ArrayLike) -> FloatArray:
    """(..., 3, 3) right-handed turn about a coordinate axis by (...) radians."""
    angle = np.asarray(angle, np.float64)
    first, second = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    out = np.broadcast_to(np.eye(3), (*angle.shape, 3, 3)).copy()
    out[..., first, first] = out[..., second, second] = np.cos(angle)
    out[..., second, first] = np.sin(angle)
    out[..., first, second] = -np.sin(angle)
    return out


def glide(knots: Mapping[int, tuple[float, ...]], frames: int) -> FloatArray:
    """(frames, D) smooth values through the `knots` {frame: D values}; they never overshoot.

    Monotone cubic interpolation (Fritsch and Butland, 1984). Constant before the first knot and after the last.
    """
    times = np.array(sorted(knots), np.float64)
    values = np.array([knots[int(time)] for time in times], np.float64)
    steps = np.diff(times)[:, None]
    slopes = np.diff(values, axis=0) / steps
    tangents = np.zeros_like(values)
    before, after = slopes[:-1], slopes[1:]
    weight = (steps[:-1] + 2 * steps[1:]) / (3 * (steps[:-1] + steps[1:]))
    same = before * after > 0
    tangents[1:-1][same] = (before * after)[same] / (weight * after + (1 - weight) * before)[same]
    now = np.clip(np.arange(frames, dtype=np.float64), times[0], times[-1])
    left = np.clip(np.searchsorted(times, now, side="right") - 1, 0, len(times) - 2)
    span = steps[left]
    part = ((now - times[left]) / span[:, 0])[:, None]
    inverse = 1 - part
    return np.asarray(
        inverse**2 * (1 + 2 * part) * values[left]
        + part**2 * (3 - 2 * part) * values[left + 1]
        + span * part * inverse * (inverse * tangents[left] - part * tangents[left + 1])
    )
