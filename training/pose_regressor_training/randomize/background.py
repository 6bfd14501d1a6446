"""The background: a window of a picture for each image, drawn for a batch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pose_regressor.settings import chance, count, folder, span
from pose_regressor_training.randomize.draw import any_of, uniform
from pose_regressor_training.randomize.part import Part, Span
from pose_regressor_training.randomize.pictures import PLAIN, Pictures
from pose_regressor_training.scenes import BACKGROUND

#: Exponent from displayed values to linear light: close enough to sRGB's curve.
DISPLAY_GAMMA = 2.2


@dataclass(frozen=True)
class BackgroundPart(Part):
    """What is behind everything. Fixed: unchanged photographs, or a grey wall without a folder; no ground."""

    scope: ClassVar[str] = "background."

    folder: Path | None = folder("folder of photographs (JPEG, PNG), searched with its subfolders")
    squares: int = count(
        1,
        "squares cut from each photograph: its middle, then others of any size and place; `--photos` sets it",
        1,
        1000,
    )
    photographs: float = chance(0.5, "share of backgrounds that are photographs, if there is a folder")
    pictures: int = count(1000, "procedural pictures made at the start, for backgrounds and surfaces", 1)
    window: Span = span(0.5, 1.0, "longer side of the part that is shown, as a share of the picture's side", 0.05, 1)
    brightness: Span = span(0.35, 1.15, "factor on the pixel values", high=4)
    recolored: float = chance(0.5, "how often red, green and blue are exchanged")


def draw_backgrounds(
    part: BackgroundPart, rng: np.random.Generator, pictures: Pictures, number: int, height: int, width: int
) -> NDArray[np.void]:
    """(B,) of BACKGROUND, for images of height x width pixels."""
    scenes = np.zeros(number, BACKGROUND)
    photographed = rng.random(number) < part.photographs if part.random else np.ones(number, bool)
    taken = pictures.photographs
    # Also drawn without photographs: the numbers drawn later must not depend on the folder.
    photograph = any_of(rng, range(taken.start, max(taken.stop, taken.start + 1)), number)
    plain = any_of(rng, pictures.procedural, number) if part.random else np.full(number, PLAIN)
    scenes["picture"] = np.where(photographed & (len(taken) > 0), photograph, plain)
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
