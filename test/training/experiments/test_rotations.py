"""The experiments' rotations against scipy."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from pose_regressor.geometry.rotation import matrix_from_6d
from pose_regressor_training.experiments.rotations import (
    matrix_from_rotvec,
    random_rotation,
    rotation_angle,
    sixd_from_matrix,
)


def test_6d_comes_back():
    rotations = random_rotation(200, torch.Generator().manual_seed(0))
    np.testing.assert_allclose(rotations @ rotations.mT, torch.eye(3).double().expand(200, 3, 3), atol=1e-12)
    np.testing.assert_allclose(matrix_from_6d(sixd_from_matrix(rotations)), rotations, atol=1e-12)


@pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-4, 1.0, np.pi - 1e-9, np.pi])
def test_rotation_vectors_and_angles_are_exact_at_both_ends(angle):
    vector = angle * np.array([0.6, 0, 0.8])
    matrix = matrix_from_rotvec(torch.from_numpy(vector))
    np.testing.assert_allclose(matrix, Rotation.from_rotvec(vector).as_matrix(), atol=1e-12)
    assert rotation_angle(matrix).item() == pytest.approx(angle, abs=1e-12)
