"""Muon against the singular value decomposition, and beside torch's own AdamW."""

import copy

import pytest
import torch

from pose_regressor.network.config import NetworkConfig
from pose_regressor.network.network import PoseNetwork
from pose_regressor_training.train.muon import Muon, all_orthogonalised, split
from pose_regressor_training.train.start import FIRST


@pytest.mark.parametrize("shape", [(16, 16), (24, 200), (200, 24), (80, 96), (80, 400)])
@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_orthogonalised_is_what_the_svd_makes_of_it(shape, scale):
    matrix = scale * torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    u, s, vt = torch.linalg.svd(matrix, full_matrices=False)
    (ours,) = (result.double() for result in all_orthogonalised([matrix]))
    in_their_axes = u.mT @ ours @ vt.mT
    kept = s > 0.02 * s[0]  # five steps do not lift the smallest ones all the way
    gains = in_their_axes.diagonal()[kept]
    assert (gains > 0.6).all() and (gains < 1.25).all()
    torch.testing.assert_close(in_their_axes, torch.diag(in_their_axes.diagonal()), atol=1e-3, rtol=0)
    (coarse,) = (result.double() for result in all_orthogonalised([matrix], torch.bfloat16))
    assert (coarse - ours).norm() < 0.1 * ours.norm()


def test_matrices_that_go_together_come_out_as_each_by_itself():
    generator = torch.Generator().manual_seed(0)
    matrices = [torch.randn(shape, generator=generator) for shape in ((16, 16), (32, 8), (40, 50), (9, 60), (100, 70))]
    for matrix, result in zip(matrices, all_orthogonalised(matrices), strict=True):
        (alone,) = all_orthogonalised([matrix])
        assert result.shape == matrix.shape
        torch.testing.assert_close(result, alone, atol=1e-4, rtol=0)


def test_nothing_moves_without_a_gradient():
    assert (all_orthogonalised([torch.zeros(8, 9), torch.zeros(80, 90)])[1] == 0).all()


def test_a_step_is_as_long_as_said_whatever_the_gradient():
    for shape in ((32, 32, 3, 3), (64, 16)):
        weight = torch.nn.Parameter(torch.zeros(shape))
        optimizer = Muon([weight], [], lr=0.01, weight_decay=0.5, precision=torch.float32)
        weight.grad = 1e-6 * torch.randn(shape, generator=torch.Generator().manual_seed(1))
        optimizer.step()
        rows, columns = weight.flatten(1).shape
        # Orthonormal rows or columns have min(rows, columns) as their sum of squares; ours are 0.7 to 1.2 as long.
        expected = 0.2 * 0.01 * (max(rows, columns) * min(rows, columns) / (rows * columns)) ** 0.5
        assert weight.detach().square().mean().sqrt().item() == pytest.approx(expected, rel=0.3)
        assert (weight * weight.grad).sum() < 0


def test_the_others_are_adamw_s():
    torch.manual_seed(0)
    ours = [torch.nn.Parameter(torch.randn(shape)) for shape in ((7,), (3, 5), ())]
    theirs = copy.deepcopy(ours)
    mine = Muon([], ours, lr=0.02, weight_decay=0.1, betas=(0.9, 0.999))
    torchs = torch.optim.AdamW(theirs, lr=0.02, weight_decay=0.1)
    for _ in range(5):
        for one, two in zip(ours, theirs, strict=True):
            one.grad = torch.randn_like(one)
            two.grad = one.grad.clone()
        mine.step()
        torchs.step()
    torch.testing.assert_close(ours, theirs)


def test_which_parameters_are_hidden():
    network = PoseNetwork(NetworkConfig(width=8, blocks=(1, 1, 1, 1)), 5)
    hidden, others = split(network, FIRST)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    assert len(hidden) + len(others) == len(names)
    at_the_ends = {"backbone.conv1", "box_head.out", "dense_head.out", "regression_head.out"}
    assert at_the_ends == {names[id(p)].removesuffix(".weight") for p in others if p.ndim > 1}
    assert all(p.ndim > 1 for p in hidden)
