"""Other things: in front of an object, around it, between it and a lamp, and the ground; drawn for a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pose_regressor.types import FloatArray
from pose_regressor_training.randomize.part import (  # fmt: skip
    Part,
    Span,
    chance,
    count,
    log_uniform,
    number,
    pick,
    span,
    uniform,
    unit_vectors,
    weights,
)
from pose_regressor_training.randomize.pictures import Pictures
from pose_regressor_training.randomize.pose import rotation_from_quaternion
from pose_regressor_training.randomize.shapes import Shapes
from pose_regressor_training.randomize.surface import draw_other_materials, paint_skin
from pose_regressor_training.randomize.views import Models
from pose_regressor_training.scenes import GROUND, NONE

#: Most things in front of an object, around it, and between it and a lamp.
FRONT, AROUND, CASTERS = 3, 6, 1
#: In every scene so many are kept for them, there or not.
PLACES = FRONT + AROUND + CASTERS
#: What is there for its shadow reaches no further across the object than so many of its diameters.
_CASTER_REACH = 0.3


@dataclass(frozen=True)
class ClutterPart(Part):
    """Off: nothing but the objects. Sizes are in diameters of the object."""

    NAME: ClassVar[str] = "clutter"

    front: tuple[float, ...] = weights(
        (0.4, 0.3, 0.2, 0.1), "how often 0 to 3 things in front of the object", FRONT + 1
    )
    reach: Span = span(0.05, 1.0, "how far each reaches across the object", most=1.5)
    hidden: float = number(1.2, "they reach so far across it all together at most", most=3)
    limbs: float = chance(0.45, "share of hands, arms and rods of what is in front")
    skin: float = chance(0.6, "share of skin of those")
    around: tuple[float, ...] = weights((0.35, 0.3, 0.2, 0.15), "how often 0, 1, 2 .. 6 beside and behind", AROUND + 1)
    size: Span = span(0.25, 1.6, "of a thing, uniform in the logarithm", least=0.01)
    others: float = chance(0.3, "share of other trained objects, or what is given to stand beside them, of the things")
    twins: float = chance(0.0, "share of what is around that is the object itself once more")
    casters: float = chance(0.3, "how often something stands between the object and the first lamp")
    textured: float = chance(0.7, "share of things with a picture on them; the others are of one colour")
    ground: float = chance(0.35, "how often the object lies on a plane")
    tilt: Span = span(5, 80, "angle at which the plane is looked at, degrees", 1, 90)
    level: float = chance(0.0, "how often the object's z axis stands at right angles to the plane, whatever the tilt")
    shapes: int = count(48, "how many different shapes there are", 1)


@dataclass(frozen=True, eq=False)
class Setting:
    """What clutter is placed about, in the camera frame.

    model (B,): which object; centre (B, 3) and radius (B,): ball around it; camera_matrix (B, 3, 3); size: (width,
    height) of the view in pixels; taken_centre (B, T, 3) and taken_radius (B, T): balls around all objects, which are
    kept free, infinitely far where there is none; lamp (B, 3): direction of the first one; ground (B,): nothing is
    below it.
    """

    model: NDArray[np.int64]
    centre: FloatArray
    radius: FloatArray
    camera_matrix: FloatArray
    size: tuple[int, int]
    taken_centre: FloatArray
    taken_radius: FloatArray
    lamp: FloatArray
    ground: NDArray[np.void]


@dataclass(frozen=True, eq=False)
class Clutter:
    """shape (B, N): index among the shapes, or NONE; model (B, N): index of another object that stands there instead,
    or NONE; cam_from_thing (B, N, 4, 4): of shapes scaled, of objects their middle; material (B, N): of the shapes.
    """

    shape: NDArray[np.int64]
    model: NDArray[np.int64]
    cam_from_thing: FloatArray
    material: NDArray[np.void]


def draw_clutter(
    part: ClutterPart,
    rng: np.random.Generator,
    shapes: Shapes,
    models: Models,
    pictures: Pictures,
    setting: Setting,
) -> Clutter:
    """PLACES for each scene."""
    batch = len(setting.centre)
    front, around, caster = slice(FRONT), slice(FRONT, FRONT + AROUND), slice(FRONT + AROUND, PLACES)
    present = np.zeros((batch, PLACES), bool)
    present[:, front] = np.arange(FRONT) < pick(rng, part.front, batch)[:, None]
    present[:, around] = np.arange(AROUND) < pick(rng, part.around, batch)[:, None]
    present[:, caster] = rng.random((batch, CASTERS)) < part.casters
    present &= part.random

    limb = np.zeros_like(present)
    limb[:, front] = rng.random((batch, FRONT)) < part.limbs
    shape = np.where(limb, _any_of(rng, shapes.limbs, limb.shape), _any_of(rng, shapes.things, limb.shape))
    model = np.full(shape.shape, NONE)
    if len(models.diameter) > 1:
        things = slice(FRONT + AROUND)
        other = (rng.random((batch, FRONT + AROUND)) < part.others) & ~limb[:, things]
        model[:, things] = np.where(other, rng.integers(0, len(models.diameter), other.shape), NONE)
    if part.twins > 0:
        twin = rng.random((batch, AROUND)) < part.twins
        model[:, around] = np.where(twin, setting.model[:, None], model[:, around])
    radius = np.where(limb, 2, log_uniform(rng, part.size, shape.shape)) * setting.radius[:, None]
    radius = np.where(model == NONE, radius, models.diameter[model] / 2)
    # What is in front must fit between camera and object.
    room = (0.75 * setting.centre[:, 2] - setting.radius)[:, None] / 2.4
    resized = ~limb & (model == NONE)
    radius[:, front] = np.where(resized[:, front], np.minimum(radius[:, front], room), radius[:, front])
    stretch = np.where(limb[..., None], 1, rng.uniform(0.5, 1, (*shape.shape, 3))) * radius[..., None]
    stretch = np.where((model == NONE)[..., None], stretch, 1)
    support = np.where((model == NONE)[..., None, None], shapes.support[shape], models.support[model])

    place = np.zeros((*shape.shape, 3))
    turn = rotation_from_quaternion(rng.normal(size=(*shape.shape, 4)))
    place[:, front], outward = _in_front(part, rng, setting, radius[:, front], limb[:, front])
    turn[:, front] = np.where(limb[:, front, None, None], _along(outward), turn[:, front])
    place[:, around] = _beside(rng, setting, radius[:, around])
    place[:, caster] = _before_lamp(rng, setting, radius[:, caster])
    linear = turn * stretch[..., None, :]
    place += _lifted(linear @ np.swapaxes(support, -1, -2), place, setting.ground, around)

    apart = np.linalg.norm(place[:, :, None] - setting.taken_centre[:, None], axis=-1)
    clear = (apart > radius[..., None] + setting.taken_radius[:, None]).all(-1) & (place[..., 2] > 1.2 * radius)
    present &= clear | limb
    present[:, caster] &= _covering(setting, place[:, caster], radius[:, caster]) < _CASTER_REACH

    material = draw_other_materials(rng, pictures, shape.shape, part.textured)
    paint_skin(material, rng, limb & (rng.random(shape.shape) < part.skin))
    pose = np.zeros((*shape.shape, 4, 4))
    pose[..., :3, :3], pose[..., :3, 3], pose[..., 3, 3] = linear, place, 1
    return Clutter(np.where(present & (model == NONE), shape, NONE), np.where(present, model, NONE), pose, material)


def _any_of(rng: np.random.Generator, choices: range, shape: tuple[int, ...]) -> NDArray[np.int64]:
    return rng.integers(choices.start, choices.stop, shape)


def _in_front(
    part: ClutterPart, rng: np.random.Generator, setting: Setting, scale: FloatArray, limb: NDArray[np.bool_]
) -> tuple[FloatArray, FloatArray]:
    """Positions (B, N, 3) between camera and object, and for limbs the directions away from the object."""
    batch, places = scale.shape
    distance, radius = setting.centre[:, None, 2], setting.radius[:, None]
    own = np.where(limb, 0, scale)
    nearest, farthest = 1.3 * own + 0.25 * distance, distance - np.where(limb, 0.5 * radius, radius + own)
    depth = nearest + (farthest - nearest) * np.sqrt(rng.random((batch, places)))
    reach = uniform(rng, part.reach, (batch, places))
    before = np.cumsum(reach, axis=1) - reach
    reach = np.minimum(reach, np.maximum(part.hidden - before, 0))
    # On the plane at depth 1 the object's and the thing's outlines are about discs of these radii.
    object_disc, own_disc = radius / distance, own / np.maximum(depth, 1e-6)
    aside = own_disc + object_disc * (1 - 2 * reach)
    angle = rng.uniform(0, 2 * np.pi, (batch, places))
    outward = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    middle = setting.centre[:, None, :2] / setting.centre[:, None, 2:]
    place = (middle + outward * aside[..., None]) * depth[..., None]
    tilt = rng.uniform(-0.8, 0.2, (batch, places, 1))
    direction = np.concatenate([outward, tilt], axis=-1)
    return np.concatenate([place, depth[..., None]], axis=-1), direction / np.linalg.norm(direction, axis=-1)[..., None]


def _beside(rng: np.random.Generator, setting: Setting, scale: FloatArray) -> FloatArray:
    """Positions (B, N, 3) anywhere in the view and somewhat beyond, from the object's own depth to far behind it."""
    pixel = rng.uniform(-0.2, 1.2, (*scale.shape, 2)) * setting.size
    camera = setting.camera_matrix[:, None]
    ray = (pixel - camera[..., :2, 2]) / camera[..., [0, 1], [0, 1]]
    depth = setting.centre[:, None, 2] + (setting.radius[:, None] + scale) * rng.uniform(-0.4, 2.5, scale.shape)
    return np.concatenate([ray * depth[..., None], depth[..., None]], axis=-1)


