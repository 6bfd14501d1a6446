"""From the network's maps of a crop to 2D-3D correspondences and one mask, pooled over the crop's quarter turns."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_regressor.network.config import DENSE_STRIDE
from pose_regressor.types import FloatArray, ObjectModel

#: Most correspondences that RANSAC gets. More of them, from the same neighbourhoods, add time but no accuracy.
MAX_POINTS = 1024


@dataclass(frozen=True, eq=False)
class Correspondences:
    """Which point of the object each pixel shows.

    pixels: (N, 2) in the crop
    points: (N, 3) metres, object frame
    weights: (N,) inverse variances of the points, up to a common factor
    """

    pixels: FloatArray
    points: FloatArray
    weights: FloatArray


def quarter_turns(images: NDArray, turns: int) -> NDArray:
    """(B, C, S, S) -> (turns * B, C, S, S): all images as they are, then turned by 90 degrees, by 180, by 270.

    Quarter turns lose nothing, and the network errs differently in each: pooling its answers is the cheapest way to a
    better pose.
    """
    return np.concatenate([np.rot90(images, turn, (2, 3)) for turn in range(turns)])


def _turn_back(columns: NDArray, rows: NDArray, turn: int, size: int) -> NDArray:
    """(N, 2) pixels of the crop as it is, from (columns, rows) after `turn` quarter turns; size: of the crop."""
    last = size - 1
    x, y = [(columns, rows), (last - rows, columns), (last - columns, last - rows), (rows, last - columns)][turn]
    return np.stack([x, y], -1).astype(np.float64)


def correspondences(coordinates: NDArray, mask: NDArray, certainty: NDArray, model: ObjectModel) -> Correspondences:
    """The correspondences of a crop and its quarter turns, pooled. Each turn is thinned to its share of MAX_POINTS.

    coordinates: (T, 3, h, w) in [-1, 1], for each of T <= 4 quarter turns in their order, as in PoseOutput
    mask: (T, h, w) logits
    certainty: (T, h, w) as in PoseOutput
    """
    pixels, points, weights = [], [], []
    low, high = model.bounds
    size = mask.shape[1] * DENSE_STRIDE
    for turn, (values, shown) in enumerate(zip(coordinates.reshape(len(mask), 3, -1), mask > 0, strict=True)):
        place = np.flatnonzero(shown)
        step = -(-len(place) * len(mask) // MAX_POINTS) or 1
        place = place[::step]
        rows, columns = np.divmod(place, mask.shape[2])
        pixels.append(_turn_back(columns * DENSE_STRIDE, rows * DENSE_STRIDE, turn, size))
        points.append((low + high) / 2 + values[:, place].T.astype(np.float64) * ((high - low) / 2))
        weights.append(np.exp(2 * certainty[turn].reshape(-1)[place].astype(np.float64)))
    return Correspondences(np.concatenate(pixels), np.concatenate(points), np.concatenate(weights))


def pooled_mask(mask: NDArray) -> NDArray[np.float32]:
    """(S, S) probability that each pixel of the crop shows the object: the mean over the crop's quarter turns.

    mask: (T, h, w) logits, as in `correspondences`
    """
    size = mask.shape[1] * DENSE_STRIDE
    pooled = np.zeros((size, size), np.float32)
    onto_pixels = np.array([[DENSE_STRIDE, 0, 0], [0, DENSE_STRIDE, 0]], np.float64)
    for turn, logits in enumerate(mask.astype(np.float32)):
        probability = cv2.warpAffine(
            1 / (1 + np.exp(-logits)), onto_pixels, (size, size), borderMode=cv2.BORDER_REPLICATE
        )
        pooled += np.rot90(probability, -turn)
    return pooled / np.float32(len(mask))
