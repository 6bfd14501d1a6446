"""Rigid transforms as (4, 4) matrices named ``to_from_from``: ``apply(cam_from_obj, obj_points)``. NumPy, float64.

Small motions are vectors (6,): a shift (m), then a rotation vector (rad), along and about the axes of the frame that
the transform leads to. Position and rotation move independently: the composite ⟨R³, SO(3)⟩ of Solà et al.,
arXiv:1812.01537, section IV. The covariances of PoseEstimate and geometry_msgs/PoseWithCovariance are of such motions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pose_regressor.geometry.so3 import exp, log
from pose_regressor.types import FloatArray


def rigid(rotation: FloatArray, translation: FloatArray) -> FloatArray:
    """(4, 4) from a rotation (3, 3) and a translation (3,)."""
    transform = np.zeros((4, 4))
    transform[:3, :3], transform[:3, 3], transform[3, 3] = rotation, translation, 1
    return transform


def apply(transform: FloatArray, points: NDArray) -> FloatArray:
    """(..., N, 3) points (..., N, 3) under transforms (..., 4, 4)."""
    return np.asarray(points @ np.swapaxes(transform[..., :3, :3], -1, -2) + transform[..., None, :3, 3])


def difference(pose: FloatArray, reference: FloatArray) -> FloatArray:
    """(6,) the motion that takes `reference` to `pose`, both (4, 4)."""
    motion = np.empty(6)
    motion[:3] = pose[:3, 3] - reference[:3, 3]
    motion[3:] = log(pose[:3, :3] @ reference[:3, :3].T)
    return motion


def moved(pose: FloatArray, motion: FloatArray) -> FloatArray:
    """(4, 4) `pose` after a motion (6,); the opposite of `difference`."""
    return rigid(exp(motion[3:6]) @ pose[:3, :3], pose[:3, 3] + motion[:3])
