"""Light on the object and the object's own colours."""

from __future__ import annotations

import numpy as np

from pose_regressor_training.randomize.views import log_uniform
from pose_regressor_training.render.single_kernel import LIGHTS, LOOK_DTYPE


def _color(rng: np.random.Generator, spread: float) -> np.ndarray:
    """A light's colour, mean about 1: warm to cold along one axis, a little of anything else."""
    warm = rng.normal(0, spread)
    return (1 + np.array([warm, 0, -warm]) + rng.normal(0, spread / 3, 3)).clip(0.3, 2)


def random_look(rng: np.random.Generator) -> np.ndarray:
    """A structured scalar of LOOK_DTYPE.

    From flat light, as under an overcast sky, to one hard lamp; seen from display space, so that 1 is a white page.
    """
    look = np.zeros((), LOOK_DTYPE)
    exposure = log_uniform(rng, 0.6, 1.6)
    flat = rng.beta(2, 1.3)  # share of the light that comes from everywhere
    look["ambient"] = exposure * flat * _color(rng, 0.08)
    directions = rng.normal(size=(LIGHTS, 3)) - (0, 0.4, 0.5)  # rather from above and from behind the camera
    look["directions"] = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    share = rng.dirichlet(np.full(LIGHTS, 0.6))
    for i in range(LIGHTS):
        look["colors"][i] = exposure * (1 - flat) * 1.6 * share[i] * _color(rng, 0.15)
    look["specular"] = rng.choice((0.0, rng.uniform(0, 1.2)), p=(0.5, 0.5))
    look["shininess"] = log_uniform(rng, 4, 120)
    look["tint"], look["offset"] = random_color_transform(rng)
    return look


def random_color_transform(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(3, 3) and (3,): saturation, contrast and a small mixing of channels, about the colour as it is printed."""
    saturation = rng.uniform(0.5, 1.35)
    grey = np.full((3, 3), 1 / 3)
    mix = grey + saturation * (np.eye(3) - grey) + rng.normal(0, 0.04, (3, 3))
    contrast = rng.uniform(0.75, 1.2)
    brightness = rng.uniform(-0.04, 0.12)  # faded print and haze lift black more often than they lower it
    return contrast * mix, np.full(3, 0.5 * (1 - contrast) + brightness)
