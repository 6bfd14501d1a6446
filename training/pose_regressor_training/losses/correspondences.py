"""The losses of dense correspondences, directly and through PnP ([BPnP])."""

from __future__ import annotations

import functools
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from pose_regressor.network.config import DENSE_STRIDE
from pose_regressor.ops.pnp import RobustLoss, bpnp
from pose_regressor_training.losses.objects import ObjectTensors
from pose_regressor_training.processes.torchrun import share_of

#: Correspondences that PnP gets of a window, drawn from the visible part of the object.
SAMPLES = 128
#: A window with fewer visible cells of the object is not used for PnP.
FEWEST = 24
#: A correspondence whose error is larger counts less; as a share of the window's edge.
TAIL = 0.024
#: Poses that are farther off, in diameters, are left to the losses of the correspondences themselves.
FARTHEST = 0.5


def coordinates_error(predicted: Tensor, true: Tensor, objects: ObjectTensors) -> Tensor:
    """(B, 3, h, w) predicted coordinates, scaled to the bounds, minus the true ones, which are given in metres."""
    return predicted - (true - objects.centre[..., None, None]) / objects.half[..., None, None]


def coordinates_distance(error: Tensor, seen: Tensor) -> Tensor:
    """Mean smooth L1 error of all cells that are `seen` (B, h, w): the direct supervision within [BPnP]'s l_h."""
    size = smooth_l1_loss(error, torch.zeros_like(error), reduction="none", beta=0.02).sum(1)
    return (size * seen).sum() / share_of(3 * seen.sum())


def certainty_surprise(error: Tensor, certainty: Tensor, seen: Tensor) -> Tensor:
    """Negative log-likelihood of the errors under Laplace distributions of scale exp(-certainty) (B, h, w).

    It trains the certainty alone. If it also moved the coordinates, these would give up where they are hard. Kendall
    and Gal, What Uncertainties Do We Need, NeurIPS 2017, eq. 8, with absolute errors.
    """
    surprise = error.detach().abs().sum(1) * certainty.exp() - 3 * certainty
    return (surprise * seen).sum() / share_of(3 * seen.sum())


def _spread(chosen: Tensor) -> Tensor:
    """(B, SAMPLES) indices of cells, evenly spread over those that are `chosen` (B, N), where the value is 1.

    The order of the cells is fixed, so a training that is interrupted or shared by several processes draws the same.
    """
    order = _order(chosen.shape[1], chosen.device)
    upto = chosen[:, order].cumsum(1)
    wanted = (torch.arange(SAMPLES, device=chosen.device) + 0.5) / SAMPLES * upto[:, -1:]
    return order[torch.searchsorted(upto, wanted)]


@functools.lru_cache(maxsize=8)
def _order(count: int, device: torch.device) -> Tensor:
    return torch.randperm(count, generator=torch.Generator().manual_seed(0)).to(device)


class Solved(NamedTuple):
    """Poses by PnP, with gradients.

    pose: (B, 3, 4)
    usable: (B,) whether to learn from it
    """

    pose: Tensor
    usable: Tensor


def solve_pose(
    coordinates: Tensor, certainty: Tensor, seen: Tensor, pose: Tensor, camera: Tensor, objects: ObjectTensors
) -> Solved:
    """The poses that PnP finds from coordinates (B, 3, h, w), weighted by their certainty (B, h, w).

    seen: (B, h, w) cells from which the correspondences are drawn
    pose: (B, 4, 4) true poses, where the search starts: it finds the nearest minimum, and that is what the gradients
        move
    camera: (B, 3, 3) of the window

    A correspondence weighs the inverse square of its scale.
    """
    width = seen.shape[2]
    chance = seen.flatten(1).float()
    enough = chance.sum(1) >= FEWEST
    index = _spread(torch.where(enough[:, None], chance, 1.0))
    pixels = torch.stack([index % width, index // width], dim=2).to(coordinates) * DENSE_STRIDE
    scaled = coordinates.flatten(2).gather(2, index[:, None].expand(-1, 3, -1)).mT
    points = scaled * objects.half[:, None] + objects.centre[:, None]
    log_weight = 2 * certainty.flatten(1).gather(1, index)
    weights = SAMPLES * log_weight.softmax(1)
    result = bpnp(
        pixels, points, camera, weights, (pose[:, :3, :3], pose[:, :3, 3]),
        loss=RobustLoss("cauchy", TAIL * width * DENSE_STRIDE), iterations=10,
    )  # fmt: skip
    solved = torch.cat([result.rotation, result.translation.unsqueeze(2)], dim=2)
    return Solved(solved, result.converged & enough)


def points_distance(solved: Solved, pose: Tensor, objects: ObjectTensors) -> Tensor:
    """(B,) mean distance of the object's points under two poses (ADD), in diameters; 0 where PnP is not usable."""
    error = solved.pose[:, :, :3] @ objects.points.mT + solved.pose[:, :, 3:]
    error = error - (pose[:, :3, :3] @ objects.points.mT + pose[:, :3, 3:])
    distance = error.norm(dim=1).mean(1) / objects.diameter
    return torch.where(solved.usable & (distance < FARTHEST), distance, 0.0)


def reprojection_distance(solved: Solved, pose: Tensor, camera: Tensor, size: int, objects: ObjectTensors) -> Tensor:
    """(B,) [BPnP]'s l_p: mean squared distance of the projected points under two poses, in shares of the window."""

    def image(rotation: Tensor, translation: Tensor) -> Tensor:
        h = camera @ (rotation @ objects.points.mT + translation)
        return h[:, :2] / h[:, 2:].clamp(min=1e-6)

    error = image(solved.pose[:, :, :3], solved.pose[:, :, 3:]) - image(pose[:, :3, :3], pose[:, :3, 3:])
    distance = (error / size).square().sum(1).mean(1)
    return torch.where(solved.usable & (distance < FARTHEST**2), distance, 0.0)
