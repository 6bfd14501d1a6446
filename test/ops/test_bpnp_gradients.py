"""Gradients against finite differences, of the layer and of a solver that shares nothing with it."""

import cv2
import numpy as np
import pytest
import torch
from scipy.optimize import least_squares, root

from pose_regressor.ops.pnp import RobustLoss, Status, bpnp

pytestmark = pytest.mark.usefixtures("either_pnp")

NAMES = ("points_2d", "points_3d", "camera_matrix", "weights")


def leaves(scene, seed=0):
    weights = 0.3 + torch.rand(scene.points_2d.shape[:2], generator=torch.Generator().manual_seed(seed)).double()
    cameras = scene.camera_matrix.expand(len(weights), 3, 3)
    return [value.clone().requires_grad_() for value in (*scene.inputs[:2], cameras, weights)]


@pytest.mark.parametrize(
    ("count", "noise", "shape"), [(8, 0, "general"), (8, 3, "general"), (4, 1, "general"), (6, 1, "planar")]
)
@pytest.mark.parametrize("loss", [None, RobustLoss("cauchy", 4.0)], ids=["squares", "cauchy"])
def test_gradcheck(make_scene, count, noise, shape, loss):
    scene = make_scene(1, count, noise, shape, seed=1)
    start = bpnp(*scene.inputs, loss=loss)[:2]
    assert torch.autograd.gradcheck(lambda *inputs: bpnp(*inputs, init=start, loss=loss)[:2], leaves(scene))


def test_second_derivatives(make_scene):
    scene = make_scene(1, 5, 2.0)
    start = bpnp(*scene.inputs)[:2]
    assert torch.autograd.gradgradcheck(
        lambda *inputs: bpnp(*inputs, init=start)[:2], leaves(scene), eps=1e-5, rtol=2e-3
    )


def solve_by_scipy(pixels, points, camera, weights, start):
    """(6,) rvec and translation at the optimum, by least_squares with derivatives by complex steps."""

    def residual(y):
        angle = np.sqrt((y[:3] * y[:3]).sum())
        k = y[:3] / angle
        turned = (
            points * np.cos(angle) + np.cross(k, points) * np.sin(angle) + np.outer(points @ k, k) * (1 - np.cos(angle))
        )
        h = (turned + y[3:]) @ camera.T
        return (np.sqrt(weights)[:, None] * (h[:, :2] / h[:, 2:] - pixels)).ravel()

    def gradient(y):
        jacobian = np.stack([residual(y + 1e-30j * axis).imag / 1e-30 for axis in np.eye(6)], 1)
        return jacobian.T @ residual(y)

    # least_squares ends where a step no longer lowers the cost, half of the digits early: the root has the others.
    y = least_squares(residual, start, jac="cs", xtol=1e-15, ftol=1e-15, gtol=1e-15, x_scale="jac").x
    return root(gradient, y, tol=1e-15).x


STEPS = {"points_2d": 1e-2, "points_3d": 1e-5, "camera_matrix": np.array([[1e-2], [1e-2], [1e-6]]), "weights": 1e-4}


@pytest.mark.parametrize("noise", [0, 1, 8])
def test_gradients_of_an_independent_solver(make_scene, noise):
    """Relative error of the whole gradient, for each of the four inputs."""
    scene = make_scene(1, 8, noise, seed=noise)
    inputs = leaves(scene)
    result = bpnp(*inputs)
    along = torch.linspace(-1, 1, 6, dtype=torch.float64)
    (torch.cat([result.rvec, result.translation], 1) @ along).sum().backward()
    arrays = [value.detach()[0].numpy() for value in inputs]
    start = torch.cat([result.rvec[0], result.translation[0]]).detach().numpy()
    for number, (name, value) in enumerate(zip(NAMES, inputs, strict=True)):
        expected = np.zeros(arrays[number].shape)
        steps = np.broadcast_to(STEPS[name], expected.shape)
        for index in np.ndindex(expected.shape):
            poses = []
            for sign in (1, -1):
                moved = [array.copy() for array in arrays]
                moved[number][index] += sign * steps[index]
                poses.append(solve_by_scipy(*moved, start))
            expected[index] = (poses[0] - poses[1]) @ along.numpy() / (2 * steps[index])
        if name == "weights" and noise == 0:
            assert value.grad.abs().max() < 1e-9
        else:
            assert np.linalg.norm(value.grad[0].numpy() - expected) < 1e-6 * np.linalg.norm(expected), name


def test_float32_gradients(make_scene):
    scene = make_scene(40, 8, 3.0)
    double = leaves(scene)
    single = [value.detach().float().requires_grad_() for value in double]
    for inputs in (double, single):
        result = bpnp(*inputs)
        (result.rvec.sum() + result.translation.sum()).backward()
    for one, other in zip(single, double, strict=True):
        error = (one.grad.double() - other.grad).flatten(1).norm(dim=1) / other.grad.flatten(1).norm(dim=1)
        assert error.max() < 1e-3


def test_items_without_a_solution_give_zero_and_leave_the_others_alone(make_scene):
    scene = make_scene(8, 6, 1.0)
    pixels, points, cameras, weights = (value.detach() for value in leaves(scene))
    pixels[1, 2] = torch.nan
    pixels[2] = torch.inf
    points[3] = points[3, :1] + torch.linspace(0, 1, 6).double()[:, None] * torch.tensor([1.0, 2.0, 0.5]).double()
    weights[4, 3:] = 0
    weights[5, 0] = -1
    points[6] = points[6, :1]
    inputs = [value.requires_grad_() for value in (pixels, points, cameras, weights)]
    result = bpnp(*inputs)
    good = result.converged
    assert good.tolist() == [True, False, False, False, False, False, False, True]
    (result.rotation.sum() + result.translation.sum() + result.rvec.sum()).backward()
    for value in inputs:
        assert value.grad.isfinite().all()
        assert (value.grad[~good] == 0).all() and (value.grad[good].flatten(1).norm(dim=1) > 0).all()
    again = [value.detach()[good].requires_grad_() for value in inputs]
    result = bpnp(*again)
    (result.rotation.sum() + result.translation.sum() + result.rvec.sum()).backward()
    for value, alone in zip(inputs, again, strict=True):
        torch.testing.assert_close(value.grad[good], alone.grad, rtol=1e-6, atol=1e-12)


def test_descends_to_a_wanted_pose(make_scene):
    """The use it is made for: points move until the pose is the wanted one."""
    scene = make_scene(1, 8)
    wanted = scene.points_2d
    pixels = (
        wanted + 20 * torch.randn(wanted.shape, generator=torch.Generator().manual_seed(0)).double()
    ).requires_grad_()
    optimiser = torch.optim.Adam([pixels], lr=1.0)
    for _ in range(150):
        optimiser.zero_grad()
        result = bpnp(pixels, *scene.inputs[1:])
        h = (scene.points_3d @ result.rotation.mT + result.translation[:, None]) @ scene.camera_matrix.mT
        (h[..., :2] / h[..., 2:] - wanted).square().mean().backward()
        optimiser.step()
    assert result.status.item() == Status.OK
    turn = cv2.Rodrigues((result.rotation[0] @ scene.rotation[0].mT).detach().numpy())[0]
    assert np.linalg.norm(turn) < 2e-3
