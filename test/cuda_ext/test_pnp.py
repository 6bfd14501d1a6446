"""The compiled PnP against the torch layer: the same poses and gradients, and statuses of items without a solution."""

import pytest
import torch

from pose_regressor.ops.extension import why_missing
from pose_regressor.ops.pnp import RobustLoss, Status, bpnp, compiled

pytestmark = pytest.mark.skipif(bool(why_missing("pnp_gradients", "cpu")), reason=why_missing("pnp_gradients", "cpu"))

CAMERA = torch.tensor([[600.0, 2, 320], [0, 630, 240], [0, 0, 1]], dtype=torch.float64)


def correspondences(batch, count, noise=2.0, shape=(1.0, 1.0, 1.0), seed=0):
    """points_2d, points_3d, camera_matrix, weights of views from 3 to 8 away."""
    generator = torch.Generator().manual_seed(seed)
    points = (2 * torch.rand(batch, count, 3, generator=generator).double() - 1) * torch.tensor(shape).double() + 0.5
    turn = torch.linalg.qr(torch.randn(batch, 3, 3, generator=generator).double())[0]
    turn = turn * torch.linalg.det(turn).sign()[:, None, None]
    place = torch.rand(batch, 3, generator=generator).double() * torch.tensor([2.0, 2, 5]) + torch.tensor([-1.0, -1, 3])
    h = (points @ turn.mT + place[:, None]) @ CAMERA.mT
    pixels = h[..., :2] / h[..., 2:] + noise * torch.randn(batch, count, 2, generator=generator).double()
    weights = 0.1 + torch.rand(batch, count, generator=generator).double()
    return pixels, points, CAMERA.repeat(batch, 1, 1), weights


def both(monkeypatch, inputs, **options):
    """(result, gradients) of the torch layer and of the compiled one."""
    found = []
    for take in (lambda inputs: False, compiled.can_take):
        with monkeypatch.context() as patch:
            patch.setattr(compiled, "can_take", take)
            leaves = [value.detach().requires_grad_() for value in inputs]
            result = bpnp(*leaves, **options)
            generator = torch.Generator().manual_seed(1)
            by = [torch.randn(value.shape, generator=generator).to(value) for value in result[:2]]
            torch.autograd.backward(result[:2], by)
            found.append((result, [leaf.grad for leaf in leaves]))
    return found


@pytest.mark.parametrize("count", [4, 8, 100])
@pytest.mark.parametrize("shape", [(1.0, 1.0, 1.0), (1.0, 1.0, 0.0), (1.0, 0.05, 0.05)], ids=["body", "plane", "thin"])
@pytest.mark.parametrize("loss", [None, "huber", "cauchy", "geman_mcclure"])
def test_poses_and_gradients_agree(monkeypatch, count, shape, loss):
    robust = None if loss is None else RobustLoss(loss, 4.0)
    inputs = correspondences(64, count, shape=shape)
    (torch_result, torch_slopes), (result, slopes) = both(monkeypatch, inputs, loss=robust)
    # Of several minima that are as good to the last digits, the two may find different ones.
    assert (result.cost <= torch_result.cost * (1 + 1e-6) + 1e-9).float().mean() > 0.96
    same = (result.rotation - torch_result.rotation).abs().amax((1, 2)) < 1e-5
    same &= (result.status == 0) & (torch_result.status == 0)
    assert same.float().mean() > 0.9
    assert (result.status == torch_result.status).float().mean() > 0.96
    for value, expected in zip(result[:4], torch_result[:4], strict=True):
        torch.testing.assert_close(value[same], expected[same], rtol=1e-3, atol=1e-6)
    for slope, expected in zip(slopes, torch_slopes, strict=True):
        error = (slope - expected)[same].flatten(1).norm(dim=1) / expected[same].flatten(1).norm(dim=1)
        assert error.median() < 1e-7 and error.max() < 1e-3


def test_a_given_start_leads_to_the_same_minimum(monkeypatch):
    inputs = correspondences(32, 8)
    first = bpnp(*inputs)
    (expected, _), (result, _) = both(monkeypatch, inputs, init=(first.rotation, first.translation + 0.05))
    torch.testing.assert_close(result.rotation, expected.rotation, rtol=0, atol=1e-9)
    torch.testing.assert_close(result.translation, expected.translation, rtol=0, atol=1e-9)


def test_items_without_a_solution_have_the_same_status_and_no_gradient(monkeypatch):
    pixels, points, camera, weights = (value.clone() for value in correspondences(9, 6, noise=0.0))
    pixels[0, 2, 0] = torch.nan
    points[1, 3, 1] = torch.inf
    camera[2, 0, 0] = 1e31
    weights[3, 0] = -1
    weights[4, :3] = 0
    points[5] = points[5, :1]
    points[6] = torch.linspace(-1, 1, 6)[:, None].double() * torch.tensor([1.0, 2, 3]).double()
    pixels[7] = pixels[7, :1]
    (expected, torch_slopes), (result, slopes) = both(monkeypatch, (pixels, points, camera, weights))
    in_one_place = 5  # rounding decides whether the point is behind the camera
    assert {int(result.status[in_one_place]), int(expected.status[in_one_place])} <= {
        int(Status.DEGENERATE), int(Status.BEHIND_CAMERA),
    }  # fmt: skip
    others = torch.arange(9) != in_one_place
    torch.testing.assert_close(result.status[others], expected.status[others])
    assert result.status.tolist()[:5] == [int(Status.INVALID_INPUT)] * 4 + [int(Status.TOO_FEW_POINTS)]
    assert result.status[8] == int(Status.OK)
    bad = result.status != int(Status.OK)
    for slope, other in zip(slopes, torch_slopes, strict=True):
        assert slope.isfinite().all() and not slope[bad].any() and not other[bad].any()
    assert result.rotation.isfinite().all() and (result.covariance[bad].diagonal(dim1=1, dim2=2) == torch.inf).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_same_input_gives_the_same_bits_on_any_number_of_threads(dtype):
    inputs = [value.to(dtype) for value in correspondences(100, 12)]
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 2):
            torch.set_num_threads(threads)
            results.append(bpnp(*inputs))
    finally:
        torch.set_num_threads(before)
    assert results[0].rotation.dtype == dtype
    for result in results[1:]:
        assert all(torch.equal(value, first) for value, first in zip(result, results[0], strict=True))


def test_views_and_broadcast_inputs_are_read_as_they_are():
    pixels, points, camera, weights = correspondences(5, 10)
    expected = bpnp(pixels, points[:1].expand(5, -1, -1), camera, weights)
    turned = pixels.mT.contiguous().mT
    result = bpnp(turned, points[0], camera[0], weights)
    assert torch.equal(result.rotation, expected.rotation)


def test_operators_say_what_they_expected():
    pixels, points, camera, weights = correspondences(2, 5)
    operator = torch.ops.pose_regressor_cuda.pnp_solve
    with pytest.raises(ValueError, match=r"points_3d: expected \[2, 5, 3\], got \[2, 4, 3\]"):
        operator(pixels, points[:, :4], camera, weights, None, 20, 1e-5, "", 0.0, None)
    with pytest.raises(ValueError, match="loss: expected huber, cauchy, geman_mcclure or none, got welsch"):
        operator(pixels, points, camera, weights, None, 20, 1e-5, "welsch", 1.0, None)
    with pytest.raises(TypeError, match="weights: expected Double, got Float"):
        operator(pixels, points, camera, weights.float(), None, 20, 1e-5, "", 0.0, None)
