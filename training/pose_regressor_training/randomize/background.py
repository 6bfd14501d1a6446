"""What is behind everything: a window of a picture, drawn for a batch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pose_regressor_training.randomize.part import Part, Span, chance, count, folder, span, uniform
from pose_regressor_training.randomize.pictures import PLAIN, Pictures
from pose_regressor_training.scenes import BACKGROUND

#: Exponent from values as displayed to linear light, near enough to sRGB's curve.
DISPLAY_GAMMA = 2.2


@dataclass(frozen=True)
class BackgroundPart(Part):
    """Off: the photographs as they are or, without a folder, a grey wall; and no ground."""

    NAME: ClassVar[str] = "background"

    folder: Path | None = folder("folder of photographs (JPEG, PNG), also below it")
    photographs: float = chance(0.5, "share of the backgrounds that are photographs, where there is a folder")
    pictures: int = count(1000, "procedural pictures drawn at the start, for backgrounds and surfaces", 1)
    window: Span = span(0.5, 1.0, "part of the picture's edge that is shown", 0.05, 1)
    brightness: Span = span(0.35, 1.15, "factor on the values as displayed", most=4)
    recolored: float = chance(0.5, "how often red, green and blue are exchanged")


def draw_backgrounds(
    part: BackgroundPart, rng: np.random.Generator, pictures: Pictures, number: int, height: int, width: int
) -> NDArray[np.void]:
    """(B,) of BACKGROUND for images of height x width."""
    scenes = np.zeros(number, BACKGROUND)
    photographed = rng.random(number) < part.photographs if part.random else np.ones(number, bool)
    photograph = _any_of(rng, pictures.photographs, number)
    plain = _any_of(rng, pictures.procedural, number) if part.random else np.full(number, PLAIN)
    has = len(pictures.photographs) > 0
    scenes["picture"] = np.where(photographed & has, photograph, plain)
    # The longer edge of the image shows `window` of the picture's edge.
    window = uniform(rng, part.window, number) if part.random else np.ones(number)
    extent = window[:, None] * np.array([width, height]) / max(width, height)
    corner = rng.random((number, 2)) * (1 - extent) if part.random else (1 - extent) / 2
    # (column, row) -> (x, y) in the unit square, then mirrored and turned within it.
    step = window / max(width, height)
    x = np.stack([step, np.zeros(number), corner[:, 0] + step / 2], axis=1)
    y = np.stack([np.zeros(number), step, corner[:, 1] + step / 2], axis=1)
    if part.random:
        mirrored = rng.random((2, number, 1)) < 0.5
        one = np.array([0, 0, 1.0])
        x, y = np.where(mirrored[0], one - x, x), np.where(mirrored[1], one - y, y)
        swapped = rng.random((number, 1)) < 0.5
        x, y = np.where(swapped, y, x), np.where(swapped, x, y)
    scenes["from_pixel"] = np.stack([x, y], axis=1)
    tint = np.broadcast_to(np.eye(3), (number, 3, 3))
    if part.random:
        exchanged = rng.permuted(np.broadcast_to(np.arange(3), (number, 3)), axis=1)
        tint = np.where((rng.random(number) < part.recolored)[:, None, None], np.eye(3)[exchanged], tint)
        tint = tint * (uniform(rng, part.brightness, number) ** DISPLAY_GAMMA)[:, None, None]
    scenes["tint"] = tint
    return scenes


def _any_of(rng: np.random.Generator, choices: range, number: int) -> NDArray[np.int64]:
    return rng.integers(choices.start, max(choices.stop, choices.start + 1), number)
