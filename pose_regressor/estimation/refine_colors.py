"""Refine a pose on the object's colours: the mesh's coloured surface is aligned with what the camera saw.

This is direct alignment of sparse points (Engel, Koltun, Cremers, Direct Sparse Odometry, PAMI 40(3), 2018) against the
mesh in place of an earlier image. Light and camera are unknown, so every step fits and eliminates them: the light as
irradiance that is quadratic in the normal (the three bands of Ramamoorthi and Hanrahan, SIGGRAPH 2001); the camera as
a mixing of its three colours, a curve, and a veil, which adds the same everywhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_regressor.color import srgb_table
from pose_regressor.estimation.least_squares import stepped
from pose_regressor.estimation.light_fit import LIGHTS, LightFit
from pose_regressor.geometry.camera import resized_from_image
from pose_regressor.types import FloatArray, ObjectModel

#: Image and surface are compared in several blurs, one after another: coarse ones reach far, fine ones are exact. Their
#: standard deviations, as shares of the crop's edge; and the object's diameter, as a share of that edge, that surfaces
#: are blurred for.
BLURS, DIAMETER = (0.0195, 0.0094, 0.0047), 0.711
#: Points of the surface that are compared in each blur, from the first one on.
POINTS = (1000, 2000, 3000)
#: From the blur of this number on, the crop's finer image is compared; its edge has this many times as many pixels.
FINE, ZOOM = 2, 2
#: Gauss-Newton steps in each blur.
STEPS_EACH = (2, 3, 2)
#: A point is compared if the cosine between its normal and the direction of the camera is at least this, and if the
#: network sees it there to within this share of the diameter.
FACING, SAME = 0.1, 0.15
#: Pixels of the crop nearer than this to the edge of the mask are neither compared nor blurred into others: light from
#: behind the object, brighter or darker, would pull its outline inwards and the object away.
INSIDE = 2.5
#: Least points that are compared.
MIN_POINTS = 60
#: Values are compared as linear light to this power. It lies between light itself, in which shading is exact, and the
#: codes of pictures, in which a camera's own curve and highlights do the least harm.
TONE = 0.7
#: A pose is not moved by more than this many of its standard deviations.
FARTHEST = 4.0

TONES = srgb_table() ** np.float32(TONE)


@dataclass(frozen=True, eq=False)
class Surface:
    """The part of an object that is compared.

    points: (3, N) metres, object frame, in the order in which they are compared
    normals: (3, N) unit vectors, object frame
    levels: for each blur (3, LIGHTS, N), what each light may add to each of the camera's colours; see `_lights`
    reach: how far from a point, metres, the network may see it
    """

    points: NDArray[np.float32]
    normals: NDArray[np.float32]
    levels: tuple[NDArray[np.float32], ...]
    reach: float

    @classmethod
    def of(cls, model: ObjectModel) -> Surface | None:
        """None if the object has no coloured surface."""
        if not len(model.surface):
            return None
        points, normals = np.ascontiguousarray(model.surface.T, np.float32).reshape(2, 3, -1)
        levels = [
            _lights(model.colors[:count, level] ** TONE, normals[:, :count])
            for level, count in zip(range(model.colors.shape[1]), POINTS, strict=False)
        ]
        return cls(points, normals, tuple(levels), SAME * model.diameter)


@dataclass(frozen=True, eq=False)
class Crop:
    """A crop and what the network says of it.

    image: (S, S, 3) uint8 RGB
    inside: (S, S) distance from each pixel to the nearest one that does not show the object, pixels
    coordinates: (h, w, 3) metres, object frame, of every S/w-th pixel
    fine: (ZOOM S, ZOOM S, 3) the same view; None if the camera did not see that much
    """

    image: NDArray[np.uint8]
    inside: NDArray[np.float32]
    coordinates: NDArray[np.floating]
    fine: NDArray[np.uint8] | None = None

    @classmethod
    def of(
        cls,
        image: NDArray[np.uint8],
        probability: NDArray[np.float32],
        coordinates: NDArray,
        model: ObjectModel,
        fine: NDArray[np.uint8] | None = None,
    ) -> Crop:
        """probability: (S, S) that each pixel shows the object; coordinates: (3, h, w) as in PoseOutput."""
        low, high = model.bounds.astype(np.float32)
        shown = (probability > 0.5).astype(np.uint8)
        inside = cv2.distanceTransform(shown, cv2.DIST_L2, 5)
        metres = (low + high) / 2 + coordinates.transpose(1, 2, 0) * ((high - low) / 2)
        return cls(image, inside, metres, fine)


def refine_on_colors(
    cam_from_obj: FloatArray, covariance: FloatArray, camera_matrix: FloatArray, crop: Crop, surface: Surface
) -> tuple[FloatArray, FloatArray]:
    """The most likely pose, and its covariance, given the colours of the crop.

    cam_from_obj: (4, 4) and covariance: (6, 6), of the pose before, as in PoseEstimate; both come back unchanged if too
        little of the surface is seen or if it contradicts them
    camera_matrix: (3, 3) of the crop
    """
    before = np.linalg.inv(covariance)
    pose, shift, information = cam_from_obj, np.zeros(6), before
    strengths: NDArray[np.floating] | None = None
    for level, lights in enumerate(surface.levels):
        image, zoom = (crop.image, 1) if level < FINE else (crop.fine, ZOOM)
        if image is None:
            break
        chosen = _visible(pose, camera_matrix, crop, surface, lights.shape[2])
        if len(chosen) < MIN_POINTS:
            return cam_from_obj, covariance
        maps, corner = _with_slopes(image, crop.inside > INSIDE, zoom * BLURS[level] * len(crop.image))
        matrix = resized_from_image(zoom) @ camera_matrix
        matrix[:2, 2] -= corner
        fit = LightFit.of(surface.points.take(chosen, axis=1), lights.take(chosen, axis=2), strengths)
        for _ in range(STEPS_EACH[level]):
            slope, curvature = fit.at(pose, matrix, maps)
            information = before + curvature
            step = np.linalg.solve(information, -slope - before @ shift)
            shift = shift + step
            pose = stepped(pose, step)
        strengths = fit.strengths
    if not shift @ before @ shift <= FARTHEST**2:  # also rejects NaN
        return cam_from_obj, covariance
    return pose, np.linalg.inv(information)


def _visible(
    pose: FloatArray, camera_matrix: FloatArray, crop: Crop, surface: Surface, count: int
) -> NDArray[np.int64]:
    """Which of the first `count` points of the surface are seen: facing the camera, and where the network sees them."""
    points, normals = surface.points[:, :count], surface.normals[:, :count]
    nowhere = np.zeros(0, np.int64)
    # In the object's frame, so that no point has to be turned.
    to_camera = (-pose[:3, :3].T @ pose[:3, 3]).astype(np.float32)[:, None] - points
    chosen = np.flatnonzero((normals * to_camera).sum(0) > FACING * np.sqrt(np.square(to_camera).sum(0)))
    if not len(chosen):
        return nowhere
    points = points.take(chosen, axis=1)
    x, y, depth = pose[:3, :3].astype(np.float32) @ points + pose[:3, 3:].astype(np.float32)
    if depth.min() <= 0:
        return nowhere
    size = len(crop.image)
    (fx, _, cx), (_, fy, cy), _ = camera_matrix.astype(np.float32)
    column, row = fx * x / depth + cx, fy * y / depth + cy
    within = np.flatnonzero((np.minimum(column, row) > 1) & (np.maximum(column, row) < size - 2))
    column, row = np.rint(column[within]).astype(np.intp), np.rint(row[within]).astype(np.intp)
    step = size // len(crop.coordinates)
    apart = crop.coordinates[row // step, column // step].T - points.take(within, axis=1)
    seen = (crop.inside[row, column] > INSIDE) & (np.square(apart).sum(0) < surface.reach**2)
    return chosen[within[seen]]


def _lights(colors: FloatArray, normals: NDArray[np.float32]) -> NDArray[np.float32]:
    """(3, LIGHTS, N) what each point may add to each of the camera's three colours.

    Nine bands of light, the other two colours, its own colour squared, and a row of ones, for the veil.

    colors: (N, 3) and normals: (3, N) of the points
    """
    x, y, z = normals
    # In the object's axes, not the camera's: a turned band is a mixture of the bands of its order.
    bands = np.stack([np.ones_like(x), x, y, z, x * y, x * z, y * z, (z * z - 1 / 3) * 0.75**0.5, (x * x - y * y) / 2])
    own = colors.T[:, None]
    others = [np.roll(own, turn, axis=0) for turn in (1, 2)]
    lights = np.concatenate([own * bands, *others, own**2, np.ones_like(own)], axis=1).astype(np.float32)
    assert lights.shape[1] == LIGHTS
    return lights


def _with_slopes(
    image: NDArray[np.uint8], counted: NDArray[np.bool_], blur: float
) -> tuple[list[NDArray[np.float32]], tuple[int, int]]:
    """Three maps (h, w, 3) of the part of the image that counts: blurred colours, their slope to the right, their slope
    downwards. And the pixel (x, y) at which that part begins.

    counted: (S, S), which pixels of the crop count; the image may have several pixels for each. Only those are blurred
    into each other. blur: standard deviation, pixels of the image.
    """
    zoom, radius = len(image) // len(counted), math.ceil(3 * blur)
    margin, kernel = -(-radius // zoom), (2 * radius + 1, 2 * radius + 1)
    x, y, width, height = cv2.boundingRect(counted.view(np.uint8))
    left, top = max(x - margin, 0), max(y - margin, 0)
    share = counted[top : y + height + margin, left : x + width + margin].astype(np.float32)
    if zoom > 1:
        share = cv2.resize(share, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_NEAREST)
    left, top = zoom * left, zoom * top
    part = image[top : top + share.shape[0], left : left + share.shape[1]]
    tones = cv2.GaussianBlur(cv2.multiply(cv2.LUT(part, TONES), cv2.merge([share] * 3)), kernel, blur)
    blurred = cv2.max(cv2.GaussianBlur(share, kernel, blur), 1e-3)
    tones = cv2.divide(tones, cv2.merge([blurred] * 3))
    slopes = [cv2.Sobel(tones, cv2.CV_32F, 1 - down, down, ksize=3, scale=1 / 8) for down in (0, 1)]
    return [tones, *slopes], (left, top)
