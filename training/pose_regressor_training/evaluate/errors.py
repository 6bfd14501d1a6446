"""Errors of one pose against a true one, up to the object's symmetries. Poses (4, 4) cam_from_obj, lengths in metres.

MSSD and MSPD: Hodaň et al., BOP Challenge 2020 on 6D Object Localization (ECCVW 2020), section 2.2. ADD without
symmetries is in `pose_regressor.geometry.errors`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError, cKDTree

from pose_regressor.geometry.camera import project
from pose_regressor.geometry.rigid import apply
from pose_regressor.types import FloatArray

#: Poses compared at a time, of the hundreds that a continuous symmetry gives: their points fit in a cache.
_AT_A_TIME = 16


def add_s(estimate: FloatArray, truth: FloatArray, points: FloatArray) -> float:
    """Mean distance in metres from each of the points (N, 3) under the true pose to the nearest one under the estimate.

    The error of symmetric objects (Hinterstoisser et al., ACCV 2012).
    """
    return float(cKDTree(apply(estimate, points)).query(apply(truth, points))[0].mean())


def hull_of(points: FloatArray) -> FloatArray:
    """(H, 3) of the points (V, 3): the corners of their convex hull.

    How far a rigid motion moves a point is a convex function of the point, so a corner moves farthest.
    """
    try:
        return points[ConvexHull(points).vertices]
    except QhullError:  # a flat object has no hull
        return points


def mssd_each(estimate: FloatArray, truth: FloatArray, hull: FloatArray, symmetries: FloatArray) -> FloatArray:
    """(S,) largest distance of a surface point between the estimate and each of the poses that equal the true one.

    hull: (H, 3), see `hull_of`
    symmetries: (S, 4, 4), the identity among them

    MSSD is the smallest of the S distances.
    """
    here = np.concatenate([hull, np.ones((len(hull), 1))], axis=1)
    largest = [
        np.linalg.norm((estimate - some)[:, :3] @ here.T, axis=1).max(1)
        for some in _in_parts(truth @ symmetries)
    ]  # fmt: skip
    return np.concatenate(largest)


def mspd(
    estimate: FloatArray, truth: FloatArray, points: FloatArray, symmetries: FloatArray, camera_matrix: FloatArray
) -> float:
    """Maximum symmetry-aware projection distance in pixels of the points (V, 3), seen by the camera (3, 3)."""
    seen = _image(camera_matrix, estimate, points)
    return min(
        float(np.linalg.norm(_image(camera_matrix, some, points) - seen, axis=-1).max(1).min())
        for some in _in_parts(truth @ symmetries)
    )


def _in_parts(poses: FloatArray) -> list[FloatArray]:
    return np.split(poses, range(_AT_A_TIME, len(poses), _AT_A_TIME))


def _image(camera_matrix: FloatArray, poses: FloatArray, points: NDArray) -> FloatArray:
    """(..., V, 2) pixels of points (V, 3) under poses (..., 4, 4)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        pixels = project(apply(poses, points), camera_matrix)
    # A wrong pose may put a point into the plane of the camera's centre, where it has no image.
    return np.where(np.isnan(pixels), np.inf, pixels)
