"""Light, drawn for a batch: distant lamps, and ambient light from all around."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pose_regressor.settings import chance, number, shares, span
from pose_regressor_training.randomize.draw import log_uniform, pick, uniform, unit_vectors
from pose_regressor_training.randomize.part import Part, Span
from pose_regressor_training.scenes import LIGHT, LIGHTS

#: Most lamps stand above and behind the camera.
_LAMPS_DRIFT = (0.0, -0.4, -0.5)
#: Ambient light comes from above more often than not.
_SKY_DRIFT = (0.0, -1.0, 0.0)


@dataclass(frozen=True)
class LightPart(Part):
    """Lamps and ambient light. Fixed: one lamp over the camera's left shoulder, and as much ambient light."""

    scope: ClassVar[str] = "light."

    exposure: Span = span(0.45, 2.2, "brightness of a white page, 1 is just white; uniform in the logarithm", 0.001)
    ambient: Span = span(0.05, 0.75, "share of the light that is ambient, that is, comes from all around", high=1)
    lamps: tuple[float, ...] = shares((0.05, 0.45, 0.3, 0.2), "how often there are 0, 1, 2 or 3 lamps", LIGHTS + 1)
    warmth: float = number(
        0.15, "standard deviation of the lamps' colour between warm and cold; half of it for ambient light", high=1
    )
    surroundings: Span = span(
        0.0, 0.6, "share by which ambient light is stronger from one side, and weaker from the other", high=1
    )
    shadows: float = chance(0.6, "how often a lamp casts shadows")
    radius: Span = span(
        0.01, 0.15, "half the angle that a lamp covers; larger lamps make softer shadows", high=1, unit="radians"
    )


def draw_lights(part: LightPart, rng: np.random.Generator, count: int) -> tuple[NDArray[np.void], NDArray[np.float32]]:
    """Lamps, (B, LIGHTS) of LIGHT, and ambient light, (B, 9, 3) spherical harmonics, both as in `Scenes`."""
    lights = np.zeros((count, LIGHTS), LIGHT)
    ambient = np.zeros((count, 9, 3), np.float32)
    if not part.random:
        lights["direction"] = (0.0, 0.0, -1.0)
        lights["direction"][:, 0] = np.array([-0.5, -0.7, -0.6]) / np.linalg.norm([-0.5, -0.7, -0.6])
        lights["color"][:, 0], lights["radius"], lights["shadow"] = 0.6, 0.05, 1
        ambient[:, 0] = 0.5
        return lights, ambient
    exposure = log_uniform(rng, part.exposure, count)
    number_of = pick(rng, part.lamps, count)
    share = np.where(number_of > 0, uniform(rng, part.ambient, count), 1.0)
    lights["direction"] = unit_vectors(rng, (count, LIGHTS), _LAMPS_DRIFT)
    burns = np.arange(LIGHTS) < number_of[:, None]
    # Exponential numbers over their sum: a flat Dirichlet distribution of the light over the lamps.
    split = rng.exponential(size=(count, LIGHTS)) * burns
    split /= split.sum(1, keepdims=True).clip(1e-9)
    # Few surfaces face a lamp: on average they reflect about half of the light.
    strength = 2.0 * (exposure * (1 - share))[:, None] * split
    lights["color"] = strength[..., None] * _colors(rng, part.warmth, (count, LIGHTS))
    lights["radius"] = uniform(rng, part.radius, (count, LIGHTS))
    lights["shadow"] = (rng.random((count, LIGHTS)) < part.shadows) & burns
    base = (exposure * share)[:, None] * _colors(rng, part.warmth / 2, (count,))
    side = unit_vectors(rng, (count,), _SKY_DRIFT)[:, [1, 2, 0]] * uniform(rng, part.surroundings, (count, 1))
    ambient[:, 0] = base
    ambient[:, 1:4] = side[..., None] * (base * _colors(rng, part.warmth / 2, (count,)))[:, None]
    ambient[:, 4:] = rng.normal(0, 0.1, (count, 5, 1)) * part.surroundings[1] * base[:, None]
    return lights, ambient


def _colors(rng: np.random.Generator, spread: float, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """(*shape, 3) factors on red, green and blue, about 1 on average: warmer or colder, and a little of the rest."""
    warm = rng.normal(0, spread, (*shape, 1)) * (1, 0, -1)
    return np.clip(1 + warm + rng.normal(0, spread / 3, (*shape, 3)), 0.3, 2)
