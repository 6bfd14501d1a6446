"""Gradients from the second thread against those of plain autograd."""

import copy

import pytest
import torch
from torch import nn

from pose_regressor.network.config import NetworkConfig
from pose_regressor.network.network import PoseNetwork
from pose_regressor_training.train.weight_gradients import WeightGradients


def loss_of(outputs) -> torch.Tensor:
    boxes, poses = outputs
    return sum(value.float().square().mean() for part in (boxes, poses) for value in vars(part).values())


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_all_gradients_of_the_network_are_autograd_s(precision):
    torch.manual_seed(0)
    network = PoseNetwork(NetworkConfig(width=8, blocks=(1, 1, 1, 1), crop_size=64), 2)
    network.to(memory_format=torch.channels_last)
    plain = copy.deepcopy(network)
    image = torch.randint(0, 256, (4, 3, 64, 64), dtype=torch.uint8)
    side = WeightGradients(precision)
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
        expected = loss_of(plain(image))
        with side:
            loss = loss_of(network(image))
    assert loss.item() == expected.item()
    expected.backward()
    loss.backward()
    convolution = network.backbone.conv1.weight
    side.collect()
    for (name, ours), theirs in zip(network.named_parameters(), plain.parameters(), strict=True):
        assert ours.grad.stride() == theirs.grad.stride(), name
        # Only the sums over all cells, which are the gradients of biases, round differently.
        close = {"rtol": 0.02, "atol": 0.02 * theirs.grad.abs().max().item()} if name.endswith("bias") else {}
        torch.testing.assert_close(ours.grad, theirs.grad, **close, msg=lambda text, name=name: f"{name}: {text}")
    before = convolution.grad.clone()
    side.collect()
    assert (convolution.grad == before).all()  # nothing is added twice


def test_gradients_add_up_and_other_convolutions_stay_as_they_are():
    torch.manual_seed(0)
    common, dilated = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=2, dilation=2)
    same = nn.Conv2d(4, 4, 3, padding="same")
    image, side = torch.rand(2, 3, 8, 8), WeightGradients(torch.float32)
    for _ in range(2):
        with side:
            out = same(dilated(common(image)))
        out.sum().backward()
        side.collect()
    once = copy.deepcopy([common, dilated, same])
    for layer in once:
        layer.zero_grad()
    once[2](once[1](once[0](image))).sum().backward()
    for layer, single in zip((common, dilated, same), once, strict=True):
        torch.testing.assert_close(layer.weight.grad, 2 * single.weight.grad)
        torch.testing.assert_close(layer.bias.grad, 2 * single.bias.grad)
