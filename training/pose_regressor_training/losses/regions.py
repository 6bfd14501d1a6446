"""A classification of which part of the object a cell shows. Only trainings use it, beside the coordinates.

While a network cannot tell one side of an object from another, the coordinates of the object's middle err least, and
regression teaches it little more. Classes have no middle: telling parts apart pays from the first images on. Regions as
a second target are from GDR-Net (Wang et al., CVPR 2021, section 3.3). There they guide the pose; here they guide only
the learning, and the bundle holds nothing of them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from pose_regressor.network.config import DENSE_STRIDE
from pose_regressor_training.losses.objects import REGIONS, ObjectTensors
from pose_regressor_training.processes.torchrun import share_of

#: Pixels between two cells of the classification.
STRIDE = 8


class RegionHead(nn.Module):
    """Features (B, C, S/8, S/8) of the network -> logits (B, O, REGIONS, S/8, S/8)."""

    def __init__(self, channels: int, objects: int) -> None:
        super().__init__()
        self.out = nn.Conv2d(channels, REGIONS * objects, 1)
        self.objects = objects

    def forward(self, features: Tensor) -> Tensor:
        return self.out(features).unflatten(1, (self.objects, REGIONS))


def regions_surprise(logits: Tensor, true: Tensor, seen: Tensor, objects: ObjectTensors) -> Tensor:
    """Mean cross-entropy of the logits over the visible cells.

    logits: (B, REGIONS, h, w)
    true: (B, 3, H, W) object coordinates in metres; a cell's region is the one with the nearest centre
    seen: (B, H, W) visible cells; H and W are multiples of h and w
    """
    step = STRIDE // DENSE_STRIDE
    true, seen = true[..., ::step, ::step], seen[..., ::step, ::step]
    region = torch.cdist(true.flatten(2).mT, objects.regions).argmin(2)
    surprise = cross_entropy(logits.flatten(2).float(), region, reduction="none")
    return (surprise * seen.flatten(1)).sum() / share_of(seen.sum())
