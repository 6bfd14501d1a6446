"""What the layer says to input that it cannot use."""

import pytest
import torch

from pose_regressor.ops.pnp import RobustLoss, Status, bpnp
from pose_regressor.types import InputError

pytestmark = pytest.mark.usefixtures("either_pnp")


def finite(result):
    return all(not value.isnan().any() for value in result) and not result.rvec.isnan().any()


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_fewer_than_four_points(make_scene, count):
    scene = make_scene(3, count)
    pixels = scene.points_2d.requires_grad_()
    result = bpnp(pixels, *scene.inputs[1:])
    assert (result.status == Status.TOO_FEW_POINTS).all() and not result.converged.any() and finite(result)
    assert (result.covariance.diagonal(dim1=1, dim2=2) == torch.inf).all()
    (result.rotation.sum() + result.translation.sum()).backward()
    assert (pixels.grad == 0).all()


@pytest.mark.parametrize("shape", ["line", "point", "ray"])
def test_degenerate_points(make_scene, shape):
    scene = make_scene(20, 10, 1.0)
    along = torch.linspace(-1, 1, 10).double()[:, None]
    if shape == "line":
        points = along * torch.tensor([0.3, 1.0, -0.5]).double()
        camera = (points @ scene.rotation.mT + scene.translation[:, None]) @ scene.camera_matrix.mT
        pixels = camera[..., :2] / camera[..., 2:]
    elif shape == "point":
        points, pixels = torch.ones(10, 3).double(), scene.points_2d
    else:
        points, pixels = scene.points_3d, scene.points_2d[:, :1].expand(-1, 10, -1)
    for given in (pixels, pixels.float().double()):
        result = bpnp(given, points, scene.camera_matrix)
        assert not result.converged.any() and finite(result)
    assert shape != "line" or (result.status == Status.DEGENERATE).all()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e200])
@pytest.mark.parametrize("where", range(4))
def test_numbers_that_are_none(make_scene, value, where):
    scene = make_scene(2, 6)
    inputs = [*scene.inputs[:2], scene.camera_matrix.repeat(2, 1, 1), torch.ones(2, 6).double()]
    inputs[where][1].view(-1)[3] = value
    result = bpnp(*inputs)
    assert result.status.tolist() == [Status.OK, Status.INVALID_INPUT] and finite(result)


@pytest.mark.parametrize("factor", [1e-12, 1e-6, 1e6, 1e12])
def test_the_unit_does_not_matter(make_scene, factor):
    scene = make_scene(5, 8, 1.0)
    far = torch.tensor([3.0, -7.0, 20.0]).double()
    usual = bpnp(*scene.inputs)
    result = bpnp(scene.points_2d, factor * (scene.points_3d + far), scene.camera_matrix)
    assert result.converged.all()
    torch.testing.assert_close(result.rotation, usual.rotation, rtol=0, atol=1e-7)
    expected = usual.translation - (usual.rotation @ far)
    torch.testing.assert_close(result.translation / factor, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("factor", [1e6, 1e12, 1e20])
def test_huge_coordinates_give_finite_numbers(make_scene, factor):
    scene = make_scene(5, 8, 1.0)
    for inputs in ((factor * scene.points_2d, scene.points_3d), (scene.points_2d, scene.points_3d + factor)):
        assert finite(bpnp(*inputs, scene.camera_matrix))
        assert finite(bpnp(*(value.float() for value in (*inputs, scene.camera_matrix))))


def test_a_start_behind_the_camera_is_no_solution(make_scene):
    scene = make_scene(5, 8)
    behind = scene.rotation, scene.translation * torch.tensor([1.0, 1.0, -1.0])
    result = bpnp(*scene.inputs, init=behind)
    assert not result.converged.any() and finite(result)
    assert (result.status == Status.BEHIND_CAMERA).any()


def test_wrong_shapes_types_and_devices_are_named():
    pixels, points, camera = torch.zeros(2, 5, 2), torch.zeros(5, 3), torch.eye(3)
    cases = [
        ((pixels, torch.zeros(4, 3), camera), r"points_3d: expected 5 points as points_2d, got 4"),
        ((torch.zeros(5, 3), points, camera), r"points_2d: expected shape \(\.\.\., N, 2\), got \(5, 3\)"),
        ((pixels, torch.zeros(3), camera), r"points_3d: expected shape \(\.\.\., N, 3\), got \(3,\)"),
        ((pixels, points, torch.eye(4)), r"camera_matrix: expected shape \(\.\.\., 3, 3\), got \(4, 4\)"),
        ((pixels, points, camera, torch.ones(4)), r"weights: expected 5 points as points_2d, got 4"),
        (
            (pixels, points.double(), camera),
            r"points_3d: expected torch.float32 on cpu as points_2d, got torch.float64",
        ),
        ((pixels.long(), points, camera), r"points_2d: expected a floating type, got torch.int64"),
        ((pixels.numpy(), points, camera), r"points_2d: expected a tensor, got ndarray"),
        ((pixels, torch.zeros(3, 5, 3), camera), r"do not broadcast: points_2d \(2,\), points_3d \(3,\)"),
        ((pixels, points.to("meta"), camera), r"points_3d: expected torch.float32 on cpu as points_2d, got .* on meta"),
    ]
    for inputs, message in cases:
        with pytest.raises(InputError, match=message):
            bpnp(*inputs)
    with pytest.raises(InputError, match=r"init translation: expected shape \(\.\.\., 3\), got \(2, 2\)"):
        bpnp(pixels, points, camera, init=(torch.eye(3), torch.zeros(2, 2)))
    with pytest.raises(InputError, match=r"robust loss: expected a scale above 0 pixels, got -1"):
        bpnp(pixels, points, camera, loss=RobustLoss("huber", -1))
    with pytest.raises(InputError, match=r"expected huber, cauchy or geman_mcclure, got 'tukey'"):
        RobustLoss("tukey", 1.0)
