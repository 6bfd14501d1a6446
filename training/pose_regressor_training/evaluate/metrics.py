"""Pose errors, as BOP and the papers define them. Poses are (4, 4) cam_from_obj, lengths in metres."""

from __future__ import annotations

from numpy.typing import NDArray
from scipy.spatial import cKDTree

from pose_regressor.geometry.errors import add as add
from pose_regressor.geometry.errors import rotation_error as rotation_error
from pose_regressor.geometry.rigid import apply


def add_s(estimate: NDArray, truth: NDArray, points: NDArray) -> float:
    """Mean distance of each point under the true pose to the nearest under the estimate, for symmetric objects."""
    return float(cKDTree(apply(estimate, points)).query(apply(truth, points))[0].mean())
