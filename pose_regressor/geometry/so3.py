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
    x, y, z = vector.tolist()
    squared = x * x + y * y + z * z
    angle = math.sqrt(squared)
    sine = math.sin(angle) / angle if angle > SMALL else 1 - squared / 6
    versine = 2 * math.sin(angle / 2) ** 2 / squared if angle > SMALL else 0.5 - squared / 24
    return _series(x, y, z, sine, versine)


def _series(x: float, y: float, z: float, first: float, second: float) -> FloatArray:
    """(3, 3) I + first H + second H² with H = skew((x, y, z))."""
    # Python's own numbers: NumPy takes ten times as long for so few.
    xy, xz, yz = second * x * y, second * x * z, second * y * z
    xx, yy, zz = second * x * x, second * y * y, second * z * z
    x, y, z = first * x, first * y, first * z
    return np.array([[1 - yy - zz, xy - z, xz + y], [xy + z, 1 - xx - zz, yz - x], [xz - y, yz + x, 1 - xx - yy]])


def angle(rotation: FloatArray) -> float:
    """(3, 3) -> radians in [0, pi], exact near both ends of the range (atan2, not acos)."""
    return _axis_and_angle(rotation)[3]


def log(rotation: FloatArray) -> FloatArray:
    """(3, 3) -> (3,) axis times angle in [0, pi] (eq. 133), exact near both ends of the range."""
    x, y, z, turn = _axis_and_angle(rotation)
    if turn < SMALL:
        scale = (1 + turn * turn / 6) / 2
        return np.array([x * scale, y * scale, z * scale])
    if math.pi - turn > 0.1:
        scale = turn / math.sqrt(x * x + y * y + z * z)
        return np.array([x * scale, y * scale, z * scale])
    # Near half a turn R - Rᵀ vanishes. There the axis is the longest column of (R + Rᵀ) / 2 - cos(angle) I.
    outer = (rotation + rotation.T) / 2 - math.cos(turn) * np.eye(3)
    axis = outer[:, int(np.argmax(np.diag(outer)))]
    axis = axis / np.linalg.norm(axis)
    return axis * (turn if axis @ (x, y, z) >= 0 else -turn)


def _axis_and_angle(rotation: FloatArray) -> tuple[float, float, float, float]:
    """The vector v with skew(v) = R - Rᵀ, which is the axis times 2 sin(angle); and the angle, radians."""
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = rotation.tolist()
    x, y, z = zy - yz, xz - zx, yx - xy
    return x, y, z, math.atan2(math.sqrt(x * x + y * y + z * z), xx + yy + zz - 1)


def left_jacobian(vector: FloatArray) -> FloatArray:
    """(3,) -> (3, 3) with exp(v + e) = exp(J e) exp(v) to first order in e (eq. 145)."""
    x, y, z = vector.tolist()
    squared = x * x + y * y + z * z
    angle = math.sqrt(squared)
    first = 2 * math.sin(angle / 2) ** 2 / squared if angle > SMALL else 0.5 - squared / 24
    second = (angle - math.sin(angle)) / (angle * squared) if angle > SMALL else 1 / 6 - squared / 120
    return _series(x, y, z, first, second)


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
