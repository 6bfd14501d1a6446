"""Positions and rotations of the objects, drawn for a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pose_regressor.settings import chance, choice, number, shares, span
from pose_regressor.types import FloatArray
from pose_regressor_training.randomize.draw import log_uniform, uniform
from pose_regressor_training.randomize.part import Part, Span

#: Half from above and half from the side: three faces of a box are visible.
_FIXED_AZIMUTH, _FIXED_ELEVATION = np.radians(35.0), np.radians(30.0)
_FIXED_FOCAL, _FIXED_LOOK, _FIXED_FIND = 650.0, 160.0, 110.0


@dataclass(frozen=True)
class PosePart(Part):
    """Where objects are and how they are turned. Pixels are those of a camera that is 640 pixels wide. Fixed: seen half
    from above, in the middle of the frame.
    """

    scope: ClassVar[str] = "pose."

    rotation: str = choice(
        "so3", ("so3", "view_sphere"), "so3: any rotation; view_sphere: the object's z axis points up"
    )
    elevation: Span = span(
        -90, 90, "for view_sphere: angle of the camera above the object's horizontal plane", -90, 90, unit="degrees"
    )
    roll: Span = span(
        -180, 180, "for view_sphere: turn of the camera about its viewing direction", -180, 180, unit="degrees"
    )
    focal: Span = span(450, 1100, "focal length; uniform in the logarithm", 50, unit="pixels")
    look: Span = span(50, 320, "crops: apparent diameter of the object; uniform in the logarithm", 4, unit="pixels")
    find: Span = span(28, 260, "searches: apparent diameter of the object; uniform in the logarithm", 4, unit="pixels")
    nearest: float = number(1.5, "smallest distance of the object from the camera", 1.05, unit="diameters")
    place: Span = span(
        0.06,
        0.94,
        "place of the object's middle in the frame: 0 is left or top, 1 is right or bottom, and beyond is outside",
        -1,
        2,
    )
    resting: float = chance(0.0, "whole frames: how often all things lie on the ground in a stable position")
    kinds: tuple[float, ...] = shares(
        (0.74, 0.16, 0.1),
        "shares of the three kinds of windows: crops, searches, windows without an object",
    )
    crop_scale: float = number(0.25, "crops: largest error of the scale, as a natural logarithm", high=2)
    crop_shift: float = number(
        0.12, "crops: largest error of the place, as a share of the longer side of the object's box", high=1
    )
    find_scale: float = number(0.1, "searches: largest change of the scale, as a natural logarithm", high=1)

    @property
    def every_way_up(self) -> bool:
        """Whether objects are seen at every angle about the viewing direction."""
        return self.random and (self.rotation == "so3" or self.roll[1] - self.roll[0] >= 360)


def draw_rotations(part: PosePart, rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
    """(*shape, 3, 3) rotations of cam_from_obj."""
    if not part.random:
        return np.broadcast_to(looking_from(np.array(_FIXED_AZIMUTH), np.array(_FIXED_ELEVATION)), (*shape, 3, 3))
    if part.rotation == "so3":
        return rotation_from_quaternion(rng.normal(size=(*shape, 4)))
    low, high = np.sin(np.radians(part.elevation))
    elevation = np.arcsin(rng.uniform(low, high, shape))  # uniform over the sphere's area
    seen = looking_from(rng.uniform(0, 2 * np.pi, shape), elevation)
    angle = np.radians(uniform(rng, part.roll, shape))
    roll = np.zeros((*shape, 3, 3))
    roll[..., 0, 0] = roll[..., 1, 1] = np.cos(angle)
    roll[..., 1, 0] = np.sin(angle)
    roll[..., 0, 1] = -roll[..., 1, 0]
    roll[..., 2, 2] = 1
    return np.asarray(roll @ seen)


def draw_focal(part: PosePart, rng: np.random.Generator, count: int) -> FloatArray:
    """(count,) focal lengths, pixels of a camera that is 640 pixels wide."""
    return log_uniform(rng, part.focal, count) if part.random else np.full(count, _FIXED_FOCAL)


def draw_apparent(part: PosePart, rng: np.random.Generator, looks: NDArray[np.bool_]) -> FloatArray:
    """Apparent diameters in pixels, one for each of `looks`: True for a crop, False for a part of a whole frame."""
    if not part.random:
        return np.where(looks, _FIXED_LOOK, _FIXED_FIND)
    return np.where(looks, log_uniform(rng, part.look, looks.shape), log_uniform(rng, part.find, looks.shape))


def draw_places(part: PosePart, rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
    """(*shape, 2) places of the objects' middles, as shares of the frame's width and height."""
    return uniform(rng, part.place, (*shape, 2)) if part.random else np.full((*shape, 2), 0.5)


def rotation_from_quaternion(quaternion: NDArray) -> FloatArray:
    """(..., 4) xyzw of any length above 0 -> (..., 3, 3). Normally distributed ones give a uniform rotation."""
    x, y, z, w = np.moveaxis(quaternion / np.linalg.norm(quaternion, axis=-1, keepdims=True), -1, 0)
    rows = [
        *(1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        *(2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        *(2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    ]
    return np.stack(rows, axis=-1).reshape(*quaternion.shape[:-1], 3, 3)


def looking_from(azimuth: FloatArray, elevation: FloatArray) -> FloatArray:
    """(..., 3, 3) rotations of cam_from_obj for a level camera that looks at the object, whose z axis points up.

    azimuth, elevation: direction from the object to the camera, radians
    """
    sine, cosine = np.sin(azimuth), np.cos(azimuth)
    zero = np.zeros_like(sine)
    right = np.stack([-sine, cosine, zero], axis=-1)
    forward = -np.stack([np.cos(elevation) * cosine, np.cos(elevation) * sine, np.sin(elevation)], axis=-1)
    return np.stack([right, np.cross(forward, right), forward], axis=-2)
