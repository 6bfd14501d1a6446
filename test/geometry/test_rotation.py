"""Rotations of torch tensors against scipy and closed forms."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from pose_regressor.geometry.rotation import (
    matrix_from_6d,
    matrix_from_quaternion,
    pose_from,
    quaternion_from_matrix,
    rotation_to_ray,
    rotvec_from_matrix,
)


@pytest.fixture
def rotations() -> torch.Tensor:
    return torch.from_numpy(Rotation.random(200, random_state=0).as_matrix())


def test_quaternions_agree_with_scipy(rotations):
    quaternions = quaternion_from_matrix(rotations).numpy()
    reference = Rotation.from_matrix(rotations.numpy()).as_quat(canonical=True)
    np.testing.assert_allclose(quaternions, reference, atol=1e-12)
    np.testing.assert_allclose(matrix_from_quaternion(torch.from_numpy(3 * reference)), rotations, atol=1e-12)


@pytest.mark.parametrize("axis", np.eye(3))
def test_quaternion_of_half_turns(axis):
    half_turn = Rotation.from_rotvec(np.pi * axis)
    quaternion = quaternion_from_matrix(torch.from_numpy(half_turn.as_matrix())).numpy()
    np.testing.assert_allclose(np.abs(quaternion), [*axis, 0], atol=1e-12)


def test_rotation_vectors_agree_with_scipy(rotations):
    expected = Rotation.from_matrix(rotations.numpy()).as_rotvec()
    np.testing.assert_allclose(rotvec_from_matrix(rotations), expected, atol=1e-12)


def test_6d_gives_rotations_and_inverts(rotations):
    columns = torch.cat([rotations[..., 0], rotations[..., 1]], -1)
    np.testing.assert_allclose(matrix_from_6d(columns), rotations, atol=1e-12)
    values = torch.randn(50, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    made = matrix_from_6d(values)
    np.testing.assert_allclose(made @ made.mT, torch.eye(3).double().expand(50, 3, 3), atol=1e-12)
    np.testing.assert_allclose(torch.linalg.det(made), 1, atol=1e-12)
    assert torch.autograd.gradcheck(matrix_from_6d, values[:5].requires_grad_())


def test_rotation_to_ray_is_the_shortest():
    rays = torch.tensor([[0.3, -0.2, 1.0], [0, 0, 2.0], [-4.0, 3.0, 0.5]], dtype=torch.float64)
    rotation = rotation_to_ray(rays)
    unit = torch.nn.functional.normalize(rays, dim=-1)
    np.testing.assert_allclose(rotation[..., 2], unit, atol=1e-12)
    np.testing.assert_allclose(Rotation.from_matrix(rotation.numpy()).magnitude(), torch.arccos(unit[:, 2]), atol=1e-7)


def test_poses_of_any_batch_shape(rotations):
    translation = torch.randn(10, 20, 3, dtype=torch.float64)
    pose = pose_from(rotations.view(10, 20, 3, 3), translation)
    np.testing.assert_array_equal(pose[..., :3, 3], translation)
    np.testing.assert_array_equal(pose[..., :3, :3], rotations.view(10, 20, 3, 3))
    np.testing.assert_array_equal(pose[..., 3, :], np.broadcast_to([0, 0, 0, 1], (10, 20, 4)))
