"""Pose errors, as BOP and the papers define them. Poses are (4, 4) cam_from_obj, lengths in metres."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def _apply(pose: NDArray, points: NDArray) -> NDArray:
    return points @ pose[:3, :3].T + pose[:3, 3]


def add(estimate: NDArray, truth: NDArray, points: NDArray) -> float:
    """Mean distance of the model's points (N, 3) under both poses (Hinterstoisser et al., ACCV 2012)."""
    return float(np.linalg.norm(_apply(estimate, points) - _apply(truth, points), axis=1).mean())


def rotation_error(estimate: NDArray, truth: NDArray) -> float:
    """Angle in radians between the two rotations."""
    relative = estimate[:3, :3] @ truth[:3, :3].T
    skew = relative - relative.T
    return float(np.arctan2(np.linalg.norm(skew[[2, 0, 1], [1, 2, 0]]), np.trace(relative) - 1))
