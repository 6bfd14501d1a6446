"""Of all poses that look the same, the one that the network means."""

from __future__ import annotations

import torch
from torch import Tensor

from pose_regressor_training.losses.objects import ObjectTensors


@torch.no_grad()
def nearest_equal(
    coordinates: Tensor, rotation: Tensor, seen: Tensor, truth: Tensor, pose: Tensor, objects: ObjectTensors
) -> Tensor:
    """(B, 4, 4): the motion E, of those in `objects.equal`, for which the network's answers fit ``pose @ E`` best.

    coordinates: (B, 3, h, w) predicted, scaled to the bounds
    rotation: (B, 3, 3) regressed
    seen: (B, h, w) visible cells; every fourth of them is compared
    truth: (B, 3, h, w) true coordinates, metres
    pose: (B, 4, 4) true pose

    All losses use this one choice, so that they pull in the same direction.
    """
    equal = objects.equal
    if equal.shape[1] == 1:
        return equal[:, 0]
    predicted, true, mask = (v[..., ::4, ::4].flatten(-2).float() for v in (coordinates, truth, seen))
    shown = predicted * objects.half[..., None] + objects.centre[..., None]
    # In E's frame, a point p of the object is E^-1 p. Comparing E p' with p needs no inverse.
    moved = equal[..., :3, :3] @ shown[:, None] + equal[..., :3, 3:]
    distance = ((moved - true[:, None]).norm(dim=2) * mask[:, None]).sum(2) / mask.sum(1).clamp(min=1)[:, None]
    turned = (pose[:, None, :3, :3] @ equal[..., :3, :3] - rotation[:, None]) @ objects.points.mT[:, None]
    best = (distance + turned.norm(dim=2).mean(2)).argmin(1)
    return equal[torch.arange(len(best), device=best.device), best]
