"""Rotations and projections against scipy and closed forms."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from pose_regressor.geometry.camera import back_project, project, window_from_image
from pose_regressor.geometry.rigid import apply, inverse, rigid
from pose_regressor.geometry.rotation import (
    matrix_from_6d,
    matrix_from_quaternion,
    quaternion_from_matrix,
    random_rotation,
    rotation_angle,
    rotation_to_ray,
    sixd_from_matrix,
)


@pytest.fixture
def rotations() -> torch.Tensor:
    return random_rotation(200, torch.Generator().manual_seed(0))


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


def test_6d_gives_rotations_and_inverts(rotations):
    np.testing.assert_allclose(matrix_from_6d(sixd_from_matrix(rotations)), rotations, atol=1e-12)
    values = torch.randn(50, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    made = matrix_from_6d(values)
    np.testing.assert_allclose(made @ made.mT, torch.eye(3).double().expand(50, 3, 3), atol=1e-12)
    np.testing.assert_allclose(torch.linalg.det(made), 1, atol=1e-12)
    assert torch.autograd.gradcheck(matrix_from_6d, values[:5].requires_grad_())


@pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-4, 1.0, np.pi - 1e-9, np.pi])
def test_rotation_angle_is_exact_at_both_ends(angle):
    matrix = torch.from_numpy(Rotation.from_rotvec(angle * np.array([0.6, 0, 0.8])).as_matrix())
    assert rotation_angle(matrix).item() == pytest.approx(angle, abs=1e-12)


def test_rotation_to_ray_is_the_shortest():
    rays = torch.tensor([[0.3, -0.2, 1.0], [0, 0, 2.0], [-4.0, 3.0, 0.5]], dtype=torch.float64)
    rotation = rotation_to_ray(rays)
    unit = torch.nn.functional.normalize(rays, dim=-1)
    np.testing.assert_allclose(rotation[..., 2], unit, atol=1e-12)
    np.testing.assert_allclose(rotation_angle(rotation), torch.arccos(unit[:, 2]), atol=1e-7)


def test_rigid_transforms_compose_and_invert(rotations):
    transform = rigid(rotations, torch.randn(200, 3, dtype=torch.float64))
    points = torch.randn(200, 7, 3, dtype=torch.float64)
    np.testing.assert_allclose(apply(inverse(transform), apply(transform, points)), points, atol=1e-12)


def test_project_and_back_project():
    camera = torch.tensor([[600.0, 0.5, 310], [0, 590, 250], [0, 0, 1]], dtype=torch.float64)
    points = torch.tensor([[0.1, -0.2, 1.5], [0, 0, 0.4]], dtype=torch.float64)
    pixels = project(points, camera)
    np.testing.assert_allclose(pixels[0], [600 * 0.1 / 1.5 - 0.5 * 0.2 / 1.5 + 310, -590 * 0.2 / 1.5 + 250])
    np.testing.assert_allclose(back_project(pixels, camera) * points[:, 2:], points, atol=1e-12)


def test_window_keeps_the_outer_corner():
    window = window_from_image(*(torch.tensor(v, dtype=torch.float64) for v in (10.5, 20.5, 2.0)))
    corner = window @ torch.tensor([10.5, 20.5, 1], dtype=torch.float64)
    np.testing.assert_allclose(corner, [-0.5, -0.5, 1])
