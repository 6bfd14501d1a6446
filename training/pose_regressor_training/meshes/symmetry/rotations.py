"""Rotations for the search of symmetries."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation

from pose_regressor.types import FloatArray

_GOLDEN = (1 + 5**0.5) / 2


def about(direction: ArrayLike, angle: ArrayLike, point: ArrayLike) -> FloatArray:
    """(..., 4, 4) turns by `angle` (...) radians about the line through `point` (3,) along `direction` (..., 3)."""
    axis = np.asarray(direction, np.float64)
    axis = axis / np.maximum(np.linalg.norm(axis, axis=-1, keepdims=True), 1e-300)
    vector = axis * np.asarray(angle, np.float64)[..., None]
    rotation = Rotation.from_rotvec(vector.reshape(-1, 3)).as_matrix().reshape(*vector.shape[:-1], 3, 3)
    motion = np.broadcast_to(np.eye(4), (*vector.shape[:-1], 4, 4)).copy()
    motion[..., :3, :3] = rotation
    motion[..., :3, 3] = point - rotation @ np.asarray(point, np.float64)
    return motion


def hemisphere(count: int) -> FloatArray:
    """(count, 3) unit vectors, evenly spread over half of the sphere (Fibonacci lattice), and the three axes."""
    place = np.arange(count - 3) + 0.5
    z = 1 - place / (count - 3)
    turn = 2 * np.pi * place / _GOLDEN
    radius = np.sqrt(1 - z * z)
    return np.concatenate([np.eye(3), np.stack([radius * np.cos(turn), radius * np.sin(turn), z], 1)])


def all_rotations(count: int) -> FloatArray:
    """(count, 3, 3) evenly spread over all rotations (super-Fibonacci spirals: Alexa, CVPR 2022)."""
    place = (np.arange(count) + 0.5) / count
    inner, outer = np.sqrt(place), np.sqrt(1 - place)
    turns = 2 * np.pi * (np.arange(count) + 0.5)
    one, other = turns / np.sqrt(2), turns / 1.533751168755204288118041  # winding numbers from the paper
    quaternion = np.stack([inner * np.sin(one), inner * np.cos(one), outer * np.sin(other), outer * np.cos(other)], 1)
    return np.asarray(Rotation.from_quat(quaternion).as_matrix())
