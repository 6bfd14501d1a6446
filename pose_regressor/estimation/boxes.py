"""Boxes x0, y0, x1, y1 in the image: where poses put objects, and which poses are of the same object."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pose_regressor.geometry.camera import project_distorted
from pose_regressor.geometry.rigid import apply
from pose_regressor.types import Camera, FloatArray, ObjectModel, PoseEstimate

#: Least presence of a peak of the box head that is looked at. Where an object is known already, others of its kind must
#: show more clearly.
FIND_THRESHOLD, FIND_MORE_THRESHOLD = 0.1, 0.4
#: Most peaks of each object that are looked at.
MAX_CANDIDATES = 4
#: Two boxes are at the same place if they share more than this part of the smaller one.
SHARED = 0.5


def map_box(matrix: FloatArray, box: NDArray) -> FloatArray:
    """(4,) a box (4,) under a homography (3, 3) that only shifts and scales."""
    corners = matrix @ np.array([[box[0], box[2]], [box[1], box[3]], [1, 1]])
    return (corners[:2] / corners[2]).T.reshape(4)


def image_box(model: ObjectModel, cam_from_obj: FloatArray, camera: Camera) -> FloatArray:
    """(4,) around the object's points under a pose, in pixels of the camera's own, perhaps distorted image."""
    if not camera.is_distorted:
        return ideal_box(model, cam_from_obj, camera)
    pixels = project_distorted(apply(cam_from_obj, model.points), camera)
    return np.concatenate([pixels.min(0), pixels.max(0)])


def ideal_box(model: ObjectModel, cam_from_obj: FloatArray, camera: Camera) -> FloatArray:
    """(4,) the same in ideal pinhole pixels, which windows are cut in: those of the camera without its distortion."""
    image_from_obj = camera.matrix @ cam_from_obj[:3]
    x, y, depth = image_from_obj[:, :3] @ model.points.T + image_from_obj[:, 3:]
    x, y = x / depth, y / depth
    return np.array([x.min(), y.min(), x.max(), y.max()])


def distinct(estimates: list[PoseEstimate]) -> list[PoseEstimate]:
    """Best score first, without duplicates.

    Two poses of an object are duplicates if they are less than half its diameter apart, or seen mostly in the same
    pixels.
    """
    kept: list[PoseEstimate] = []
    for estimate in sorted(estimates, key=lambda e: -e.score):
        same = [e for e in kept if e.model is estimate.model]
        if not any(
            np.linalg.norm(e.translation - estimate.translation) < e.model.diameter / 2
            or (e.box is not None and estimate.box is not None and same_place(e.box, estimate.box))
            for e in same
        ):
            kept.append(estimate)
    return kept


def same_place(a: NDArray, b: NDArray) -> bool:
    """Whether two boxes (4,) are seen mostly in the same pixels."""
    return shared_area(a, b) > SHARED


def shared_area(a: NDArray, b: NDArray) -> float:
    """Area of the intersection of two boxes (4,) over the area of the smaller one."""
    edges = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    smaller = min(np.prod(a[2:] - a[:2]), np.prod(b[2:] - b[:2]))
    return float(np.prod(edges.clip(0)) / max(smaller, 1e-9))


def overlap(a: NDArray, b: NDArray) -> float:
    """Area of the intersection of two boxes (4,) over the area of their union."""
    edges = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    both = float(np.prod(edges.clip(0)))
    return both / max(float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - both, 1e-9)
