"""Clutter, drawn for a batch: things before an object, around it and between it and a lamp, and the ground."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pose_regressor.settings import chance, count, number, shares, span
from pose_regressor.types import FloatArray
from pose_regressor_training.randomize.draw import any_of, log_uniform, pick, uniform, unit_vectors
from pose_regressor_training.randomize.part import Part, Span
from pose_regressor_training.randomize.pictures import Pictures
from pose_regressor_training.randomize.pose import rotation_from_quaternion
from pose_regressor_training.randomize.shapes import Shapes
from pose_regressor_training.randomize.surface import draw_other_materials, paint_skin
from pose_regressor_training.randomize.views import Models
from pose_regressor_training.scenes import GROUND, NONE

#: Most things in front of an object, around it, and between it and a lamp.
FRONT, AROUND, CASTERS = 3, 6, 1
#: Places that every scene keeps for them, occupied or not.
PLACES = FRONT + AROUND + CASTERS
_IN_FRONT, _AROUND, _CASTING = slice(FRONT), slice(FRONT, FRONT + AROUND), slice(FRONT + AROUND, PLACES)
#: A thing that is there for its shadow may cover this much of the object, in the object's diameters.
_CASTER_REACH = 0.3


@dataclass(frozen=True)
class ClutterPart(Part):
    """Other things and the ground. Fixed: nothing but the objects. Diameters are those of the object."""

    scope: ClassVar[str] = "clutter."

    front: tuple[float, ...] = shares(
        (0.4, 0.3, 0.2, 0.1), "how often there are 0, 1, 2 or 3 things in front of the object", FRONT + 1
    )
    reach: Span = span(0.05, 1.0, "how far each thing in front reaches across the object", high=1.5, unit="diameters")
    hidden: float = number(1.2, "most that all of them together reach across the object", high=3, unit="diameters")
    limbs: float = chance(0.45, "share of hands, arms and rods among the things in front")
    skin: float = chance(0.6, "share of the hands, arms and rods that have the colour of skin")
    around: tuple[float, ...] = shares(
        (0.35, 0.3, 0.2, 0.15), "how often there are 0, 1, 2, ... 6 things beside and behind the object", AROUND + 1
    )
    size: Span = span(0.25, 1.6, "size of a thing; uniform in the logarithm", 0.01, unit="diameters")
    others: float = chance(0.3, "share of things that are other trained objects, or meshes of `--beside`")
    twins: float = chance(0.0, "share of things beside and behind that are a second piece of the object itself")
    casters: float = chance(0.3, "how often a thing stands between the object and the first lamp and casts a shadow")
    textured: float = chance(0.7, "share of things with a picture on their surface; all others have one colour")
    ground: float = chance(0.35, "how often the object lies on a plane")
    tilt: Span = span(5, 80, "angle between the plane and the line of sight", 1, 90, unit="degrees")
    level: float = chance(0.0, "how often the plane is at right angles to the object's z axis, instead of tilted")
    shapes: int = count(48, "number of different shapes of things", 1)


@dataclass(frozen=True, eq=False)
class Setting:
    """What the clutter is placed about, in the camera frame, metres.

    model: (B,) index of the object that the clutter keeps to
    centre, radius: (B, 3) and (B,) ball around that object
    camera_matrix: (B, 3, 3) pixels
    size: (width, height) of the view, pixels
    taken_centre, taken_radius: (B, T, 3) and (B, T) balls around all objects, which stay free of clutter; infinitely
        far away where there is no object
    lamp: (B, 3) unit direction towards the first lamp
    ground: (B,) of GROUND; nothing is below it
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
    """N things in each of B scenes.

    shape: (B, N) index of the shape, or NONE
    model: (B, N) index of the object that stands there instead of a shape, or NONE
    cam_from_thing: (B, N, 4, 4) poses: of shapes with their scale, of objects about their middle, metres
    material: (B, N) of MATERIAL, for the shapes
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
    """PLACES things for each scene."""
    present = _draw_present(part, rng, len(setting.centre))
    limb, shape, model = _draw_kinds(part, rng, shapes, models, setting.model)
    is_shape = model == NONE
    radius, stretch = _draw_sizes(part, rng, models, setting, limb, model)
    place, turn = _draw_places(part, rng, setting, limb, radius)
    linear = turn * stretch[..., None, :]
    support = np.where(is_shape[..., None, None], shapes.support[shape], models.support[model])
    place += _lifted(linear @ np.swapaxes(support, -1, -2), place, setting.ground)

    apart = np.linalg.norm(place[:, :, None] - setting.taken_centre[:, None], axis=-1)
    clear = (apart > radius[..., None] + setting.taken_radius[:, None]).all(-1) & (place[..., 2] > 1.2 * radius)
    present &= clear | limb
    present[:, _CASTING] &= _covering(setting, place[:, _CASTING], radius[:, _CASTING]) < _CASTER_REACH

    material = draw_other_materials(rng, pictures, shape.shape, part.textured)
    paint_skin(material, rng, limb & (rng.random(shape.shape) < part.skin))
    pose = np.zeros((*shape.shape, 4, 4))
    pose[..., :3, :3], pose[..., :3, 3], pose[..., 3, 3] = linear, place, 1
    return Clutter(np.where(present & is_shape, shape, NONE), np.where(present, model, NONE), pose, material)


def _draw_present(part: ClutterPart, rng: np.random.Generator, batch: int) -> NDArray[np.bool_]:
    """(B, PLACES) which places are occupied, as far as there is room."""
    present = np.zeros((batch, PLACES), bool)
    present[:, _IN_FRONT] = np.arange(FRONT) < pick(rng, part.front, batch)[:, None]
    present[:, _AROUND] = np.arange(AROUND) < pick(rng, part.around, batch)[:, None]
    present[:, _CASTING] = rng.random((batch, CASTERS)) < part.casters
    return present & part.random


def _draw_kinds(
    part: ClutterPart, rng: np.random.Generator, shapes: Shapes, models: Models, main: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]:
    """(B, PLACES) each: whether a limb stands there; which shape; which object in its place, or NONE.

    main: (B,) the object that the clutter keeps to
    """
    size = (len(main), PLACES)
    limb = np.zeros(size, bool)
    limb[:, _IN_FRONT] = rng.random((len(main), FRONT)) < part.limbs
    shape = np.where(limb, any_of(rng, shapes.limbs, size), any_of(rng, shapes.things, size))
    model = np.full(size, NONE)
    if len(models.diameter) > 1:
        things = slice(FRONT + AROUND)
        other = (rng.random((len(main), FRONT + AROUND)) < part.others) & ~limb[:, things]
        model[:, things] = np.where(other, rng.integers(0, len(models.diameter), other.shape), NONE)
    if part.twins > 0:
        twin = rng.random((len(main), AROUND)) < part.twins
        model[:, _AROUND] = np.where(twin, main[:, None], model[:, _AROUND])
    return limb, shape, model


def _draw_sizes(
    part: ClutterPart,
    rng: np.random.Generator,
    models: Models,
    setting: Setting,
    limb: NDArray[np.bool_],
    model: NDArray[np.int64],
) -> tuple[FloatArray, FloatArray]:
    """Radii (B, PLACES) of balls around the things, metres, and the scales (B, PLACES, 3) of their axes."""
    is_shape = model == NONE
    radius = np.where(limb, 2, log_uniform(rng, part.size, model.shape)) * setting.radius[:, None]
    radius = np.where(is_shape, radius, models.diameter[model] / 2)
    # A thing in front must fit between camera and object.
    room = (0.75 * setting.centre[:, 2] - setting.radius)[:, None] / 2.4
    resized = (~limb & is_shape)[:, _IN_FRONT]
    radius[:, _IN_FRONT] = np.where(resized, np.minimum(radius[:, _IN_FRONT], room), radius[:, _IN_FRONT])
    stretch = np.where(limb[..., None], 1, rng.uniform(0.5, 1, (*model.shape, 3))) * radius[..., None]
    return radius, np.where(is_shape[..., None], stretch, 1)


def _draw_places(
    part: ClutterPart, rng: np.random.Generator, setting: Setting, limb: NDArray[np.bool_], radius: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Positions (B, PLACES, 3) in the camera frame, metres, and rotations (B, PLACES, 3, 3)."""
    place = np.zeros((*radius.shape, 3))
    turn = rotation_from_quaternion(rng.normal(size=(*radius.shape, 4)))
    place[:, _IN_FRONT], outward = _in_front(part, rng, setting, radius[:, _IN_FRONT], limb[:, _IN_FRONT])
    turn[:, _IN_FRONT] = np.where(limb[:, _IN_FRONT, None, None], _along(outward), turn[:, _IN_FRONT])
    place[:, _AROUND] = _beside(rng, setting, radius[:, _AROUND])
    place[:, _CASTING] = _before_lamp(rng, setting, radius[:, _CASTING])
    return place, turn


