"""What the network answers, as NumPy arrays or as tensors, and the names of its parts."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Generic, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_regressor.network.config import BOX_STRIDE

#: NDArray at runtime, Tensor in training.
A = TypeVar("A")
#: Largest logarithm of a box's size, over BOX_STRIDE, that is believed.
LARGEST_LOG_SIZE = 6


@dataclass(frozen=True, eq=False)
class BoxOutput(Generic[A]):
    """The box head's output. Cell (i, j) stands at pixel (x, y) = (BOX_STRIDE * j, BOX_STRIDE * i).

    logits: (B, O, H/8, W/8) presence of a box's centre in the cell
    boxes: (B, O, 4, H/8, W/8) offset (x, y) of the centre from the cell, in strides; then log(size / BOX_STRIDE)
    """

    logits: A
    boxes: A


@dataclass(frozen=True, eq=False)
class PoseOutput(Generic[A]):
    """The pose heads' output for crops of S pixels: what each of O objects would look like if the crop showed it.

    Cell (i, j) of a map stands at pixel (x, y) = (DENSE_STRIDE * j, DENSE_STRIDE * i) of the crop. The last two fields
    do not depend on the camera (CDPN, Li et al., ICCV 2019, "scale-invariant translation").

    coordinates: (B, O, 3, S/2, S/2) object coordinates, each axis scaled to [-1, 1] over the object's bounds
    mask: (B, O, S/2, S/2) logits of "this cell shows the object"
    certainty: (B, O, S/2, S/2) minus the logarithm of the scale of the cell's errors in scaled coordinates
    rotation_6d: (B, O, 6) allocentric rotation, see `geometry.rotation`
    location: (B, O, 3) the projected centre of the object's bounds from the crop's centre, over S (x, y); and the
        logarithm of the apparent diameter over S, log(f d / (z S))
    """

    coordinates: A
    mask: A
    certainty: A
    rotation_6d: A
    location: A


#: Names of the outputs of the graphs `find` and `look`, in their order.
BOX_NAMES = tuple(f"box_{field.name}" for field in fields(BoxOutput))
POSE_NAMES = tuple(field.name for field in fields(PoseOutput))


def values_of(output: BoxOutput[Any] | PoseOutput[Any]) -> tuple[Any, ...]:
    """The fields' values in their order."""
    return tuple(getattr(output, field.name) for field in fields(output))


def peaks(output: BoxOutput[NDArray[np.float32]], count: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The best `count` local maxima of the first image's presence: scores (O, count) and boxes (O, count, 4).

    boxes: x0, y0, x1, y1 in pixels of the input
    """
    scores, boxes = [], []
    for logits, regressed in zip(output.logits[0], output.boxes[0], strict=True):
        score = 1 / (1 + np.exp(-logits))
        score = np.where(score == cv2.dilate(score, np.ones((3, 3), np.uint8)), score, 0)
        best = np.argsort(-score, axis=None, kind="stable")[:count]
        rows, columns = np.divmod(best, score.shape[1])
        offset, log_size = np.split(regressed[:, rows, columns], 2)
        centre = (offset + np.stack([columns, rows]).astype(np.float32)) * BOX_STRIDE
        half = np.exp(np.minimum(log_size, LARGEST_LOG_SIZE)) * (BOX_STRIDE / 2)
        scores.append(score[rows, columns])
        boxes.append(np.concatenate([centre - half, centre + half]).T)
    return np.stack(scores), np.stack(boxes)