def _before_lamp(rng: np.random.Generator, setting: Setting, scale: FloatArray) -> FloatArray:
    gap = setting.radius[:, None] * (1.05 + rng.uniform(0, 2, scale.shape)) + scale
    jitter = unit_vectors(rng, scale.shape) * (0.6 * setting.radius)[:, None, None]
    return setting.centre[:, None] + setting.lamp[:, None] * gap[..., None] + jitter


def _lifted(support: FloatArray, position: FloatArray, ground: NDArray[np.void], lying: slice) -> FloatArray:
    """(B, N, 3) how to move things with hulls (B, N, 3, SUPPORT) so that those `lying` touch the ground and no other
    goes through it.
    """
    normal, offset = ground["plane"][:, None, :3], ground["plane"][:, None, 3]
    height = (normal[:, :, None] @ support)[:, :, 0].min(-1) + (normal * position).sum(-1) + offset
    lift = np.maximum(-height, 0)
    lift[:, lying] = -height[:, lying]
    return np.where((ground["picture"] != NONE)[:, None, None], lift[..., None] * normal, 0)


def _covering(setting: Setting, centre: FloatArray, radius: FloatArray) -> FloatArray:
    """How far balls (B, N) reach across the object's ball as the camera sees them, in the object's diameters."""
    middle = setting.centre[:, None, :2] / setting.centre[:, None, 2:]
    depth = np.maximum(centre[..., 2], 1e-6)
    apart = np.linalg.norm(centre[..., :2] / depth[..., None] - middle, axis=-1)
    disc = (setting.radius / setting.centre[:, 2])[:, None]
    return np.where(centre[..., 2] < setting.centre[:, None, 2], (disc + radius / depth - apart) / (2 * disc), 0)


