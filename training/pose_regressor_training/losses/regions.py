"""Which part of the object a cell shows: a classification beside the regression of coordinates, for training alone.

While a network cannot tell one side of an object from another, the coordinates that err least are those of its middle,
and regression teaches it little more. Classes have no middle: telling parts apart pays from the first images on. The
idea of regions as a second target is that of GDR-Net (Wang et al., CVPR 2021, section 3.3), where they guide the pose;
here they only guide the learning, and nothing of them is in the bundle.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from pose_regressor.network.config import DENSE_STRIDE
from pose_regressor_training.losses.objects import REGIONS, ObjectTensors
from pose_regressor_training.processes.torchrun import share_of

#: Pixels between two cells that are asked.
STRIDE = 8


class RegionHead(nn.Module):
    """(B, C, S/8, S/8) features of the network -> (B, O, REGIONS, S/8, S/8) logits."""

    def __init__(self, channels: int, objects: int) -> None:
        super().__init__()
        self.out = nn.Conv2d(channels, REGIONS * objects, 1)
        self.objects = objects

    def forward(self, features: Tensor) -> Tensor:
        return self.out(features).unflatten(1, (self.objects, REGIONS))


def regions_surprise(logits: Tensor, true: Tensor, seen: Tensor, objects: ObjectTensors) -> Tensor:
    """Mean cross-entropy of logits (B, REGIONS, h, w) where the object is seen (B, H, W), a multiple of (h, w).

    true: (B, 3, H, W) coordinates in metres. A cell's region is that of the nearest centre.
    """
    step = STRIDE // DENSE_STRIDE
    true, seen = true[..., ::step, ::step], seen[..., ::step, ::step]
    region = torch.cdist(true.flatten(2).mT, objects.regions).argmin(2)
    surprise = cross_entropy(logits.flatten(2).float(), region, reduction="none")
    return (surprise * seen.flatten(1)).sum() / share_of(seen.sum())
