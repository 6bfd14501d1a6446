"""Projection into images, and windows cut out of them. Pixel centres have integer coordinates: an image spans
[-0.5, width - 0.5].
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_regressor.types import Camera, FloatArray

#: Largest angle to the axis, radians, of a fisheye's rays that are given in a pinhole's coordinates: 89 degrees.
WIDEST = np.radians(89.0)
#: Of the angle to the axis, in a fisheye's polynomial.
_POWERS = np.array([3, 5, 7, 9])


def project(points: NDArray, camera_matrix: FloatArray, least_depth: float = -np.inf) -> FloatArray:
    """(..., N, 2) ideal pinhole pixels of points (..., N, 3) in the camera's frame; camera_matrix: (..., 3, 3).

    Depths below least_depth, metres, count as that. Without it, points behind the camera are mirrored.
    """
    image = points @ np.swapaxes(camera_matrix, -1, -2)
    return np.asarray(image[..., :2] / np.maximum(image[..., 2:], least_depth))


def project_distorted(points: FloatArray, camera: Camera) -> FloatArray:
    """(N, 2) pixels of the camera's own image of points (N, 3) in its frame, with its lens distortion.

    As OpenCV's projectPoints. A fisheye's are cv2.fisheye's, with two differences: points behind the camera are not
    mirrored to its front, and what lies beyond the lens's largest angle appears at that angle.
    """
    if camera.is_fisheye:
        radius = np.linalg.norm(points[:, :2], axis=1)
        angle = np.minimum(np.arctan2(radius, points[:, 2]), _largest_angle(camera))
        length = np.divide(_bent(angle, camera), radius, out=np.zeros_like(radius), where=radius > 0)
        return np.asarray(points[:, :2] * length[:, None] @ camera.matrix[:2, :2].T + camera.matrix[:2, 2])
    distortion = camera.distortion if camera.is_distorted else None
    pixels, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), camera.matrix, distortion)
    return np.asarray(pixels.reshape(-1, 2), np.float64)


def undistorted(pixels: FloatArray, camera: Camera) -> FloatArray:
    """(N, 2) x / z and y / z of the rays of pixels (N, 2) of the camera's own image: `project_distorted` inverted.

    A pinhole sees less than 90 degrees from its axis. What a fisheye sees beyond `WIDEST` is given at that angle.
    """
    if not camera.is_fisheye:
        distortion = camera.distortion if camera.is_distorted else None
        return np.asarray(cv2.undistortPoints(pixels[:, None], camera.matrix, distortion)[:, 0], np.float64)
    bent = (pixels - camera.matrix[:2, 2]) @ np.linalg.inv(camera.matrix[:2, :2]).T
    radius = np.linalg.norm(bent, axis=1)
    # Up to the largest angle the bent angle grows with the true one. A table inverts it, two Newton steps refine that.
    table = np.linspace(0, min(_largest_angle(camera), WIDEST), 1000)
    angle = np.interp(radius, _bent(table, camera), table)
    for _ in range(2):
        angle = np.clip(angle - (_bent(angle, camera) - radius) / np.maximum(_slope(angle, camera), 1e-3), 0, table[-1])
    length = np.divide(np.tan(angle), radius, out=np.ones_like(radius), where=radius > 0)
    return np.asarray(bent * length[:, None])


def undistortion_maps(
    camera: Camera, source: FloatArray, target: FloatArray, size: tuple[int, int], kind: int = cv2.CV_16SC2
) -> tuple[NDArray, NDArray]:
    """OpenCV's maps for `cv2.remap`: where in the camera's image each pixel of a pinhole's window is seen.

    source, target: (3, 3) intrinsics of the camera's image, perhaps resized, and of the window
    size: width and height of the window, pixels
    kind: of the maps: CV_16SC2, which is fast, or CV_32FC1, which is x and y
    Rays beyond a fisheye's largest angle point outside the image, so that they stay black.
    """
    if not camera.is_fisheye:
        return cv2.initUndistortRectifyMap(source, camera.distortion, None, target, size, kind)
    first, second = cv2.fisheye.initUndistortRectifyMap(source, camera.distortion, np.eye(3), target, size, kind)
    if (limit := _largest_angle(camera)) < np.pi / 2:
        columns, rows = (np.arange(length) for length in size)
        x, y = (columns - target[0, 2]) / target[0, 0], (rows - target[1, 2]) / target[1, 1]
        first[x**2 + y[:, None] ** 2 > np.tan(limit) ** 2] = -2  # with all its neighbours outside
    return first, second


def _bent(angle: FloatArray, camera: Camera) -> FloatArray:
    """Distance from the principal point, in focal lengths, at which a fisheye shows an angle to its axis (radians).

    Kannala and Brandt's polynomial, as cv2.fisheye has it.
    """
    return np.asarray(angle + angle[:, None] ** _POWERS @ camera.distortion)


def _slope(angle: FloatArray, camera: Camera) -> FloatArray:
    """The derivative of `_bent`."""
    return np.asarray(1 + angle[:, None] ** (_POWERS - 1) @ (_POWERS * camera.distortion))


def _largest_angle(camera: Camera) -> float:
    """The angle (radians, at most pi) from which on a fisheye's polynomial would fold rays back into the image."""
    angles = np.linspace(0, np.pi, 2000)
    falling = np.flatnonzero(_slope(angles, camera) <= 0)
    return float(angles[falling[0] - 1] if len(falling) else np.pi)


def window_from_image(left: float, top: float, scale: float) -> FloatArray:
    """(3, 3) map from pixels of an image to pixels of a window in it.

    left, top: the window's outer corner, in pixels of the image (-0.5 is the image's own outer corner); scale: pixels
    of the window for each of the image's. ``window_from_image(...) @ K`` is the window's exact intrinsic matrix.
    """
    return np.array([[scale, 0, -scale * left - 0.5], [0, scale, -scale * top - 0.5], [0, 0, 1]])


def resized_from_image(scale: float) -> FloatArray:
    """(3, 3) map of pixels when a whole image is resized: outer corners stay outer corners."""
    return window_from_image(-0.5, -0.5, scale)
