"""Where cameras see many points, fast: what `register_depth` projects with."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_regressor.geometry.camera import project_distorted, undistorted
from pose_regressor.types import Camera, FloatArray

Floats = NDArray[np.float32]

#: Pixels around the image for which the table of a distorted lens is made, and the error in it that is accepted.
MARGIN, FOLDED = 8, 1.0


class PinholeLens:
    """Where a camera without distortion sees points."""

    def __init__(self, camera: Camera) -> None:
        self._matrix = camera.matrix.astype(np.float32)

    def project(self, x: Floats, y: Floats, z: Floats) -> tuple[Floats, Floats]:
        (fx, skew, cx), (_, fy, cy) = self._matrix[:2]
        inverse = 1 / z
        a, b = x * inverse, y * inverse
        return (fx * a + skew * b + cx if skew else fx * a + cx), fy * b + cy


class LensTable:
    """Where a distorted camera sees a direction, looked up: a lens's polynomial for each point would take too long.

    The table is in the coordinates (x, y) / (|p| + z), in which the lenses are smooth, also beyond 90 degrees.
    """

    def __init__(self, camera: Camera) -> None:
        seen = _stereographic(with_depth(undistorted(_border(camera), camera)))
        low, high = seen.min(0), seen.max(0)
        width, height = camera.width + 2 * MARGIN, camera.height + 2 * MARGIN
        step = (high - low) / (camera.width, camera.height)
        self._first, self._per_unit = (low - MARGIN * step).astype(np.float32), (1 / step).astype(np.float32)
        x, y = np.meshgrid(self._first[0] + step[0] * np.arange(width), self._first[1] + step[1] * np.arange(height))
        square = x**2 + y**2
        directions = np.stack([2 * x, 2 * y, 1 - square], axis=-1).reshape(-1, 3)
        pixels = project_distorted(np.ascontiguousarray(directions), camera)
        # Far outside, a pinhole's polynomial folds back into the image.
        inside = directions[:, 2] > 0
        rays = np.divide(directions[:, :2], directions[:, 2:], out=np.zeros_like(pixels), where=inside[:, None])
        back = undistorted(np.ascontiguousarray(pixels), camera)
        away = np.abs(back - rays).max(1) * focal_length(camera) > FOLDED * (1 + (rays**2).sum(1))
        pixels[~inside | away] = np.nan
        self._pixels = pixels.reshape(height, width, 2).astype(np.float32)

    def project(self, x: Floats, y: Floats, z: Floats) -> tuple[Floats, Floats]:
        inverse = 1 / (np.sqrt(x * x + y * y + z * z) + z)
        column = (x * inverse - self._first[0]) * self._per_unit[0]
        row = (y * inverse - self._first[1]) * self._per_unit[1]
        pixels = cv2.remap(
            self._pixels, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(np.nan, np.nan)
        )
        return pixels[..., 0], pixels[..., 1]


def focal_length(camera: Camera) -> float:
    """Geometric mean of fx and fy, pixels."""
    return float(np.sqrt(camera.matrix[0, 0] * camera.matrix[1, 1]))


def with_depth(rays: FloatArray) -> FloatArray:
    """(N, 3) x, y, 1 of rays (N, 2)."""
    return np.hstack([rays, np.ones((len(rays), 1))])


def _stereographic(points: FloatArray) -> FloatArray:
    return np.asarray(points[:, :2] / (np.linalg.norm(points, axis=1, keepdims=True) + points[:, 2:]))


def _border(camera: Camera) -> FloatArray:
    """(N, 2) pixels along the image's edge."""
    x, y = np.arange(-1.0, camera.width + 1), np.arange(-1.0, camera.height + 1)
    sides = [np.stack(np.broadcast_arrays(x, edge), axis=-1) for edge in (-1.0, float(camera.height))]
    sides += [np.stack(np.broadcast_arrays(edge, y), axis=-1) for edge in (-1.0, float(camera.width))]
    return np.concatenate(sides)
