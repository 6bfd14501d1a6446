"""The layer's poses: exact, globally optimal, whatever the batch, type or transformation of the call."""

import cv2
import numpy as np
import pytest
import torch
from scipy.optimize import least_squares

from pose_regressor.ops.pnp import RobustLoss, Status, bpnp
from pose_regressor.types import InputError

pytestmark = pytest.mark.usefixtures("either_pnp")


def rms(points_2d, points_3d, camera_matrix, rotation, translation):
    """(...) root mean square residual, by OpenCV's order of operations: rotate, translate, divide, K."""
    camera = points_3d @ rotation.mT + translation.unsqueeze(-2)
    image = (camera / camera[..., 2:]) @ camera_matrix.mT
    return (image[..., :2] - points_2d).square().sum(-1).mean(-1).sqrt()


@pytest.mark.parametrize("count", [4, 5, 6, 30])
@pytest.mark.parametrize("shape", ["general", "planar"])
def test_without_noise_the_pose_is_the_true_one(make_scene, shape, count):
    scene = make_scene(50, count, shape=shape)
    result = bpnp(*scene.inputs)
    assert result.converged.all() and (result.cost < 1e-9).all()
    # Four general points may have a second pose that explains them as well.
    same = (result.rotation - scene.rotation).abs().amax((1, 2)) < 1e-6
    assert same.all() if count > 4 or shape == "planar" else same.float().mean() > 0.9
    torch.testing.assert_close(result.translation[same], scene.translation[same], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("count", "noise", "shape"),
    [(4, 1, "general"), (8, 3, "general"), (100, 8, "general"), (4, 1, "planar"), (8, 5, "planar"), (12, 1, "thin")],
)
def test_no_pose_is_better(make_scene, count, noise, shape):
    """Not the true one, and not any of OpenCV's solvers, refined: the minimum that is found is the global one."""
    scene = make_scene(60, count, noise, shape)
    result = bpnp(*scene.inputs)
    ours = rms(*scene.inputs, result.rotation, result.translation)
    flags = [cv2.SOLVEPNP_SQPNP, cv2.SOLVEPNP_EPNP] + ([cv2.SOLVEPNP_IPPE] if shape == "planar" else [])
    worse = 0
    for pixels, points, rotation, translation, own in zip(*scene[:2], *scene[3:], ours, strict=True):
        start = [(cv2.Rodrigues(rotation.numpy())[0], translation.numpy().reshape(3, 1))]
        for flag in flags:
            start += zip(
                *cv2.solvePnPGeneric(points.numpy(), pixels.numpy(), CAMERA, None, flags=flag)[1:3], strict=True
            )
        costs = [own.item()]
        for rvec, tvec in start:
            rvec, tvec = cv2.solvePnPRefineLM(points.numpy(), pixels.numpy(), CAMERA, None, rvec, tvec)
            pose = torch.from_numpy(cv2.Rodrigues(rvec)[0]), torch.from_numpy(tvec.ravel())
            if (points @ pose[0].mT + pose[1])[:, 2].min() > 0:
                costs.append(rms(pixels, points, scene.camera_matrix, *pose).item())
        worse += min(costs) < costs[0] * (1 - 1e-6)
    assert worse <= 1  # of 60 problems with several minima each


CAMERA = np.array([[600.0, 0, 320], [0, 630, 240], [0, 0, 1]])


@pytest.mark.parametrize("kind", ["huber", "cauchy", "geman_mcclure"])
def test_robust_optimum_is_scipys(make_scene, kind):
    scene = make_scene(3, 30, 2.0)
    scene.points_2d[:, :5] += 40
    start = scene.rotation, scene.translation
    result = bpnp(*scene.inputs, init=start, loss=RobustLoss(kind, 4.0))
    assert result.converged.all()
    losses = {
        "huber": "huber",
        "cauchy": "cauchy",
        "geman_mcclure": lambda z: np.stack([z / (1 + z), (1 + z) ** -2.0, -2 * (1 + z) ** -3.0]),
    }
    for pixels, points, rotation, translation, cost in zip(*scene[:2], *scene[3:], result.cost, strict=True):

        def distance(y, pixels=pixels, points=points):
            image = cv2.projectPoints(points.numpy(), y[:3], y[3:], CAMERA, None)[0][:, 0]
            return np.linalg.norm(image - pixels.numpy(), axis=1)

        first = np.concatenate([cv2.Rodrigues(rotation.numpy())[0].ravel(), translation.numpy()])
        found = least_squares(distance, first, loss=losses[kind], f_scale=4.0, x_scale="jac", xtol=1e-12, ftol=1e-12)
        assert cost.item() == pytest.approx(2 * found.cost, rel=1e-5)


def test_weights_are_how_often_a_point_counts(make_scene):
    scene = make_scene(4, 9, 2.0)
    weights = torch.tensor([1.0, 2, 3, 1, 1, 1, 0, 1, 1], dtype=torch.float64)
    repeated = torch.repeat_interleave(torch.arange(9), weights.long())
    weighted = bpnp(*scene.inputs, weights)
    often = bpnp(scene.points_2d[:, repeated], scene.points_3d[:, repeated], scene.camera_matrix)
    torch.testing.assert_close(weighted.rotation, often.rotation, rtol=0, atol=1e-9)
    torch.testing.assert_close(weighted.cost, often.cost)
    scaled = bpnp(*scene.inputs, 1e-3 * weights)
    torch.testing.assert_close(weighted.translation, scaled.translation, rtol=0, atol=1e-9)
    torch.testing.assert_close(weighted.covariance, scaled.covariance)


