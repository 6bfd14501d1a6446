"""What the network says of an image, and the modules that say it. One set of channels an object throughout."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pose_regressor.network.config import BOX_STRIDE


@dataclass(frozen=True, eq=False)
class BoxOutput:
    """The box head's answer, cell (i, j) standing at pixel (BOX_STRIDE * j, BOX_STRIDE * i).

    logits: (B, O, H/8, W/8) presence of a box centre in the cell; boxes: (B, O, 4, H/8, W/8) centre offset from the
    cell in strides, then log(size / BOX_STRIDE).
    """

    logits: Tensor
    boxes: Tensor

    def decode(self) -> Tensor:
        """(B, O, H/8, W/8, 4) x0, y0, x1, y1 in pixels of the input."""
        height, width = self.logits.shape[-2:]
        device = self.logits.device
        y, x = torch.meshgrid(torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij")
        centre = (self.boxes[:, :, :2] + torch.stack([x, y])) * BOX_STRIDE
        half = self.boxes[:, :, 2:].clamp(max=6).exp() * (BOX_STRIDE / 2)
        return torch.cat([centre - half, centre + half], dim=2).movedim(2, -1)


@dataclass(frozen=True, eq=False)
class PoseOutput:
    """What the network says of an object in the crop around it (O objects, each with its own channels).

    coordinates: (B, O, 3, S/2, S/2) object coordinates, each axis scaled to [-1, 1] over the object's bounds; cell
    (i, j) stands at input pixel (DENSE_STRIDE * j, DENSE_STRIDE * i). mask: (B, O, S/2, S/2) logits of "this cell shows
    the object". certainty: (B, O, S/2, S/2) minus the logarithm of the scale of the scaled coordinates' errors in the
    cell. rotation_6d: (B, O, 6) allocentric rotation. location: (B, O, 3) the projected centre of the object's
    bounds from the crop's centre, over the crop's size (x, y), and the log of the apparent diameter over the crop's
    size, ``log(f d / (z S))``: both free of the camera (CDPN, Li et al., ICCV 2019, "scale-invariant translation").
    """

    coordinates: Tensor
    mask: Tensor
    certainty: Tensor
    rotation_6d: Tensor
    location: Tensor


def _conv(channels_in: int, channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)
    )


class UpStep(nn.Module):
    """One step of the feature pyramid: the coarser map, doubled, plus the backbone's map of that size."""

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
        # Almost every cell holds no object: start there (Lin et al., Focal Loss, ICCV 2017, section 3.3).
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
        return out[:, :, :3], out[:, :, 3], out[:, :, 4].clamp(-2, 6)


class RegressionHead(nn.Module):
    """(B, C, S/32, S/32) -> rotation_6d (B, O, 6) and location (B, O, 3). Flattened, not pooled: place matters."""

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
