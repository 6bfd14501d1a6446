"""Rotations as matrices and rotation vectors, in float64 NumPy: a filter's matrices are too small for torch.

Formulas: Solà, Deray, Atchuthan, A micro Lie theory for state estimation in robotics, arXiv:1812.01537 (2018).
"""

from __future__ import annotations

import math

import numpy as np

from pose_regressor.types import FloatArray

#: Angles (radians) below which the closed forms lose digits and their series are exact to float64.
SMALL = 1e-4


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


def log(rotation: FloatArray) -> FloatArray:
    """(3, 3) -> (3,) axis times angle in [0, pi] (eq. 133), exact near both ends of the range."""
    twice_sine = np.array(
        [rotation[2, 1] - rotation[1, 2], rotation[0, 2] - rotation[2, 0], rotation[1, 0] - rotation[0, 1]]
    )
    length = float(np.linalg.norm(twice_sine))
    angle = math.atan2(length, float(np.trace(rotation)) - 1)
    if angle < SMALL:
        return twice_sine / 2 * (1 + angle * angle / 6)
    if math.pi - angle > 0.1:
        return twice_sine * (angle / length)
    # Near half a turn the axis fades from R - Rᵀ, but is the longest column of (R + Rᵀ) / 2 - cos(angle) I.
    outer = (rotation + rotation.T) / 2 - math.cos(angle) * np.eye(3)
    axis = outer[:, int(np.argmax(np.diag(outer)))]
    axis = axis / np.linalg.norm(axis)
    return axis * (angle if axis @ twice_sine >= 0 else -angle)


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
