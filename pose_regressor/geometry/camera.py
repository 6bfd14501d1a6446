"""Projection into images, and windows cut out of them. Pixel centres have integer coordinates: an image spans
[-0.5, width - 0.5].
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_regressor.types import Camera, FloatArray


def project(points: NDArray, camera_matrix: FloatArray, least_depth: float = -np.inf) -> FloatArray:
    """(..., N, 2) ideal pinhole pixels of points (..., N, 3) in the camera's frame; camera_matrix: (..., 3, 3).

    Depths below least_depth, metres, count as that. Without it, points behind the camera are mirrored.
    """
    image = points @ np.swapaxes(camera_matrix, -1, -2)
    return np.asarray(image[..., :2] / np.maximum(image[..., 2:], least_depth))


def project_distorted(points: FloatArray, camera: Camera) -> FloatArray:
    """(N, 2) pixels of the camera's own image of points (N, 3) in its frame, with its lens distortion (OpenCV's)."""
    distortion = camera.distortion if camera.is_distorted else None
    pixels, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), camera.matrix, distortion)
    return np.asarray(pixels.reshape(-1, 2), np.float64)


def window_from_image(left: float, top: float, scale: float) -> FloatArray:
    """(3, 3) map from pixels of an image to pixels of a window in it.

    left, top: the window's outer corner, in pixels of the image (-0.5 is the image's own outer corner); scale: pixels
    of the window for each of the image's. ``window_from_image(...) @ K`` is the window's exact intrinsic matrix.
    """
    return np.array([[scale, 0, -scale * left - 0.5], [0, scale, -scale * top - 0.5], [0, 0, 1]])


def resized_from_image(scale: float) -> FloatArray:
    """(3, 3) map of pixels when a whole image is resized: outer corners stay outer corners."""
    return window_from_image(-0.5, -0.5, scale)
