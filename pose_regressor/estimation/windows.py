"""From a camera's image to the windows that the network looks at: undistorted, each with its exact intrinsics.

Every image that the runtime gives to a network comes from here. Training renders its windows with the same intrinsics,
which a test compares.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_regressor.geometry.camera import resized_from_image, undistorted, undistortion_maps, window_from_image
from pose_regressor.types import Camera, FloatArray, PartialDepth

#: Most pixels of a window for each pixel of the image, along an edge: more of them would show nothing new.
MOST_ENLARGED = 1.5
#: How much of a distorted image is searched: all but a rim of this share of its size.
RIM = 0.02
#: How far beyond the ideal image, as a share of its size: a lens enlarges what lies farther out of all proportion.
FARTHEST_OUT = 0.5


@dataclass(frozen=True, eq=False)
class Window:
    """The view of an ideal pinhole camera.

    image: (H, W, 3) uint8 RGB
    camera_matrix: (3, 3) of that camera, pixels
    """

    image: NDArray[np.uint8]
    camera_matrix: FloatArray


@dataclass(frozen=True, eq=False)
class DepthWindow:
    """The depth that a window shows. Each pixel repeats the nearest measurement; none is made up between two.

    depth: (H, W) float32 metres along z; 0: not measured
    x, y: (H, W) float32 where the measurement was made, in pixels of the window
    """

    depth: NDArray[np.float32]
    x: NDArray[np.float32]
    y: NDArray[np.float32]


def cut_depth(
    depth: NDArray[np.float32] | PartialDepth, camera: Camera, camera_matrix: FloatArray, size: tuple[int, int]
) -> DepthWindow:
    """The depth of a frame in the view of a window of the same frame.

    depth: (H, W), as in Frame; camera: of the frame
    camera_matrix: (3, 3) of the window; size: its width and height, pixels
    """
    window_from_frame = camera_matrix @ np.linalg.inv(camera.matrix)
    scale = np.float32(window_from_frame[0, 0])
    columns, rows = np.arange(size[0], dtype=np.float32), np.arange(size[1], dtype=np.float32)
    if camera.is_distorted:
        x, y = undistortion_maps(camera, camera.matrix, camera_matrix, size, cv2.CV_32FC1)
    else:  # a row and a column are enough: x does not depend on y
        left, top = window_from_frame[:2, 2].astype(np.float32)
        x, y = (columns - left) / scale, (rows[:, None] - top) / scale
    column, row = np.rint(x), np.rint(y)
    column_inside, row_inside = (column >= 0) & (column < camera.width), (row >= 0) & (row < camera.height)
    inside = row_inside & column_inside
    at = np.where(row_inside, row, 0).astype(np.intp), np.where(column_inside, column, 0).astype(np.intp)
    measured = (_part_at(depth, *at, inside) if isinstance(depth, PartialDepth) else depth)[at]
    measured = np.where(inside & (measured > 0) & (measured < np.inf), measured, np.float32(0))
    # Exact without distortion. With it, the lens's own scale at this place is left out, of half a pixel at most.
    made = columns + (column - x) * scale, rows[:, None] + (row - y) * scale
    return DepthWindow(measured, *(np.ascontiguousarray(np.broadcast_to(at, inside.shape)) for at in made))


def _part_at(
    depth: PartialDepth, row: NDArray[np.intp], column: NDArray[np.intp], wanted: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Depth of the size of the frame's, right at the wanted (H, W) ones of the pixels.

    row, column: (H, W), or (H, 1) and (W,)
    """
    rows, columns = (np.broadcast_to(of, wanted.shape)[wanted] for of in (row, column))
    if not len(rows):
        return depth.part(0, 0, 1, 1)
    return depth.part(int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)


def cut_window(
    image: NDArray[np.uint8], camera: Camera, left: float, top: float, scale: float, size: tuple[int, int]
) -> Window:
    """One window of an image. What lies beyond the image is black.

    left, top: the window's outer corner, in ideal pinhole pixels of the image
    scale: pixels of the window for each of the image's
    size: width and height of the window, pixels
    """
    # If the window is much coarser than the image, averaging whole pixels first keeps fine texture from aliasing.
    shrink = min(max(1, math.floor(1 / scale + 1e-6)), *image.shape[:2])
    source = resized_from_image(1 / shrink) @ camera.matrix
    target = window_from_image(left, top, scale) @ camera.matrix
    if camera.is_distorted:
        maps = undistortion_maps(camera, source, target, size)
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
    """The image with each `shrink` x `shrink` pixels averaged to one, where the window needs it.

    first, last: corners (x, y) of that part, in pixels of the result. Beyond it, but for a few pixels, the result is
    black. What the window shows is the same, bit by bit, as with the whole image averaged.
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
    """The view of a `crop_window` with `zoom` times as many pixels along an edge; None if the image is too coarse."""
    if zoom * window.camera_matrix[0, 0] > MOST_ENLARGED * camera.matrix[0, 0]:
        return None
    return crop_window(image, camera, box, margin, zoom * len(window.image))


def frame_window(image: NDArray[np.uint8], camera: Camera, find_size: int) -> Window:
    """The whole frame, its longer edge scaled to `find_size` pixels, padded to multiples of 32 at the right and below.

    Of a distorted image the window also shows what the lens bends into the image from beyond the ideal one.
    """
    height, width = image.shape[:2]
    scale = find_size / max(height, width)
    first, last = _seen_through(camera) if camera.is_distorted else (np.zeros(2), np.ones(2))
    (left, top), (right, bottom) = (edge * (width, height) - 0.5 for edge in (first, last))
    size = (math.ceil(round((right - left) * scale) / 32) * 32, math.ceil(round((bottom - top) * scale) / 32) * 32)
    return cut_window(image, camera, left, top, scale, size)


def _seen_through(camera: Camera) -> tuple[FloatArray, FloatArray]:
    """The part of the ideal image that holds all that the distorted one shows, and the whole ideal image.

    Its corners (x, y), as shares of the image's width and height.
    """
    size = np.array([camera.width, camera.height])
    along = np.linspace(RIM, 1 - RIM, 17)
    near, far = np.full_like(along, RIM), np.full_like(along, 1 - RIM)
    border = np.concatenate([np.stack(side, 1) for side in ((along, near), (along, far), (near, along), (far, along))])
    rays = undistorted(border * size - 0.5, camera)
    ideal = rays @ camera.matrix[:2, :2].T + camera.matrix[:2, 2]
    shares = np.clip((np.nan_to_num(ideal) + 0.5) / size, -FARTHEST_OUT, 1 + FARTHEST_OUT)
    return np.minimum(shares.min(0), 0), np.maximum(shares.max(0), 1)


def crop_window(image: NDArray[np.uint8], camera: Camera, box: NDArray, margin: float, crop_size: int) -> Window:
    """The square around `box` (4,), x0 y0 x1 y1 in ideal pinhole pixels, in crop_size pixels along an edge.

    margin: its edge over the longer edge of the box
    """
    edge = max(float(max(box[2] - box[0], box[3] - box[1])) * margin, 8.0)
    left, top = (box[:2] + box[2:]) / 2 - edge / 2
    return cut_window(image, camera, left, top, crop_size / edge, (crop_size, crop_size))