def test_batch_dimensions_broadcast(make_scene):
    scene = make_scene(6, 8, 1.0)
    points = scene.points_3d[:1].squeeze(0)
    homogeneous = (points @ scene.rotation.mT + scene.translation[:, None]) @ scene.camera_matrix.mT
    pixels = (homogeneous[..., :2] / homogeneous[..., 2:]).view(2, 3, 8, 2)
    cameras = scene.camera_matrix.expand(3, 3, 3)
    result = bpnp(pixels, points, cameras, torch.ones(8, dtype=torch.float64))
    assert result.rotation.shape == (2, 3, 3, 3) and result.covariance.shape == (2, 3, 6, 6)
    assert result.translation.shape == result.rvec.shape == (2, 3, 3) and result.status.shape == (2, 3)
    torch.testing.assert_close(result.translation.view(6, 3), scene.translation, rtol=0, atol=1e-7)
    single = bpnp(pixels[1, 2], points, scene.camera_matrix)
    torch.testing.assert_close(single.rotation, result.rotation[1, 2], rtol=0, atol=1e-12)
    assert bpnp(pixels[:0], points, cameras).rotation.shape == (0, 3, 3, 3)


def test_a_large_batch_is_the_same_as_many_small_ones(make_scene, monkeypatch):
    scene = make_scene(20, 10, 1.0)
    whole = bpnp(*scene.inputs)
    monkeypatch.setattr("pose_regressor.ops.pnp.implicit.ROOM_ON_CPU", 3 * 42)
    pixels = scene.points_2d.clone().requires_grad_()
    pieces = bpnp(pixels, *scene.inputs[1:])
    torch.testing.assert_close(pieces.rotation, whole.rotation, rtol=0, atol=1e-12)
    torch.testing.assert_close(pieces.covariance, whole.covariance)
    pieces.translation.sum().backward()
    assert (pixels.grad.abs().sum((1, 2)) > 0).all()


def test_float32_is_float64_rounded(make_scene):
    scene = make_scene(20, 10, 1.0)
    single = [value.float() for value in scene.inputs]
    result, exact = bpnp(*single), bpnp(*(value.double() for value in single))
    assert result.rotation.dtype == torch.float32 and result.status.dtype == torch.int32
    torch.testing.assert_close(result.rotation, exact.rotation.float(), rtol=0, atol=1e-6)
    torch.testing.assert_close(result.translation, exact.translation.float())


def test_rvec_is_opencvs(make_scene):
    result = bpnp(*make_scene(20, 10, 1.0).inputs)
    for rotation, rvec in zip(result.rotation, result.rvec, strict=True):
        np.testing.assert_allclose(cv2.Rodrigues(rvec.numpy())[0], rotation, atol=1e-9)


def test_from_a_rough_guess_to_the_same_optimum(make_scene):
    scene = make_scene(20, 10, 1.0)
    found = bpnp(*scene.inputs)
    near = bpnp(*scene.inputs, init=(scene.rotation, scene.translation * 1.05))
    torch.testing.assert_close(near.rotation, found.rotation, rtol=0, atol=1e-9)
    few = bpnp(*scene.inputs, init=(scene.rotation, scene.translation * 1.05), iterations=1)
    assert (few.status == Status.NOT_CONVERGED).any()


def test_vmap_is_a_batch_dimension(make_scene):
    scene = make_scene(6, 8, 1.0)
    mapped = torch.func.vmap(lambda x, z: tuple(bpnp(x, z, scene.camera_matrix)))(*scene.inputs[:2])
    for one, other in zip(mapped, bpnp(*scene.inputs), strict=True):
        torch.testing.assert_close(one, other)
    jacobian = torch.func.vmap(torch.func.jacrev(lambda x, z: bpnp(x, z, scene.camera_matrix).translation))
    assert jacobian(*scene.inputs[:2]).shape == (6, 3, 8, 2)


def test_compiles_to_one_graph(make_scene):
    scene = make_scene(3, 8, 1.0)
    pixels = scene.points_2d.requires_grad_()
    compiled = torch.compile(lambda x: bpnp(x, *scene.inputs[1:])[:2], fullgraph=True, backend="aot_eager")
    for call in (lambda x: bpnp(x, *scene.inputs[1:])[:2], compiled):
        pixels.grad = None
        rotation, translation = call(pixels)
        (rotation.sum() + translation.sum()).backward()
        if call is not compiled:
            expected = rotation, translation, pixels.grad
    for one, other in zip((rotation, translation, pixels.grad), expected, strict=True):
        torch.testing.assert_close(one, other)


def test_a_start_that_is_no_rotation(make_scene):
    """Doubled, of float32's digits, noisy, as after averaging: the pose found is one, and the same."""
    scene = make_scene(4, 12)
    noise = 1e-2 * torch.randn(4, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for start in (2 * scene.rotation, scene.rotation.float(), scene.rotation + noise):
        result = bpnp(*scene.inputs, init=(start, scene.translation * 1.05))
        assert result.converged.all()
        torch.testing.assert_close(result.rotation, scene.rotation, atol=1e-9, rtol=0)
        torch.testing.assert_close(result.translation, scene.translation, atol=1e-9, rtol=0)
    mirrored = bpnp(*scene.inputs, init=(scene.rotation * torch.tensor([1.0, 1, -1]), scene.translation))
    torch.testing.assert_close(torch.linalg.det(mirrored.rotation), torch.ones(4, dtype=torch.float64))
    with pytest.raises(InputError, match=r"init rotation: expected a batch of \(4,\), got \(3,\)"):
        bpnp(*scene.inputs, init=(scene.rotation[:3], scene.translation))
