"""Random numbers as the parts need them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pose_regressor.types import FloatArray
from pose_regressor_training.randomize.part import Span


def uniform(rng: np.random.Generator, bounds: Span, shape: int | tuple[int, ...]) -> FloatArray:
    """Numbers of that shape, uniform between the bounds."""
    return rng.uniform(*bounds, shape)


def log_uniform(rng: np.random.Generator, bounds: Span, shape: int | tuple[int, ...]) -> FloatArray:
    """Numbers of that shape whose logarithms are uniform between those of the bounds, which are above 0."""
    return np.exp(rng.uniform(math.log(bounds[0]), math.log(bounds[1]), shape))


def pick(rng: np.random.Generator, shares: tuple[float, ...], shape: int | tuple[int, ...]) -> NDArray[np.int64]:
    """Indices of that shape, drawn in proportion to `shares`."""
    edges = np.cumsum(shares) / sum(shares)
    return np.searchsorted(edges[:-1], rng.random(shape), side="right")


def any_of(rng: np.random.Generator, choices: range, shape: int | tuple[int, ...]) -> NDArray[np.int64]:
    """Numbers of that shape from the range, all equally likely."""
    return rng.integers(choices.start, choices.stop, shape)


def unit_vectors(rng: np.random.Generator, shape: tuple[int, ...], drift: tuple[float, ...] = (0, 0, 0)) -> FloatArray:
    """(*shape, 3) directions, uniform over the sphere; with a `drift`, more of them point that way."""
    vectors = rng.normal(size=(*shape, 3)) + drift
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
