"""The losses of what is regressed for a window: rotation, location, silhouette."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from pose_regressor.ops.projection import projection_loss
from pose_regressor_training.losses.objects import ObjectTensors

#: Edge of the grid on which silhouettes are compared.
GRID = 32


def rotation_distance(predicted: Tensor, true: Tensor, objects: ObjectTensors) -> Tensor:
    """(B,) [DPR]'s L_r: mean distance of the object's points under two rotations (B, 3, 3), in diameters."""
    return ((predicted - true) @ objects.points.mT).norm(dim=1).mean(1) / objects.diameter


def quaternion_distance(predicted: Tensor, true: Tensor) -> Tensor:
    """(B,) [DPR]'s L_q: 1 - <q, q'>², the squared sine of half the angle between two rotations (B, 3, 3)."""
    # The trace of the rotation between them is 1 + 2 cos(angle), whatever the quaternion's sign.
    trace = torch.einsum("bij,bij->b", predicted, true)
    return (3 - trace) / 4


def location_target(pose: Tensor, camera: Tensor, size: int, objects: ObjectTensors) -> Tensor:
    """(B, 3) what `PoseOutput.location` should be for poses (B, 4, 4) in windows with cameras (B, 3, 3)."""
    at = (pose[:, :3, :3] @ objects.centre.unsqueeze(2)).squeeze(2) + pose[:, :3, 3]
    pixel = (camera @ at.unsqueeze(2)).squeeze(2)
    shift = (pixel[:, :2] / pixel[:, 2:] - (size - 1) / 2) / size
    focal = (camera[:, 0, 0] * camera[:, 1, 1]).sqrt()
    apparent = (focal * objects.diameter / (at[:, 2] * size)).log()
    return torch.cat([shift, apparent.unsqueeze(1)], dim=1)


def location_distance(predicted: Tensor, true: Tensor) -> Tensor:
    """(B,) [DPR]'s L_t, in shares of the window and of the apparent size: independent of camera and scale."""
    return smooth_l1_loss(predicted, true, beta=0.02, reduction="none").sum(1)


def silhouette_distance(pose: Tensor, true: Tensor, camera: Tensor, size: int, objects: ObjectTensors) -> Tensor:
    """(B,) [DPR]'s L_PL between two poses (B, 4, 4) in windows of `size` pixels."""
    scale = GRID / size
    return projection_loss(
        objects.points, pose[:, :3, :3], pose[:, :3, 3], true[:, :3, :3], true[:, :3, 3], camera, (GRID, GRID), scale,
        check_values=False,
    )  # fmt: skip


def raw_rotation_size(rotation_6d: Tensor) -> Tensor:
    """(B,) [DPR]'s L_reg: how far the two columns (B, 6) are from unit length and from a right angle."""
    first, second = rotation_6d.split(3, dim=1)
    lengths = (first.norm(dim=1) - 1).square() + (second.norm(dim=1) - 1).square()
    return lengths + (first * second).sum(1).square()
