"""Sets of correspondences, centred and scaled for computing."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pose_regressor.geometry.reprojection import PAIRS

#: Items with larger numbers are not solved. The squares of smaller ones are far from overflowing.
LARGEST = 1e30
_PAIRS = torch.from_numpy(np.stack(PAIRS))


class Inputs(NamedTuple):
    """What `bpnp` was given, with one batch dimension.

    points_2d: (B, N, 2) pixels
    points_3d: (B, N, 3)
    camera_matrix: (B, 3, 3)
    weights: (B, N)
    """

    points_2d: Tensor
    points_3d: Tensor
    camera_matrix: Tensor
    weights: Tensor


class Problem(NamedTuple):
    """B sets of N correspondences, with their points centred and scaled ("moved").

    pixels: (B, 2, N)
    points: (B, 4, N) moved, homogeneous
    moments: (B, 10, N) products of any two of a point's four coordinates
    weights: (B, 1, N)
    camera: (B, 3, 3)
    centre: (B, 3) and scale: (B, 1), with object point = scale * point + centre
    """

    pixels: Tensor
    points: Tensor
    moments: Tensor
    weights: Tensor
    camera: Tensor
    centre: Tensor
    scale: Tensor

    def repeat(self, count: int) -> Problem:
        """All items `count` times."""
        return Problem(*(torch.cat([value] * count) for value in self))


def invalid_items(inputs: Inputs) -> Tensor:
    """(B,) bool: items with a number that is not finite or too large, or with a weight below 0."""
    largest = torch.cat([value.flatten(1) for value in inputs], 1).abs().amax(1)  # NaN where there is one
    return ~((largest < LARGEST) & (inputs.weights >= 0).all(1))


def prepare(inputs: Inputs, without: Tensor) -> Problem:
    """The problem in float64. Items in `without` (B,) get zeros. No gradient flows through centroid and spread."""
    x, z, camera, weights = inputs
    square = without[:, None, None]
    rows = torch.cat([x.mT, z.mT, weights.unsqueeze(1)], 1).double().masked_fill(square, 0.0)
    pixels, points, weights = rows.split((2, 3, 1), 1)
    share = weights.detach() / weights.detach().sum(2, keepdim=True).clamp(min=1e-300)
    centre = torch.bmm(points.detach(), share.mT)
    moved = points - centre
    scale = (share * moved.detach().square()).sum((1, 2), keepdim=True).sqrt()
    scale = scale.masked_fill(scale == 0, 1.0)
    points = torch.nn.functional.pad(moved / scale, (0, 0, 0, 1), value=1.0)
    moments = products_of_two(points)
    camera = camera.double().masked_fill(square, 0.0)
    return Problem(pixels, points, moments, weights, camera, centre.squeeze(2), scale.squeeze(2))


def products_of_two(values: Tensor) -> Tensor:
    """(B, 4, ...) -> (B, 10, ...): 00, 01, 02, 03, 11, 12, ..."""
    first, second = on(values.device, _PAIRS)
    return values.index_select(1, first) * values.index_select(1, second)


def on(device: torch.device, constant: Tensor) -> Tensor:
    """A constant made on the CPU, on this device. It is copied once: each copy would wait for the device."""
    return constant if device.type == "cpu" else _copy(device, constant)


@lru_cache
def _copy(device: torch.device, constant: Tensor) -> Tensor:
    with torch.inference_mode(False):  # a tensor made in inference mode could not take part in differentiation
        return constant.to(device)


def moved_pose(problem: Problem, pose: Tensor) -> Tensor:
    """(B, 3, 4) [R | t] of the object's points -> that of the moved points."""
    rotation, translation = pose[..., :3], pose[..., 3:]
    translation = torch.baddbmm(translation, rotation, problem.centre.unsqueeze(2)) / problem.scale.unsqueeze(2)
    return torch.cat([rotation, translation], 2)
