"""Where objects are and how they are turned, drawn for a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pose_regressor.types import FloatArray
from pose_regressor_training.randomize.part import (
    Part,
    Span,
    chance,
    choice,
    log_uniform,
    number,
    span,
    uniform,
    weights,
)

#: Seen half from above and half from the side, which shows three faces of a box.
_FIXED_AZIMUTH, _FIXED_ELEVATION = np.radians(35.0), np.radians(30.0)
_FIXED_FOCAL, _FIXED_LOOK, _FIXED_FIND = 650.0, 160.0, 110.0


@dataclass(frozen=True)
class PosePart(Part):
    """Pixels are those of a camera 640 pixels wide. Off: half from above, in the middle of the frame."""

    NAME: ClassVar[str] = "pose"

    rotation: str = choice("so3", ("so3", "view_sphere"), "so3: any; view_sphere: the object's z axis points up")
    elevation: Span = span(-90, 90, "view_sphere: the camera's height over the object, degrees", -90, 90)
    roll: Span = span(-180, 180, "view_sphere: turn about the viewing direction, degrees", -180, 180)
    focal: Span = span(450, 1100, "focal length, pixels; uniform in the logarithm", least=50)
    look: Span = span(50, 320, "apparent diameter of an object that is looked at, pixels; likewise", least=4)
    find: Span = span(28, 260, "apparent diameter of an object that is looked for, pixels; likewise", least=4)
    nearest: float = number(1.5, "no closer than so many diameters", least=1.05)
    place: Span = span(
        0.06, 0.94, "where its middle is in the frame, 0 to 1 in both directions; beyond: cut off", -1, 2
    )
    resting: float = chance(0.0, "how often whole frames have everything lie on the ground as it would come to rest")
    kinds: tuple[float, ...] = weights((0.74, 0.16, 0.1), "shares of windows that look, that find, and without object")
    crop_scale: float = number(0.25, "a crop is up to exp of this larger or smaller than it should be", most=2)
    crop_shift: float = number(0.12, "and beside its place by up to so many edges of the object's box", most=1)
    find_scale: float = number(
        0.1, "where objects are looked for, the image is up to exp of this larger or smaller", 0, 1
    )

    @property
    def every_way_up(self) -> bool:
        """Whether objects are seen turned by any angle about the viewing direction."""
        return self.random and (self.rotation == "so3" or self.roll[1] - self.roll[0] >= 360)


def draw_rotations(part: PosePart, rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
    """(*shape, 3, 3)."""
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
    return log_uniform(rng, part.focal, count) if part.random else np.full(count, _FIXED_FOCAL)


def draw_apparent(part: PosePart, rng: np.random.Generator, looks: NDArray[np.bool_]) -> FloatArray:
    """Apparent diameters in pixels, one for each of `looks`: is it looked at, or looked for."""
    if not part.random:
        return np.where(looks, _FIXED_LOOK, _FIXED_FIND)
    return np.where(looks, log_uniform(rng, part.look, looks.shape), log_uniform(rng, part.find, looks.shape))


def draw_places(part: PosePart, rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
    """(*shape, 2) in shares of the frame's width and height."""
    return uniform(rng, part.place, (*shape, 2)) if part.random else np.full((*shape, 2), 0.5)


def rotation_from_quaternion(quaternion: NDArray) -> FloatArray:
    """(..., 4) xyzw of any length but 0 -> (..., 3, 3); of normal numbers: uniform over SO(3)."""
    x, y, z, w = np.moveaxis(quaternion / np.linalg.norm(quaternion, axis=-1, keepdims=True), -1, 0)
    rows = [
        *(1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        *(2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        *(2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    ]
    return np.stack(rows, axis=-1).reshape(*quaternion.shape[:-1], 3, 3)


def looking_from(azimuth: FloatArray, elevation: FloatArray) -> FloatArray:
    """(..., 3, 3) cam_from_obj of a level camera in that direction of the object, whose z axis is up (radians)."""
    sine, cosine = np.sin(azimuth), np.cos(azimuth)
    zero = np.zeros_like(sine)
    right = np.stack([-sine, cosine, zero], axis=-1)
    forward = -np.stack([np.cos(elevation) * cosine, np.cos(elevation) * sine, np.sin(elevation)], axis=-1)
    return np.stack([right, np.cross(forward, right), forward], axis=-2)
