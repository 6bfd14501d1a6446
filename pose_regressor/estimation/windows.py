"""From a camera's image to the windows the network looks at, undistorted, each with its exact intrinsics.

The only preprocessing there is: training imports it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_regressor.geometry.camera import resized_from_image, window_from_image
from pose_regressor.types import Camera, FloatArray

#: A window with more of its pixels to one of the image's shows nothing that a smaller one does not.
MOST_ENLARGED = 1.5
#: What is searched of a distorted image: all but this share of its edges, and no further beyond the ideal image than
#: that share, since what a lens bends so far is enlarged out of all proportion.
RIM, FARTHEST_OUT = 0.02, 0.5


@dataclass(frozen=True, eq=False)
class Window:
    """image: (H, W, 3) uint8 RGB of an ideal pinhole camera; camera_matrix: (3, 3) of that camera."""

    image: NDArray[np.uint8]
    camera_matrix: FloatArray


def cut_window(
    image: NDArray[np.uint8], camera: Camera, left: float, top: float, scale: float, size: tuple[int, int]
) -> Window:
    """The window of `size` (width, height) whose outer corner stands at (left, top) of the image, `scale` of its pixels
    to one of the image's. Parts beyond the image are black.
    """
    # Averaging whole pixels first keeps fine texture from aliasing when the window is much coarser than the image.
    shrink = min(max(1, math.floor(1 / scale + 1e-6)), *image.shape[:2])
    source = resized_from_image(1 / shrink) @ camera.matrix
    target = window_from_image(left, top, scale) @ camera.matrix
    if camera.is_distorted:
        maps = cv2.initUndistortRectifyMap(source, camera.distortion, None, target, size, cv2.CV_16SC2)
        if shrink > 1:
            first, last = (np.array([of(maps[0][..., axis]) for axis in (0, 1)]) for of in (np.min, np.max))
            image = _shrunk(image, shrink, first, last)
        return Window(cv2.remap(image, *maps, cv2.INTER_LINEAR), target)
    warp = (target @ np.linalg.inv(source))[:2]
    if shrink > 1:
        first = np.linalg.inv(warp[:, :2]) @ -warp[:, 2]
        image = _shrunk(image, shrink, first, first + np.array(size) / np.diag(warp))
    return Window(cv2.warpAffine(image, warp, size, flags=cv2.INTER_LINEAR), target)


def _shrunk(image: NDArray[np.uint8], shrink: int, first: NDArray, last: NDArray) -> NDArray[np.uint8]:
    """Each `shrink` x `shrink` pixels averaged to one: those from `first` to `last` (x, y) and the few around them,
    which are all that is looked at. The others are black, and what is looked at is the same to the last bit.
    """
    whole = np.array(image.shape[1::-1]) // shrink
    x0, y0 = np.clip(np.floor(first) - 2, 0, whole - 1).astype(int)
    x1, y1 = np.clip(np.ceil(last) + 3, (x0 + 1, y0 + 1), whole).astype(int)
    shrunk = np.zeros((whole[1], whole[0], 3), np.uint8)
    seen = image[shrink * y0 : shrink * y1, shrink * x0 : shrink * x1]
    cv2.resize(seen, (x1 - x0, y1 - y0), shrunk[y0:y1, x0:x1], interpolation=cv2.INTER_AREA)
    return shrunk


def finer_window(
    window: Window, image: NDArray[np.uint8], camera: Camera, box: NDArray, margin: float, zoom: int
) -> Window | None:
    """The view of a `crop_window` in so many times as many pixels; None where the image has not that much to show."""
    if zoom * window.camera_matrix[0, 0] > MOST_ENLARGED * camera.matrix[0, 0]:
        return None
    return crop_window(image, camera, box, margin, zoom * len(window.image))


def frame_window(image: NDArray[np.uint8], camera: Camera, find_size: int) -> Window:
    """The whole frame, its longer edge `find_size`, padded to multiples of 32 at the right and below; more of it where
    the lens bends what is seen inwards.
    """
    height, width = image.shape[:2]
    scale = find_size / max(height, width)
    first, last = _seen_through(camera) if camera.is_distorted else (np.zeros(2), np.ones(2))
    (left, top), (right, bottom) = (edge * (width, height) - 0.5 for edge in (first, last))
    size = (math.ceil(round((right - left) * scale) / 32) * 32, math.ceil(round((bottom - top) * scale) / 32) * 32)
    return cut_window(image, camera, left, top, scale, size)


def _seen_through(camera: Camera) -> tuple[FloatArray, FloatArray]:
    """The corners (x, y), shares of the image's width and height, of the part of the ideal image that holds all that
    the distorted one shows, and at least as much as without distortion.
    """
    size = np.array([camera.width, camera.height])
    along = np.linspace(RIM, 1 - RIM, 17)
    near, far = np.full_like(along, RIM), np.full_like(along, 1 - RIM)
    border = np.concatenate([np.stack(side, 1) for side in ((along, near), (along, far), (near, along), (far, along))])
    pixels = (border * size - 0.5)[:, None]
    ideal = cv2.undistortPoints(pixels, camera.matrix, camera.distortion, P=camera.matrix)[:, 0]
    shares = np.clip((np.nan_to_num(ideal) + 0.5) / size, -FARTHEST_OUT, 1 + FARTHEST_OUT)
    return np.minimum(shares.min(0), 0), np.maximum(shares.max(0), 1)


def crop_window(image: NDArray[np.uint8], camera: Camera, box: NDArray, margin: float, crop_size: int) -> Window:
    """The square around `box` (4,), x0 y0 x1 y1 in ideal pinhole pixels: `margin` times as wide as its longer edge."""
    edge = max(float(max(box[2] - box[0], box[3] - box[1])) * margin, 8.0)
    left, top = (box[:2] + box[2:]) / 2 - edge / 2
    return cut_window(image, camera, left, top, crop_size / edge, (crop_size, crop_size))
