"""Sets of correspondences, made fit to compute with."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

#: Items with numbers beyond this, or not finite, are not solved: their squares are still far from overflowing.
LARGEST = 1e30


class Inputs(NamedTuple):
    """points_2d (B, N, 2), points_3d (B, N, 3), camera_matrix (B, 3, 3), weights (B, N)."""

    points_2d: Tensor
    points_3d: Tensor
    camera_matrix: Tensor
    weights: Tensor


class Problem(NamedTuple):
    """B sets of N correspondences, and how their points were moved and scaled.

    pixels: (B, 2, N); points: (B, 4, N) homogeneous; moments: (B, 10, N) products of two of a point's coordinates;
    weights: (B, 1, N); camera: (B, 3, 3); centre: (B, 3) and scale: (B, 1), object point = scale * point + centre.
    """

    pixels: Tensor
    points: Tensor
    moments: Tensor
    weights: Tensor
    camera: Tensor
    centre: Tensor
    scale: Tensor

    def repeat(self, count: int) -> Problem:
        """Each item `count` times, one after the other."""
        return Problem(*(repeat(value, count) for value in self))


def repeat(value: Tensor, count: int) -> Tensor:
    """(B, ...) -> (B * count, ...); much faster than Tensor.repeat_interleave."""
    return value.unsqueeze(1).expand(-1, count, *value.shape[1:]).flatten(0, 1)


def invalid_items(inputs: Inputs) -> Tensor:
    """(B,): which have a number that is not finite or too large, or a weight below 0."""
    largest = torch.cat([value.flatten(1) for value in inputs], 1).abs().amax(1)  # NaN where there is one
    return ~((largest < LARGEST) & (inputs.weights >= 0).all(1))


def prepare(inputs: Inputs, without: Tensor) -> Problem:
    """The problem in float64; the items (B,) that it is to be without get zeros."""
    x, z, camera, weights = (value.double() for value in inputs)
    item, square = without[:, None], without[:, None, None]
    eye = torch.eye(3, dtype=camera.dtype, device=camera.device)
    x, z, camera = x.masked_fill(square, 0), z.masked_fill(square, 0), torch.where(square, eye, camera)
    return normalise(x, z, camera, weights.masked_fill(item, 0))


def normalise(pixels: Tensor, points: Tensor, camera: Tensor, weights: Tensor) -> Problem:
    """(B, N, 2), (B, N, 3), (B, 3, 3), (B, N) float64 -> a Problem. Centroid and spread count as constants."""
    with torch.no_grad():
        share = weights.unsqueeze(1) / weights.sum(1).clamp(min=1e-300)[:, None, None]
        centre = torch.bmm(share, points)
    moved = points - centre
    with torch.no_grad():
        scale = torch.bmm(share, moved.square()).sum(2, keepdim=True).sqrt()
        scale = torch.where(scale > 0, scale, 1.0)
    points = torch.nn.functional.pad(moved / scale, (0, 1), value=1.0).mT
    x, y, z, one = points.split(1, 1)
    moments = torch.cat([x * points, y * points[:, 1:], z * points[:, 2:], one], 1)
    return Problem(
        pixels.mT.contiguous(),
        points,
        moments,
        weights.unsqueeze(1),
        camera,
        centre.squeeze(1),
        scale.squeeze(2),
    )


def moved_pose(problem: Problem, pose: Tensor) -> Tensor:
    """(B, 3, 4) [R | t] of the points as they were -> of the moved ones."""
    rotation, translation = pose[..., :3], pose[..., 3:]
    translation = torch.baddbmm(translation, rotation, problem.centre.unsqueeze(2)) / problem.scale.unsqueeze(2)
    return torch.cat([rotation, translation], 2)
