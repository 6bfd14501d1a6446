"""Surfaces, drawn for a batch: the colours and gloss of the objects, and the materials of other things."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pose_regressor.settings import chance, number, span
from pose_regressor_training.randomize.draw import any_of, log_uniform, uniform
from pose_regressor_training.randomize.part import Part, Span
from pose_regressor_training.randomize.pictures import Pictures
from pose_regressor_training.scenes import MATERIAL, NONE

#: Contrast leaves this linear light as it is. It is displayed as half of white, so black and white move alike.
_MIDDLE = 0.06
_FIXED_ROUGHNESS = 0.5


@dataclass(frozen=True)
class ObjectPart(Part):
    """How the objects look. Fixed: the mesh's own colours, matt."""

    scope: ClassVar[str] = "object."

    replaced: float = chance(
        0.0, "how often a random picture replaces the texture; only for objects whose shape alone tells the pose"
    )
    hue: Span = span(-8, 8, "turn of the hue", -180, 180, unit="degrees")
    saturation: Span = span(0.6, 1.4, "factor on the colourfulness", high=4)
    contrast: Span = span(0.72, 1.25, "factor on each colour's distance from a dark grey", 0.05, 4)
    brightness: Span = span(0.85, 1.1, "factor on the reflected light", high=4)
    haze: Span = span(0.0, 0.015, "light added to every colour, as if it had faded; white is 1", high=1)
    mixing: float = number(
        0.04, "how much red, green and blue mix: standard deviation of each entry of the mixing matrix", high=0.5
    )
    glossy: float = chance(0.5, "how often the object has highlights")
    specular: Span = span(
        0.02,
        0.25,
        "share of the light that a highlight reflects when the light falls straight onto the surface",
        high=1,
    )
    roughness: Span = span(0.15, 0.8, "roughness of the surface; larger makes wider highlights", 0.05, 1)


def plain_materials(shape: tuple[int, ...]) -> NDArray[np.void]:
    """(*shape,) of MATERIAL: every mesh in its own colours, matt."""
    materials = np.zeros(shape, MATERIAL)
    materials["tint"], materials["picture"] = np.eye(3), NONE
    materials["picture_scale"], materials["roughness"] = 1.0, _FIXED_ROUGHNESS
    return materials


def draw_object_materials(
    part: ObjectPart, rng: np.random.Generator, pictures: Pictures, diameter: NDArray[np.float64]
) -> NDArray[np.void]:
    """Materials of the objects to be found, one for each `diameter` (metres), in an array of the same shape."""
    shape = diameter.shape
    materials = plain_materials(shape)
    if not part.random:
        return materials
    turn = _about_grey(np.radians(uniform(rng, part.hue, shape)))
    saturation = uniform(rng, part.saturation, shape)[..., None, None]
    grey = np.full((3, 3), 1 / 3)
    mix = (grey + saturation * (np.eye(3) - grey)) @ turn + rng.normal(0, part.mixing, (*shape, 3, 3))
    contrast = uniform(rng, part.contrast, shape)[..., None]
    brightness = uniform(rng, part.brightness, shape)[..., None]
    materials["tint"] = (brightness * contrast)[..., None] * mix
    haze = uniform(rng, part.haze, shape)[..., None]
    materials["offset"] = brightness * (1 - contrast) * _MIDDLE + haze
    replaced = rng.random(shape) < part.replaced
    random_picture = any_of(rng, pictures.procedural, shape)
    materials["picture"] = np.where(replaced, random_picture, NONE)
    materials["picture_scale"] = log_uniform(rng, (0.5, 3), shape) / diameter
    _add_gloss(materials, rng, part.glossy, part.specular, part.roughness)
    return materials


def draw_other_materials(
    rng: np.random.Generator, pictures: Pictures, shape: tuple[int, ...], textured: float
) -> NDArray[np.void]:
    """Materials of other things, which are one unit long in their own frame: a picture or a plain colour, matt or
    glossy. textured: share of those with a picture
    """
    materials = plain_materials(shape)
    random_picture = any_of(rng, pictures.procedural, shape)
    materials["picture"] = np.where(rng.random(shape) < textured, random_picture, NONE)
    materials["picture_scale"] = log_uniform(rng, (0.3, 2), shape)
    plain = materials["picture"] == NONE
    color = rng.uniform(0.02, 0.95, (*shape, 3)) * rng.uniform(0.3, 1, (*shape, 1))
    grey = color.mean(-1, keepdims=True)
    color = grey + rng.uniform(0, 1, (*shape, 1)) * (color - grey)
    bright = rng.uniform(0.4, 1.1, (*shape, 1)) * np.ones(3)
    materials["tint"] = np.where(plain[..., None], color, bright)[..., None] * np.eye(3)
    _add_gloss(materials, rng, 0.4, (0.02, 0.3), (0.1, 0.9))
    return materials


def paint_skin(materials: NDArray[np.void], rng: np.random.Generator, where: NDArray[np.bool_]) -> None:
    """Change the materials at `where` to skin, from dark to light."""
    light = np.array([0.7, 0.34, 0.22]) * rng.uniform(0.08, 1.2, (*where.shape, 1)) ** 1.3
    skin = np.clip(light * (1 + rng.normal(0, 0.1, (*where.shape, 3))), 0.005, 1)
    materials["tint"] = np.where(where[..., None, None], skin[..., None] * np.eye(3), materials["tint"])
    materials["picture"] = np.where(where, NONE, materials["picture"])
    materials["roughness"] = np.where(where, 0.6, materials["roughness"])
    materials["specular"] = np.where(where, 0.04, materials["specular"])


def _add_gloss(
    materials: NDArray[np.void], rng: np.random.Generator, glossy: float, specular: Span, roughness: Span
) -> None:
    shape = materials.shape
    materials["specular"] = np.where(rng.random(shape) < glossy, uniform(rng, specular, shape), 0)
    materials["roughness"] = uniform(rng, roughness, shape)


def _about_grey(angle: NDArray[np.float64]) -> NDArray[np.float64]:
    """(*shape, 3, 3) rotations of colours about the grey axis (Rodrigues)."""
    axis = np.full(3, 1 / np.sqrt(3))
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    sine, cosine = np.sin(angle)[..., None, None], np.cos(angle)[..., None, None]
    return np.asarray(cosine * np.eye(3) + sine * cross + (1 - cosine) * np.outer(axis, axis))
