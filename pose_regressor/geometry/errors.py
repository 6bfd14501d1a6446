"""How far a pose is from the true one, as BOP and the papers define it. Poses are (4, 4) cam_from_obj, in metres."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pose_regressor.geometry.rigid import apply
from pose_regressor.geometry.so3 import angle


def add(estimate: NDArray, truth: NDArray, points: NDArray) -> float:
    """ADD: mean distance of the object's points (N, 3) under both poses, metres (Hinterstoisser et al., ACCV 2012)."""
    return float(np.linalg.norm(apply(estimate, points) - apply(truth, points), axis=1).mean())


def rotation_error(estimate: NDArray, truth: NDArray) -> float:
    """Angle in radians between the two rotations."""
    return angle(estimate[:3, :3] @ truth[:3, :3].T)


def translation_error(estimate: NDArray, truth: NDArray) -> float:
    """Distance in metres between the two origins."""
    return float(np.linalg.norm(estimate[:3, 3] - truth[:3, 3]))
