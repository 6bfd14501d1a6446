"""Errors of one pose against a true one, up to the object's symmetries. Poses (4, 4) cam_from_obj, lengths in metres.

MSSD and MSPD: Hodaň et al., BOP Challenge 2020 on 6D Object Localization (ECCVW 2020), section 2.2. ADD without
symmetries is in `pose_regressor.geometry.errors`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError, cKDTree

from pose_regressor.types import FloatArray

#: Of a continuous symmetry's hundreds of turns so many are compared at a time: as many projected points fit in a cache.
_AT_A_TIME = 16


def add_s(estimate: FloatArray, truth: FloatArray, points: FloatArray) -> float:
    """Mean distance in metres from each of the points (N, 3) under the true pose to the nearest one under the estimate.

    The error of symmetric objects (Hinterstoisser et al., ACCV 2012).
    """
    here = cKDTree(points @ estimate[:3, :3].T + estimate[:3, 3])
    return float(here.query(points @ truth[:3, :3].T + truth[:3, 3])[0].mean())


def hull_of(points: FloatArray) -> FloatArray:
    """(H, 3) of the points (V, 3), the corners of their convex hull: none other can be the farthest from where another
    rigid motion puts it, as that distance is a convex function of the point."""
    try:
        return points[ConvexHull(points).vertices]
    except QhullError:  # a flat object has no hull
        return points


def mssd_each(estimate: FloatArray, truth: FloatArray, hull: FloatArray, symmetries: FloatArray) -> FloatArray:
    """(S,) largest distances of a surface point under the estimate and under each of the poses equal to the true one.

    hull: (H, 3), see `hull_of`; symmetries: (S, 4, 4), the identity among them. MSSD is the smallest of them.
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
    here = np.concatenate([points, np.ones((len(points), 1))], axis=1).T
    seen = _project(camera_matrix, estimate[None], here)
    return min(
        float(np.linalg.norm(_project(camera_matrix, some, here) - seen, axis=1).max(1).min())
        for some in _in_parts(truth @ symmetries)
    )


def _in_parts(poses: FloatArray) -> list[FloatArray]:
    return np.split(poses, range(_AT_A_TIME, len(poses), _AT_A_TIME))


def _project(camera_matrix: FloatArray, poses: FloatArray, points: NDArray) -> FloatArray:
    """Homogeneous points (4, V) under poses (S, 4, 4) -> pixels (S, 2, V)."""
    pixels = (camera_matrix @ poses[:, :3]) @ points
    with np.errstate(divide="ignore", invalid="ignore"):
        seen = pixels[:, :2] / pixels[:, 2:]
    # A point that a wrong pose puts into the plane of the camera's centre is seen nowhere.
    return np.where(np.isnan(seen), np.inf, seen)
