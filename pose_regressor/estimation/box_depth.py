"""Boxes compared with measured depth: what is as large as the object at that distance, and what cannot be it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pose_regressor.estimation.boxes import MAX_CANDIDATES
from pose_regressor.estimation.windows import cut_depth
from pose_regressor.geometry.camera import window_from_image
from pose_regressor.types import Camera, FloatArray, ObjectModel, PartialDepth

#: Peaks of the box head that are compared with depth, and most of those that are looked at: more than without depth,
#: which tells false poses from right ones.
PEAKS, MOST_FITTING = 24, 8
#: Depths that are read in a box, along an edge.
SAMPLES = 24
#: How far a box's size, as a factor, may be off; and how far, if the box would also be looked at without depth.
SIZE_ERROR, ROUGH_SIZE_ERROR = 1.35, 2.0
#: Least share of the box that must be measured to decide, and least share of that which must fit.
MEASURED, FITS = 0.2, 0.15


def fitting(
    boxes: Sequence[FloatArray], model: ObjectModel, camera: Camera, depth: NDArray[np.float32] | PartialDepth
) -> list[FloatArray]:
    """The boxes (4,) that may show the object, scaled where depth knows the size better: first those of about the right
    size, then others, both in their order.

    boxes: x0, y0, x1, y1 in ideal pinhole pixels, the surest first
    depth: (H, W) of the frame, as in Frame
    """
    scaled = [fitted(box, model, camera, depth) for box in boxes]
    surest = zip(boxes[:MAX_CANDIDATES], scaled, strict=False)
    rough = [fitted(box, model, camera, depth, ROUGH_SIZE_ERROR) for box, better in surest if better is None]
    return [box for box in (*scaled, *rough) if box is not None]


def fitted(
    box: FloatArray,
    model: ObjectModel,
    camera: Camera,
    depth: NDArray[np.float32] | PartialDepth,
    size_error: float = SIZE_ERROR,
) -> FloatArray | None:
    """One box; None if what is measured in it is too near or too far for an object that looks as large.

    size_error: how far the box's size, as a factor, may be off
    """
    centre, half = (box[:2] + box[2:]) / 2, float(max(box[2:] - box[:2])) / 2
    left, top = centre - half
    matrix = window_from_image(left, top, SAMPLES / max(2 * half, 1e-3)) @ camera.matrix
    inside = cut_depth(depth, camera, matrix, (SAMPLES, SAMPLES)).depth
    measured = inside[inside > 0]
    if len(measured) < MEASURED * inside.size:
        return box
    # Seen along its longest axis, the object shows the second longest.
    focal = float(np.sqrt(camera.matrix[0, 0] * camera.matrix[1, 1]))
    smallest, largest = focal * np.sort(model.size)[1], focal * model.diameter
    fits = (measured > smallest / (2 * half * size_error)) & (measured < largest * size_error / (2 * half))
    if fits.sum() < FITS * len(measured):
        return None
    distance = float(np.median(measured[fits]))
    scale = np.clip(2 * half, smallest / distance, largest / distance) / (2 * half)
    return np.concatenate([centre + scale * (box[:2] - centre), centre + scale * (box[2:] - centre)])