def _in_front(
    part: ClutterPart, rng: np.random.Generator, setting: Setting, scale: FloatArray, limb: NDArray[np.bool_]
) -> tuple[FloatArray, FloatArray]:
    """Positions (B, N, 3) between camera and object, metres, and unit directions (B, N, 3) in which limbs leave it."""
    batch, places = scale.shape
    distance, radius = setting.centre[:, None, 2], setting.radius[:, None]
    own = np.where(limb, 0, scale)
    nearest, farthest = 1.3 * own + 0.25 * distance, distance - np.where(limb, 0.5 * radius, radius + own)
    depth = nearest + (farthest - nearest) * np.sqrt(rng.random((batch, places)))
    reach = uniform(rng, part.reach, (batch, places))
    before = np.cumsum(reach, axis=1) - reach
    reach = np.minimum(reach, np.maximum(part.hidden - before, 0))
    # On the plane at depth 1, the outlines of the object and of the thing are roughly discs of these radii.
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
    """Positions (B, N, 3) in the view and a little outside, from the object's depth to far behind it, metres."""
    pixel = rng.uniform(-0.2, 1.2, (*scale.shape, 2)) * setting.size
    camera = setting.camera_matrix[:, None]
    ray = (pixel - camera[..., :2, 2]) / camera[..., [0, 1], [0, 1]]
    depth = setting.centre[:, None, 2] + (setting.radius[:, None] + scale) * rng.uniform(-0.4, 2.5, scale.shape)
    return np.concatenate([ray * depth[..., None], depth[..., None]], axis=-1)


