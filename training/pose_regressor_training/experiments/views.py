"""What the experiments with BPnP share: cameras, random views, and residuals with the best poses."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from pose_regressor.ops.pnp import PnPResult, bpnp
from pose_regressor_training.experiments.rotations import matrix_from_rotvec, random_rotation


class Views(NamedTuple):
    """Poses of the object in cameras.

    rotation: (..., 3, 3)
    translation: (..., 3)
    """

    rotation: Tensor
    translation: Tensor


def arguments(description: str | None) -> argparse.ArgumentParser:
    """The options of every experiment."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--out", type=Path, default=Path("results"), metavar="DIR", help="folder for the results")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="a small size that shows the same in seconds")
    return parser


def camera_from(intrinsics: Tensor) -> Tensor:
    """(..., 4) fx, fy, cx, cy in pixels -> (..., 3, 3)."""
    fx, fy, cx, cy = intrinsics.unbind(-1)
    zero, one = torch.zeros_like(fx), torch.ones_like(fx)
    return torch.stack([fx, zero, cx, zero, fy, cy, zero, zero, one], -1).unflatten(-1, (3, 3))


def in_camera(points_3d: Tensor, views: Views) -> Tensor:
    """(..., N, 3) in the object's frame -> (..., N, 3) in the camera's."""
    return points_3d @ views.rotation.mT + views.translation.unsqueeze(-2)


def seen(points_3d: Tensor, views: Views, camera_matrix: Tensor) -> Tensor:
    """(..., N, 3) in the object's frame -> (..., N, 2) pixels."""
    image = in_camera(points_3d, views) @ camera_matrix.mT
    return image[..., :2] / image[..., 2:]


def residuals(
    points_2d: Tensor, points_3d: Tensor, camera_matrix: Tensor, init: Views | None = None
) -> tuple[Tensor, PnPResult]:
    """(..., N, 2) pixels that remain after every view has taken its best pose; differentiable through the poses."""
    pose = bpnp(points_2d, points_3d, camera_matrix, init=init)
    return seen(points_3d, Views(pose.rotation, pose.translation), camera_matrix) - points_2d, pose


def random_views(count: int, distance: float, generator: torch.Generator, tilt: float = torch.pi) -> Views:
    """Turned by up to `tilt` radians (pi: any rotation), at 0.8 to 1.2 of `distance`, a little off the axis."""
    if tilt >= torch.pi:
        rotation = random_rotation(count, generator)
    else:
        axis = torch.nn.functional.normalize(torch.randn(count, 3, generator=generator, dtype=torch.float64), dim=-1)
        rotation = matrix_from_rotvec(axis * tilt * torch.rand(count, 1, generator=generator, dtype=torch.float64))
    where = torch.rand(count, 3, generator=generator, dtype=torch.float64) * 2 - 1
    scale = distance * torch.tensor([0.08, 0.08, 0.2], dtype=torch.float64)
    return Views(rotation, where * scale + torch.tensor([0, 0, distance], dtype=torch.float64))
