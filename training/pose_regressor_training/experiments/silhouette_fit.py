"""Poses fitted to a silhouette: starts, losses to compare, descent, and how the result is judged."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from pose_regressor.geometry.rotation import matrix_from_6d, matrix_from_quaternion
from pose_regressor.ops.projection import Kernel, MeshEdges, mesh_edges, projection_loss, render_loss
from pose_regressor.ops.projection.render import soft_silhouette
from pose_regressor.types import FloatArray
from pose_regressor_training.experiments.distance_kernel import distance_loss
from pose_regressor_training.experiments.rotations import random_rotation, sixd_from_matrix
from pose_regressor_training.meshes.mesh import Mesh, object_model

WIDTH, HEIGHT, FOCAL = 640, 480, 600.0
CAMERA = torch.tensor([[FOCAL, 0, (WIDTH - 1) / 2], [0, FOCAL, (HEIGHT - 1) / 2], [0, 0, 1]])
#: Distances from the camera in diameters: the object covers a quarter to a half of the image's height.
DISTANCE = (2.5, 5.0)
POINTS = 16000
#: Grid pixels per image pixel.
FINE = 0.4
PYRAMID = (0.0125, 0.025, 0.05, 0.1, 0.2, 0.4)
ENOUGH_IOU, ENOUGH_ADD = 0.95, 0.1

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Shape:
    """What a fit needs of a mesh.

    points: (N, 3) of the surface, metres
    edges: of the mesh, metres
    diameter: metres
    """

    points: Tensor
    edges: MeshEdges
    diameter: float


class Poses(NamedTuple):
    """Poses of an object.

    rotation: (B, 3, 3)
    translation: (B, 3) metres
    """

    rotation: Tensor
    translation: Tensor


def shape_of(mesh: Mesh) -> Shape:
    model = object_model(mesh, "shape", 1, points=POINTS)
    edges = mesh_edges(torch.from_numpy(mesh.vertices), torch.from_numpy(mesh.faces))
    return Shape(torch.tensor(model.points, dtype=torch.float32), edges, model.diameter)


def random_poses(count: int, diameter: float, generator: torch.Generator) -> Poses:
    """Any rotation, in the middle of the image, at one of the distances."""
    distance = diameter * torch.empty(count, 1).uniform_(*DISTANCE, generator=generator)
    ray = torch.rand(count, 2, generator=generator) - 0.5
    ray = torch.cat([ray * torch.tensor([0.3, 0.2]), torch.ones(count, 1)], dim=1)
    return Poses(random_rotation(count, generator).float(), ray * distance)


def perturbed(poses: Poses, degrees: float, share: float, generator: torch.Generator) -> Poses:
    """Turned by `degrees` about a random axis and moved by `share` of the camera's distance in a random direction."""

    def direction() -> Tensor:
        return torch.nn.functional.normalize(torch.randn(len(poses.rotation), 3, generator=generator), dim=1)

    half = math.radians(degrees) / 2
    turn = torch.cat([direction() * math.sin(half), torch.full((len(poses.rotation), 1), math.cos(half))], dim=1)
    way = share * poses.translation.norm(dim=1, keepdim=True)
    return Poses(matrix_from_quaternion(turn) @ poses.rotation, poses.translation + way * direction())


def grid(scale: float) -> tuple[int, int]:
    return round(HEIGHT * scale), round(WIDTH * scale)


def losses(shape: Shape, truth: Poses) -> dict[str, Loss]:
    """The losses by name: (rotation, translation) -> loss (B,) up to a factor."""

    def points(
        cloud: Tensor, scales: tuple[float, ...], kernel: Kernel, rotation: Tensor, translation: Tensor
    ) -> Tensor:
        each = [
            projection_loss(cloud, rotation, translation, *truth, CAMERA, grid(scale), scale, kernel=kernel,
                            check_values=False)
            for scale in scales
        ]  # fmt: skip
        return torch.stack(each).sum(0)

    def mesh(scales: tuple[float, ...], rotation: Tensor, translation: Tensor) -> Tensor:
        each = [
            render_loss(shape.edges, rotation, translation, *truth, CAMERA, grid(scale), scale, check_values=False)
            for scale in scales
        ]
        return torch.stack(each).sum(0)

    def nearest(cloud: Tensor, scale: float, rotation: Tensor, translation: Tensor) -> Tensor:
        return distance_loss(cloud, rotation, translation, *truth, CAMERA, grid(scale), scale)

    def pose(rotation: Tensor, translation: Tensor) -> Tensor:
        turned = (shape.points[:1000] @ (rotation - truth.rotation).mT).norm(dim=2).mean(1)
        return (turned + (translation - truth.translation).norm(dim=1)) / shape.diameter

    every, few = shape.points, shape.points[: POINTS // 4]
    return {
        "one pixel (source)": partial(points, every, (FINE,), "one_pixel"),
        "one pixel, pyramid": partial(points, every, PYRAMID, "one_pixel"),
        "nearest pixel, half grid": partial(nearest, few, FINE / 2),
        "long range, half grid": partial(points, few, (FINE / 2,), "long_range"),
        "long range (ours)": partial(points, every, (FINE,), "long_range"),
        "render": partial(mesh, (FINE / 4,)),
        "render, pyramid": partial(mesh, tuple(scale for scale in PYRAMID if scale <= FINE / 4)),
        "L_r + L_t": pose,
    }


def fit(loss: Loss, start: Poses, diameter: float, steps: int) -> Poses:
    """Adam on a 6D rotation and a translation in diameters; the same for every loss.

    The translation goes first: while the silhouettes are apart, a rotation could only reach out for the other one.
    """
    values = sixd_from_matrix(start.rotation).clone().requires_grad_()
    place = (start.translation / diameter).clone().requires_grad_()
    adam = torch.optim.Adam([{"params": [values], "lr": 0.03}, {"params": [place], "lr": 0.1}], betas=(0.9, 0.99))

    def fading(step: int) -> float:
        return 0.02 + 0.49 * (1 + math.cos(math.pi * step / steps))

    def waiting(step: int) -> float:
        return fading(step) * min(1.0, max(0.0, 20 * step / steps - 4))

    schedule = torch.optim.lr_scheduler.LambdaLR(adam, [waiting, fading])
    for _ in range(steps):
        adam.zero_grad()
        loss(matrix_from_6d(values), place * diameter).sum().backward()
        adam.step()
        schedule.step()
    return Poses(matrix_from_6d(values.detach()), place.detach() * diameter)


def judge(shape: Shape, truth: Poses, found: Poses) -> tuple[FloatArray, FloatArray]:
    """IoU of the meshes' silhouettes at half the image's resolution, and ADD-S in diameters; (B,) each.

    ADD-S looks at the nearest point and so allows every symmetry.
    """
    iou, add_s = [], []
    points = shape.points[:1000].numpy()
    for index in range(len(truth.rotation)):
        seen = []
        clouds = []
        for poses in (truth, found):
            rotation, translation = poses.rotation[index], poses.translation[index]
            covered = soft_silhouette(shape.edges, rotation[None], translation[None], CAMERA[None], grid(0.5), 0.5)
            seen.append(covered[0] > 0.5)
            clouds.append(points @ rotation.numpy().T + translation.numpy())
        iou.append(float((seen[0] & seen[1]).sum() / (seen[0] | seen[1]).sum().clamp(min=1)))
        add_s.append(float(cKDTree(clouds[1]).query(clouds[0])[0].mean()) / shape.diameter)
    return np.array(iou), np.array(add_s)