def _before_lamp(rng: np.random.Generator, setting: Setting, scale: FloatArray) -> FloatArray:
    """Positions (B, N, 3) between the object and the first lamp, metres."""
    gap = setting.radius[:, None] * (1.05 + rng.uniform(0, 2, scale.shape)) + scale
    jitter = unit_vectors(rng, scale.shape) * (0.6 * setting.radius)[:, None, None]
    return setting.centre[:, None] + setting.lamp[:, None] * gap[..., None] + jitter


def _lifted(support: FloatArray, position: FloatArray, ground: NDArray[np.void]) -> FloatArray:
    """(B, PLACES, 3) shifts that put the things around onto the ground, and lift all others out of it.

    support: (B, PLACES, 3, SUPPORT) points of the things' hulls about their positions
    """
    normal, offset = ground["plane"][:, None, :3], ground["plane"][:, None, 3]
    height = (normal[:, :, None] @ support)[:, :, 0].min(-1) + (normal * position).sum(-1) + offset
    lift = np.maximum(-height, 0)
    lift[:, _AROUND] = -height[:, _AROUND]
    return np.where((ground["picture"] != NONE)[:, None, None], lift[..., None] * normal, 0)


def _covering(setting: Setting, centre: FloatArray, radius: FloatArray) -> FloatArray:
    """(B, N) how far balls reach across the object's ball as the camera sees them, in the object's diameters."""
    middle = setting.centre[:, None, :2] / setting.centre[:, None, 2:]
    depth = np.maximum(centre[..., 2], 1e-6)
    apart = np.linalg.norm(centre[..., :2] / depth[..., None] - middle, axis=-1)
    disc = (setting.radius / setting.centre[:, 2])[:, None]
    return np.where(centre[..., 2] < setting.centre[:, None, 2], (disc + radius / depth - apart) / (2 * disc), 0)


def _along(direction: FloatArray) -> FloatArray:
    """(..., 3, 3) rotations that take +z to unit vectors (..., 3), with any turn about them."""
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
    """(B,) of GROUND: planes that touch an object from below and that the camera looks down at.

    centre, radius: (B, 3) and (B,) balls around the objects, metres
    points: (B, P, 3) points of the objects
    up: (B, 3) z axes of the objects
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
    ground["picture"] = np.where(there, any_of(rng, pictures.procedural, batch), NONE)
    ground["picture_scale"] = 1 / (2 * radius * log_uniform(rng, (1, 8), batch))
    ground["tint"] = rng.uniform(0.3, 1.1, (batch, 1)) * rng.uniform(0.8, 1.1, (batch, 3))
    return ground