def _along(direction: FloatArray) -> FloatArray:
    """(..., 3, 3) rotations that take +z to unit vectors (..., 3), otherwise as it comes."""
    helper = np.where(np.abs(direction[..., :1]) < 0.8, (1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    first = np.cross(helper, direction)
    first /= np.linalg.norm(first, axis=-1, keepdims=True)
    return np.stack([first, np.cross(direction, first), direction], axis=-1)


def draw_ground(
    part: ClutterPart,
    rng: np.random.Generator,
    pictures: Pictures,
    centre: FloatArray,
    radius: FloatArray,
    points: FloatArray,
    up: FloatArray,
) -> NDArray[np.void]:
    """(B,) of GROUND: planes that touch the points (B, P, 3) of objects from below, and are looked down at.

    centre (B, 3), radius (B,): balls around the objects; up (B, 3): their z axes.
    """
    batch = len(points)
    towards = -centre / np.linalg.norm(centre, axis=1, keepdims=True)
    aside = np.cross(towards, unit_vectors(rng, (batch,), (0.0, -3.0, 0.0)))
    aside = np.cross(aside / np.linalg.norm(aside, axis=1, keepdims=True), towards)
    tilt = np.radians(uniform(rng, part.tilt, batch))[:, None]
    normal = towards * np.sin(tilt) + aside * np.cos(tilt)
    if part.level > 0:
        normal = np.where((rng.random(batch) < part.level)[:, None], up, normal)
    height = -(points @ normal[..., None])[..., 0].min(1)
    # The camera, at the origin, must be above the plane.
    there = (height > 0.05 * radius) & (rng.random(batch) < part.ground) & part.random
    ground = np.zeros(batch, GROUND)
    ground["plane"] = np.concatenate([normal, height[:, None]], axis=1)
    ground["picture"] = np.where(there, _any_of(rng, pictures.procedural, (batch,)), NONE)
    ground["picture_scale"] = 1 / (2 * radius * log_uniform(rng, (1, 8), batch))
    ground["tint"] = rng.uniform(0.3, 1.1, (batch, 1)) * rng.uniform(0.8, 1.1, (batch, 3))
    return ground
