"""The modules that compute the network's outputs. Each object has channels of its own."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pose_regressor.network.graph import LEAST_CERTAINTY, MOST_CERTAINTY
from pose_regressor.network.outputs import BoxOutput


def _conv(channels_in: int, channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)
    )


class UpStep(nn.Module):
    """One step of the feature pyramid: the coarser map at twice its size, plus the backbone's map of that size."""

    def __init__(self, coarse: int, lateral: int, channels: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(coarse, channels, 1)
        self.lateral = nn.Conv2d(lateral, channels, 1)
        self.smooth = _conv(channels, channels)

    def forward(self, coarse: Tensor, lateral: Tensor) -> Tensor:
        doubled = nn.functional.interpolate(self.reduce(coarse), scale_factor=2.0, mode="nearest")
        return self.smooth(doubled + self.lateral(lateral))


class BoxHead(nn.Module):
    """(B, C, H/8, W/8) -> BoxOutput."""

    def __init__(self, channels: int, objects: int) -> None:
        super().__init__()
        self.conv = _conv(channels, channels)
        self.out = nn.Conv2d(channels, 5 * objects, 1)
        nn.init.normal_(self.out.weight, std=0.01)
        # Almost no cell holds an object, so training starts there (Lin et al., Focal Loss, ICCV 2017, section 3.3).
        bias = torch.tensor([-4.0] * objects + [0.0] * 4 * objects)
        self.out.bias = nn.Parameter(bias)
        self.objects = objects

    def forward(self, x: Tensor) -> BoxOutput:
        out = self.out(self.conv(x))
        return BoxOutput(out[:, : self.objects], out[:, self.objects :].unflatten(1, (self.objects, 4)))


class DenseHead(nn.Module):
    """(B, C, S/2, S/2) -> coordinates (B, O, 3, S/2, S/2), mask logits and certainty (B, O, S/2, S/2)."""

    def __init__(self, channels: int, objects: int) -> None:
        super().__init__()
        self.conv = _conv(channels, channels)
        self.out = nn.Conv2d(channels, 5 * objects, 1)
        self.objects = objects

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        out = self.out(self.conv(x)).unflatten(1, (self.objects, 5))
        return out[:, :, :3], out[:, :, 3], out[:, :, 4].clamp(LEAST_CERTAINTY, MOST_CERTAINTY)


class RegressionHead(nn.Module):
    """(B, C, S/32, S/32) -> rotation_6d (B, O, 6) and location (B, O, 3). Flattened, not pooled: places matter."""

    def __init__(self, channels: int, cells: int, objects: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, 64, 1)
        self.hidden = nn.Linear(64 * cells * cells, 256)
        self.out = nn.Linear(256, 9 * objects)
        self.objects = objects

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = torch.relu(self.hidden(torch.relu(self.reduce(x)).flatten(1)))
        out = self.out(hidden).unflatten(1, (self.objects, 9))
        return out[..., :6], out[..., 6:]
