"""Rotations as matrices, rotation vectors and quaternions, one at a time, in float64 NumPy. Torch layers: rotation.py.

Formulas: Solà, Deray, Atchuthan, A micro Lie theory for state estimation in robotics, arXiv:1812.01537 (2018).
"""

from __future__ import annotations

import math

import numpy as np

from pose_regressor.types import FloatArray

#: Angles (radians) below which the closed forms lose digits and their series are exact to float64.
SMALL = 1e-4
#: Shorter vectors are not brought to length one, as in torch.
LEAST_NORM = 1e-12


def skew(vector: FloatArray) -> FloatArray:
    """(3,) -> (3, 3) with skew(v) @ u = v x u."""
    x, y, z = vector
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])


def exp(vector: FloatArray) -> FloatArray:
    """(3,) axis times angle in radians -> (3, 3), Rodrigues' formula (eq. 133)."""
    squared = float(vector @ vector)
    angle = math.sqrt(squared)
    sine = math.sin(angle) / angle if angle > SMALL else 1 - squared / 6
    versine = 2 * math.sin(angle / 2) ** 2 / squared if angle > SMALL else 0.5 - squared / 24
    hat = skew(vector)
    return np.eye(3) + sine * hat + versine * (hat @ hat)


def angle(rotation: FloatArray) -> float:
    """(3, 3) -> radians in [0, pi], exact near both ends of the range (atan2, not acos)."""
    return math.atan2(float(np.linalg.norm(_twice_sine(rotation))), float(np.trace(rotation)) - 1)


def log(rotation: FloatArray) -> FloatArray:
    """(3, 3) -> (3,) axis times angle in [0, pi] (eq. 133), exact near both ends of the range."""
    twice_sine, turn = _twice_sine(rotation), angle(rotation)
    if turn < SMALL:
        return twice_sine / 2 * (1 + turn * turn / 6)
    if math.pi - turn > 0.1:
        return twice_sine * (turn / float(np.linalg.norm(twice_sine)))
    # Near half a turn R - Rᵀ vanishes. There the axis is the longest column of (R + Rᵀ) / 2 - cos(angle) I.
    outer = (rotation + rotation.T) / 2 - math.cos(turn) * np.eye(3)
    axis = outer[:, int(np.argmax(np.diag(outer)))]
    axis = axis / np.linalg.norm(axis)
    return axis * (turn if axis @ twice_sine >= 0 else -turn)


def _twice_sine(rotation: FloatArray) -> FloatArray:
    """(3,) axis times 2 sin(angle): the vector v with skew(v) = R - Rᵀ."""
    r = rotation
    return np.array([r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]])


def left_jacobian(vector: FloatArray) -> FloatArray:
    """(3,) -> (3, 3) with exp(v + e) = exp(J e) exp(v) to first order in e (eq. 145)."""
    squared = float(vector @ vector)
    angle = math.sqrt(squared)
    first = 2 * math.sin(angle / 2) ** 2 / squared if angle > SMALL else 0.5 - squared / 24
    second = (angle - math.sin(angle)) / (angle * squared) if angle > SMALL else 1 / 6 - squared / 120
    hat = skew(vector)
    return np.eye(3) + first * hat + second * (hat @ hat)


def from_quaternion(quaternion: FloatArray) -> FloatArray:
    """(4,) xyzw of any norm but zero -> (3, 3)."""
    x, y, z, w = quaternion / np.linalg.norm(quaternion)
    hat = skew(np.array([x, y, z]))
    return np.asarray(np.eye(3) + 2 * w * hat + 2 * hat @ hat)


def to_quaternion(rotation: FloatArray) -> FloatArray:
    """(3, 3) -> (4,) unit quaternion xyzw with w >= 0."""
    vector = log(rotation)
    angle = float(np.linalg.norm(vector))
    share = math.sin(angle / 2) / angle if angle > SMALL else 0.5 - angle * angle / 48
    return np.append(vector * share, math.cos(angle / 2))


def from_6d(values: FloatArray) -> FloatArray:
    """(6,) -> (3, 3): `geometry.rotation.matrix_from_6d`, which names the source."""
    first, second = values[:3], values[3:]
    x = first / max(float(np.linalg.norm(first)), LEAST_NORM)
    y = second - (x @ second) * x
    y = y / max(float(np.linalg.norm(y)), LEAST_NORM)
    return np.column_stack([x, y, np.cross(x, y)])


def ray_from_axis(direction: FloatArray) -> FloatArray:
    """(3,) a direction with z > 0 -> (3, 3) the shortest rotation from the optical axis to it:
    `geometry.rotation.rotation_to_ray`, which says what for."""
    x, y, z = direction / max(float(np.linalg.norm(direction)), LEAST_NORM)
    k = 1 / (1 + z)
    return np.array([[1 - k * x * x, -k * x * y, x], [-k * x * y, 1 - k * y * y, y], [-x, -y, z]])
