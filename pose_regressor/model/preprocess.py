"""From a camera's image to the windows the network looks at, undistorted, each with its exact intrinsics.

The only preprocessing there is: training imports it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_regressor.types import Camera, FloatArray

#: A window with more of its pixels to one of the image's shows nothing that a smaller one does not.
MOST_ENLARGED = 1.5


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
    source = resize_matrix(1 / shrink) @ camera.matrix
    window_from_image = np.array([[scale, 0, -scale * left - 0.5], [0, scale, -scale * top - 0.5], [0, 0, 1]])
    target = window_from_image @ camera.matrix
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


def resize_matrix(scale: float) -> FloatArray:
    """(3, 3) map of pixel coordinates when an image is resized: half a pixel stays half a pixel."""
    return np.array([[scale, 0, scale / 2 - 0.5], [0, scale, scale / 2 - 0.5], [0, 0, 1]])


def frame_window(image: NDArray[np.uint8], camera: Camera, find_size: int) -> Window:
    """The whole frame, its longer edge `find_size`, padded to multiples of 32 at the right and below."""
    height, width = image.shape[:2]
    scale = find_size / max(height, width)
    size = (math.ceil(round(width * scale) / 32) * 32, math.ceil(round(height * scale) / 32) * 32)
    return cut_window(image, camera, -0.5, -0.5, scale, size)


def crop_window(image: NDArray[np.uint8], camera: Camera, box: NDArray, margin: float, crop_size: int) -> Window:
    """The square around `box` (4,), x0 y0 x1 y1 in ideal pinhole pixels: `margin` times as wide as its longer edge."""
    edge = max(float(max(box[2] - box[0], box[3] - box[1])) * margin, 8.0)
    left, top = (box[:2] + box[2:]) / 2 - edge / 2
    return cut_window(image, camera, left, top, crop_size / edge, (crop_size, crop_size))
