"""Heatmaps and coordinates against closed forms, and the chain from heatmaps to a pose against finite differences."""

import math

import pytest
import torch
from torch.autograd import gradcheck

from pose_regressor.geometry.camera import project
from pose_regressor.ops.dsnt import (
    dsnt,
    expectation,
    flat_softmax,
    gaussian_heatmap,
    js_divergence,
    js_loss,
    variance,
    variance_loss,
)
from pose_regressor.ops.pnp import bpnp
from pose_regressor.types import InputError


def test_one_pixel_is_its_own_centre():
    logits = torch.full((2, 5, 9), -1e4)
    logits[0, 3, 7] = logits[1, 0, 2] = 0
    torch.testing.assert_close(dsnt(logits), torch.tensor([[7.0, 3.0], [2.0, 0.0]]))


def test_uniform_heatmap_has_the_moments_of_a_uniform_distribution():
    heatmap = flat_softmax(torch.zeros(6, 10, dtype=torch.float64))
    torch.testing.assert_close(expectation(heatmap), torch.tensor([4.5, 2.5], dtype=torch.float64))
    torch.testing.assert_close(variance(heatmap), torch.tensor([99 / 12, 35 / 12], dtype=torch.float64))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gaussian_has_its_centre_and_its_variance(dtype):
    centre = torch.tensor([[[20.3, 14.8], [25.0, 17.45]]], dtype=dtype)
    heatmap = gaussian_heatmap(centre, 32, 48, sigma=1.5)
    assert heatmap.shape == (1, 2, 32, 48)
    torch.testing.assert_close(heatmap.sum((2, 3)), torch.ones(1, 2, dtype=dtype))
    torch.testing.assert_close(expectation(heatmap), centre)
    torch.testing.assert_close(variance(heatmap), torch.full((1, 2, 2), 2.25, dtype=dtype), rtol=1e-5, atol=1e-5)
    assert variance_loss(heatmap, 1.5).max() < 1e-9
    torch.testing.assert_close(variance_loss(heatmap, 1.0), torch.full((1, 2), 2 * 1.25**2, dtype=dtype))


def test_gaussian_far_outside_stays_finite():
    heatmap = gaussian_heatmap(torch.tensor([-300.0, 8.0]), 16, 16, sigma=1.0)
    torch.testing.assert_close(expectation(heatmap), torch.tensor([0.0, 8.0]))


def test_jensen_shannon_divergence_of_known_distributions():
    heatmap = torch.tensor([[0.5, 0.5, 0.0, 0.0]], dtype=torch.float64)
    assert js_divergence(heatmap, heatmap).item() == 0
    assert js_divergence(heatmap, heatmap.flip(-1)).item() == pytest.approx(math.log(2))
    half = torch.tensor([[0.0, 0.5, 0.5, 0.0]], dtype=torch.float64)
    assert js_divergence(heatmap, half).item() == pytest.approx(math.log(2) / 2)
    centre = torch.tensor([4.2, 3.1], dtype=torch.float64)
    assert js_loss(gaussian_heatmap(centre, 8, 9, 1.2), centre, 1.2).item() == pytest.approx(0, abs=1e-15)


def test_gradients_are_those_of_finite_differences():
    logits = torch.randn(2, 4, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64, requires_grad=True)
    centre = torch.tensor([[1.5, 2.5], [3.2, 0.1]], dtype=torch.float64, requires_grad=True)
    assert gradcheck(dsnt, (logits,))
    assert gradcheck(lambda x: variance_loss(flat_softmax(x), 1.0), (logits,))
    assert gradcheck(lambda x, c: js_loss(flat_softmax(x), c, 1.0), (logits, centre))


def test_gradient_is_finite_where_a_heatmap_is_exactly_zero():
    logits = torch.zeros(8, 8)
    logits[2, 2] = 1e4
    logits.requires_grad_()
    js_loss(flat_softmax(logits), torch.tensor([5.0, 5.0]), 1.0).backward()
    assert logits.grad is not None and logits.grad.isfinite().all()


def test_heatmaps_to_pose_is_one_differentiable_chain():
    """Logits -> coordinates -> pose: the pose that made the heatmaps, and exact gradients all the way."""
    points = torch.tensor(
        [[-1, -1, -0.4], [1, -1, 0.5], [1, 1, -0.3], [-1, 1, 0.6], [0.2, -0.1, 1]], dtype=torch.float64
    )
    camera = torch.tensor([[40, 0, 11.5], [0, 42, 10.5], [0, 0, 1]], dtype=torch.float64)
    translation = torch.tensor([0.1, 0.1, 10], dtype=torch.float64)
    pixels = torch.from_numpy(project((points + translation).numpy(), camera.numpy()))
    logits = gaussian_heatmap(pixels, 22, 24, sigma=1.0).clamp(min=1e-300).log()
    result = bpnp(dsnt(logits), points, camera)
    assert result.converged
    torch.testing.assert_close(result.translation, translation, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(result.rotation, torch.eye(3, dtype=torch.float64), rtol=1e-5, atol=1e-5)

    logits = (logits + 0.1 * torch.randn_like(logits)).clamp(min=-20).requires_grad_()

    def pose(values):
        found = bpnp(dsnt(values), points, camera)
        return torch.cat([found.rotation.flatten(), found.translation])

    assert gradcheck(pose, (logits,), fast_mode=True)


@pytest.mark.parametrize("heatmap", [torch.zeros(4), torch.zeros(4, 4, dtype=torch.int64)])
def test_wrong_heatmaps_are_refused(heatmap):
    with pytest.raises(InputError, match="heatmap: expected"):
        dsnt(heatmap)
