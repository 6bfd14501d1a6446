"""Regressed poses and rotations in NumPy against the torch layers."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from pose_regressor.estimation.decode import regressed_pose
from pose_regressor.estimation.windows import Window
from pose_regressor.geometry import rotation, so3
from pose_regressor.ops.regression import decode_regression

MATRIX = np.array([[310.0, 1.5, 60.0], [0, 290, 70], [0, 0, 1]])


@pytest.mark.parametrize("location", [(0.1, -0.2, -0.4), (0.0, 0.0, -9.0), (-0.4, 0.3, 5.0)])
def test_a_regressed_pose_is_that_of_the_layer(tiny_bundle, location):
    """Also where the logarithm of the size is clamped."""
    model = tiny_bundle.objects[0]
    answer = SimpleNamespace(
        rotation_6d=np.array([1.0, 0.2, 0, -0.1, 1, 0.3], np.float32), location=np.array(location, np.float32)
    )
    look = SimpleNamespace(
        answer=answer,
        candidate=SimpleNamespace(model=model),
        window=Window(np.zeros((128, 128, 3), np.uint8), MATRIX),
        crop_size=128,
    )
    rotation_6d, regressed = (torch.from_numpy(value).double() for value in (answer.rotation_6d, answer.location))
    centre, diameter = torch.from_numpy(model.bounds.mean(0)), torch.tensor(model.diameter, dtype=torch.float64)
    expected = decode_regression(rotation_6d, regressed, torch.from_numpy(MATRIX), 128, centre, diameter)
    np.testing.assert_allclose(regressed_pose(look), expected.numpy(), rtol=1e-12, atol=1e-12)


def test_rotations_are_those_of_the_layers():
    rng = np.random.default_rng(0)
    for _ in range(20):
        values, ray = rng.normal(size=6), np.append(rng.normal(size=2), rng.uniform(0.1, 2))
        given = rotation.matrix_from_6d(torch.from_numpy(values)).numpy()
        np.testing.assert_allclose(so3.from_6d(values), given, atol=1e-13)
        given = rotation.rotation_to_ray(torch.from_numpy(ray)).numpy()
        np.testing.assert_allclose(so3.ray_from_axis(ray), given, atol=1e-13)
    assert np.isfinite(so3.from_6d(np.zeros(6))).all()
