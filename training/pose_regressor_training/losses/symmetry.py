"""Of the poses that look the same, the one that the network means."""

from __future__ import annotations

import torch
from torch import Tensor

from pose_regressor_training.losses.objects import ObjectTensors


@torch.no_grad()
def nearest_equal(
    coordinates: Tensor, rotation: Tensor, seen: Tensor, truth: Tensor, pose: Tensor, objects: ObjectTensors
) -> Tensor:
    """(B, 4, 4): of the objects' equal poses E the one for which the answers fit ``pose @ E`` best.

    Judged by coordinates (B, 3, h, w), scaled to the bounds, beside the true ones, `truth` (B, 3, h, w) metres, where
    they are `seen` (B, h, w), on every fourth cell; and by the rotation (B, 3, 3) beside that of the pose (B, 4, 4).
    One choice serves all losses, lest they pull to different ones.
    """
    equal = objects.equal
    if equal.shape[1] == 1:
        return equal[:, 0]
    predicted, true, mask = (v[..., ::4, ::4].flatten(-2).float() for v in (coordinates, truth, seen))
    shown = predicted * objects.half[..., None] + objects.centre[..., None]
    # Seen in E's frame, the object's point p is E^-1 p; comparing E p' with p needs no inverse.
    moved = equal[..., :3, :3] @ shown[:, None] + equal[..., :3, 3:]
    distance = ((moved - true[:, None]).norm(dim=2) * mask[:, None]).sum(2) / mask.sum(1).clamp(min=1)[:, None]
    turned = (pose[:, None, :3, :3] @ equal[..., :3, :3] - rotation[:, None]) @ objects.points.mT[:, None]
    best = (distance + turned.norm(dim=2).mean(2)).argmin(1)
    return equal[torch.arange(len(best), device=best.device), best]
