"""The closed forms against SciPy's matrix functions and against differences."""

import numpy as np
import pytest
from scipy.linalg import expm, logm
from scipy.spatial.transform import Rotation

from pose_regressor.geometry.so3 import exp, from_quaternion, left_jacobian, log, to_quaternion

ANGLES = [0.0, 1e-9, 1e-5, 0.99e-4, 1.01e-4, 1e-2, 1.0, 3.0, 3.1, np.pi - 1e-6]


def hat(v):
    return np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])


def vectors(angle, count=5):
    axes = np.random.default_rng(0).normal(size=(count, 3))
    return angle * axes / np.linalg.norm(axes, axis=1, keepdims=True)


@pytest.mark.parametrize("angle", ANGLES)
def test_exp_and_log_are_those_of_matrices(angle):
    for v in vectors(angle):
        np.testing.assert_allclose(exp(v), expm(hat(v)), atol=1e-14)
        np.testing.assert_allclose(log(exp(v)), v, atol=1e-9 if angle > 3.1 else 1e-14)
        if 1e-2 <= angle <= 3:
            np.testing.assert_allclose(hat(log(exp(v))), logm(exp(v)).real, atol=1e-12)


def test_log_of_half_a_turn():
    for axis in (*np.eye(3), np.array([1.0, -2, 3]) / 14**0.5):
        half = 2 * np.outer(axis, axis) - np.eye(3)
        assert np.linalg.norm(log(half)) == pytest.approx(np.pi)
        np.testing.assert_allclose(exp(log(half)), half, atol=1e-12)


@pytest.mark.parametrize("angle", [0.0, 1e-5, 0.3, 2.5])
def test_left_jacobian_is_the_derivative(angle):
    step = 1e-6
    for v in vectors(angle):
        columns = [(log(exp(v + e) @ exp(v).T) - log(exp(v - e) @ exp(v).T)) / (2 * step) for e in step * np.eye(3)]
        np.testing.assert_allclose(left_jacobian(v), np.stack(columns, 1), atol=1e-8)


@pytest.mark.parametrize("angle", [*ANGLES, np.pi])
def test_quaternions_are_those_of_scipy(angle):
    for v in vectors(angle):
        quaternion = to_quaternion(exp(v))
        expected = Rotation.from_rotvec(v).as_quat()  # of a half turn both signs are right
        np.testing.assert_allclose(
            quaternion * np.sign(quaternion @ expected), expected, atol=1e-9 if angle > 3.1 else 1e-14
        )
        np.testing.assert_allclose(from_quaternion(quaternion), exp(v), atol=1e-9 if angle > 3.1 else 1e-14)
