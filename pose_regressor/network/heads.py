"""The network's outputs, and the modules that compute them. Each object has channels of its own."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pose_regressor.network.config import BOX_STRIDE


@dataclass(frozen=True, eq=False)
class BoxOutput:
    """The box head's output. Cell (i, j) stands at pixel (x, y) = (BOX_STRIDE * j, BOX_STRIDE * i).

    logits: (B, O, H/8, W/8) presence of a box's centre in the cell
    boxes: (B, O, 4, H/8, W/8) offset (x, y) of the centre from the cell, in strides; then log(size / BOX_STRIDE)
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

    def peaks(self, count: int) -> tuple[NDArray, NDArray]:
        """The best `count` local maxima of the first image's presence: scores (O, count) and boxes (O, count, 4)."""
        score = self.logits.float().sigmoid()
        score = score * (score == nn.functional.max_pool2d(score, 3, 1, 1))
        best, index = score[0].flatten(1).topk(min(count, score[0, 0].numel()), dim=1)
        boxes = self.decode()[0].flatten(1, 2).gather(1, index[..., None].expand(-1, -1, 4))
        return best.cpu().numpy(), boxes.cpu().numpy()


@dataclass(frozen=True, eq=False)
class PoseOutput:
    """The pose heads' output for crops of S pixels: what each of O objects would look like if the crop showed it.

    Cell (i, j) of a map stands at pixel (x, y) = (DENSE_STRIDE * j, DENSE_STRIDE * i) of the crop. The last two fields
    do not depend on the camera (CDPN, Li et al., ICCV 2019, "scale-invariant translation").

    coordinates: (B, O, 3, S/2, S/2) object coordinates, each axis scaled to [-1, 1] over the object's bounds
    mask: (B, O, S/2, S/2) logits of "this cell shows the object"
    certainty: (B, O, S/2, S/2) minus the logarithm of the scale of the cell's errors in scaled coordinates
    rotation_6d: (B, O, 6) allocentric rotation, see `geometry.rotation`
    location: (B, O, 3) the projected centre of the object's bounds from the crop's centre, over S (x, y); and the
        logarithm of the apparent diameter over S, log(f d / (z S))
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
        return out[:, :, :3], out[:, :, 3], out[:, :, 4].clamp(-2, 6)


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
