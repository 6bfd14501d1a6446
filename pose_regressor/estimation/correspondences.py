"""From the network's maps of a crop to 2D-3D correspondences and one mask, pooled over the crop's quarter turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_regressor.network.config import DENSE_STRIDE
from pose_regressor.types import FloatArray, ObjectModel

#: Most correspondences that RANSAC gets. More of them, from the same neighbourhoods, add time but no accuracy.
MAX_POINTS = 1024
#: OpenCV's codes for one, two and three quarter turns, counter-clockwise.
TURNS = (cv2.ROTATE_90_COUNTERCLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_CLOCKWISE)


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


def quarter_turns(images: Sequence[NDArray], turns: int) -> NDArray:
    """B images (S, S, 3) -> (turns * B, 3, S, S): all images as they are, then turned by 90 degrees, by 180, by 270.

    Quarter turns lose nothing, and the network errs differently in each: pooling its answers is the cheapest way to a
    better pose.
    """
    size = len(images[0])
    batch = np.empty((turns, len(images), 3, size, size), images[0].dtype)
    for number, image in enumerate(images):
        for turn in range(turns):
            turned = cv2.rotate(image, TURNS[turn - 1]) if turn else image
            for channel, values in zip(batch[turn, number], cv2.split(turned), strict=True):
                channel[:] = values
    return batch.reshape(-1, 3, size, size)


@lru_cache(8)
def _pixels_of_cells(turns: int, size: int) -> FloatArray:
    """(T, size * size, 2) pixels (x, y) of the crop as it is that the cells of its turned maps show, row by row.

    size: of the maps
    """
    rows, columns = np.divmod(np.arange(size * size), size) * np.array(DENSE_STRIDE)
    last = size * DENSE_STRIDE - 1
    turned = [(columns, rows), (last - rows, columns), (last - columns, last - rows), (rows, last - columns)]
    pixels = np.stack([np.stack(x_y, -1) for x_y in turned[:turns]]).astype(np.float64)
    pixels.flags.writeable = False
    return pixels


def correspondences(coordinates: NDArray, mask: NDArray, certainty: NDArray, model: ObjectModel) -> Correspondences:
    """The correspondences of a crop and its quarter turns, pooled. Each turn is thinned to its share of MAX_POINTS.

    coordinates: (T, 3, h, w) in [-1, 1], for each of T <= 4 quarter turns in their order, as in PoseOutput
    mask: (T, h, w) logits
    certainty: (T, h, w) as in PoseOutput
    """
    turns, size = mask.shape[:2]
    low, high = model.bounds
    places = [np.flatnonzero(shown) for shown in mask > 0]
    places = [place[:: -(-len(place) * turns // MAX_POINTS) or 1] for place in places]
    cells = np.concatenate(places)
    turn = np.repeat(np.arange(turns), [len(place) for place in places])
    values = coordinates.reshape(turns, 3, -1)[turn, :, cells].astype(np.float64)
    points = (low + high) / 2 + values * ((high - low) / 2)
    weights = np.exp(2 * certainty.reshape(turns, -1)[turn, cells].astype(np.float64))
    return Correspondences(_pixels_of_cells(turns, size)[turn, cells], points, weights)


def pooled_mask(mask: NDArray) -> NDArray[np.float32]:
    """(S, S) probability that each pixel of the crop shows the object: the mean over the crop's quarter turns.

    mask: (T, h, w) logits, as in `correspondences`
    """
    pooled, *others = _between(np.reciprocal(1 + np.exp(-mask.astype(np.float32, copy=False))))
    for probability, back in zip(others, reversed(TURNS), strict=False):
        pooled += cv2.rotate(probability, back)
    return np.asarray(pooled / np.float32(len(mask)))


def _between(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """(T, 2 h, 2 w) maps (T, h, w) at twice as many pixels, bilinear. The last row and column are repeated."""
    count, height, width = maps.shape
    wide = np.empty((count, height, width * DENSE_STRIDE), np.float32)
    wide[..., ::2] = maps
    wide[..., 1:-1:2] = (maps[..., 1:] + maps[..., :-1]) * np.float32(0.5)
    wide[..., -1] = maps[..., -1]
    whole = np.empty((count, height * DENSE_STRIDE, width * DENSE_STRIDE), np.float32)
    whole[:, ::2] = wide
    whole[:, 1:-1:2] = (wide[:, 1:] + wide[:, :-1]) * np.float32(0.5)
    whole[:, -1] = wide[:, -1]
    return whole
