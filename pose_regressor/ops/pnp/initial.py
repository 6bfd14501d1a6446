"""Poses to start from: the minima of an algebraic error over all rotations.

With the depths multiplied out, sum_i w_i |h_i[:2] - x_i h_i[2]|² is quadratic in [R | t] (Schweighofer and Pinz,
Globally Optimal O(n) Solution to the PnP Problem, BMVC 2008; Terzakis and Lourakis, SQPnP, ECCV 2020). With noise, this
error is smaller for nearer objects, so it would pull them to the camera. Hence the depth of the centroid is fixed to
one and the scale s is unknown, h = K (s R q + (a_x, a_y, 1)): that is the reprojection error, but for the object's
depth. a and s have a closed form. What remains is a function of a rotation and a 9x9 matrix, which one matrix product
computes for several hundred rotations. Gauss-Newton from the best of them, far enough apart, finds the minima, for
points of any shape.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from pose_regressor.geometry.reprojection import metric_of, sparse_second, symmetric
from pose_regressor.geometry.rotation import matrix_from_quaternion
from pose_regressor.ops.pnp.problem import Problem, products_of_two

#: Rotations whose error is computed; neighbours are about 17 degrees apart.
GRID = 512
#: Starts nearer than this to each other lead to the same minimum.
APART = math.radians(50)
#: Gauss-Newton steps from a start, their damping as a share of the curvature, and the least scale to start from.
STEPS, DAMPING, SMALLEST = 4, 1e-3, 1e-6


class _Constants(NamedTuple):
    quaternions: Tensor  # (GRID, 4)
    grid: Tensor  # (9, GRID) float32: their rotations
    products: Tensor  # (81, GRID) float32: minus the products of any two entries of each
    near: Tensor  # (GRID, GRID) float32: infinite for pairs of rotations that are not APART, else 0
    square: Tensor  # (10, 9): products of two entries of a quaternion q -> M = q D(q)
    curvature: Tensor  # (81, 160): Ω -> (10, 16), from these products to D Ω Dᵀ (4, 4)
    bias: Tensor  # (9, 16): b -> (4, 4), which q times is D b
    damping: Tensor  # (4, 4): factors for the curvature
    metric: Tensor  # (81, 24): products of any two entries of K -> (6, 4), from S over h to S over K⁻¹ h
    blocks: Tensor  # (60, 121): moments weighted with that -> Hessian by M (9, 9), by t and (M, t_z, t_x, t_y) (3, 12),
    #                 and the adjugate (2, 2) of that by t_x and t_y


@lru_cache
def _constants(device: torch.device) -> _Constants:
    with torch.inference_mode(False):
        quaternions = _spirals(GRID)
        rotations = matrix_from_quaternion(quaternions).flatten(1)
        grid = rotations.T
        apart = (rotations @ grid - 1) / 2 < math.cos(APART)
        near = torch.zeros(GRID, GRID).masked_fill(~apart, torch.inf)
        axes = torch.eye(4, dtype=torch.float64)
        sums = axes[:, None] + axes
        squares = matrix_from_quaternion(sums) * sums.square().sum(2)[..., None, None]  # M at them
        single = squares.diagonal().permute(2, 0, 1) / 4
        half = (squares - single[:, None] - single).view(4, 4, 9) / 2  # D(q) = q half
        three, four = torch.from_numpy(symmetric(3)), torch.from_numpy(symmetric(4))
        hessian = torch.einsum("kij,mab->kmiajb", three, four).view(60, 3, 4, 3, 4)
        by_t = hessian[:, :, 3, :, 3]
        mixed = torch.cat([hessian[:, :, 3, :, :3].flatten(2), by_t[..., 2:], by_t[..., :2]], 2)
        adjugate = by_t[:, [1, 0], :][:, :, [1, 0]] * torch.tensor([[1.0, -1], [-1, 1]])
        blocks = [hessian[:, :, :3, :, :3], mixed, adjugate]
        return _Constants(
            *(
                value.contiguous().to(device)
                for value in (
                    quaternions,
                    grid.float(),
                    (grid[:, None] * -grid[None]).flatten(0, 1).float(),
                    near,
                    torch.einsum("kcd,cdm->km", four, half),
                    torch.einsum("kcd,cam,dbn->mnkab", four, half, half).reshape(81, 160),
                    half.view(16, 9).T,
                    1 + DAMPING * torch.eye(4, dtype=torch.float64),
                    torch.from_numpy(metric_of(sparse_second(), 3)),
                    torch.cat([block.flatten(1) for block in blocks], 1),
                )
            )
        )


def _spirals(count: int) -> Tensor:
    """(count, 4) quaternions, spread evenly (Alexa, Super-Fibonacci Spirals, CVPR 2022)."""
    step = torch.arange(count, dtype=torch.float64) + 0.5
    inner, outer = (step / count).sqrt(), (1 - step / count).sqrt()
    a, b = 2 * math.pi * step / math.sqrt(2), 2 * math.pi * step / 1.533751168755204288118041
    return torch.stack([inner * a.sin(), inner * a.cos(), outer * b.sin(), outer * b.cos()], -1)


def initial_poses(problem: Problem, count: int) -> Tensor:
    """(B, count, 3, 4): [R | t] at minima of the algebraic error, in order of the error at the grid's rotations."""
    constants = _constants(problem.pixels.device)
    quadric, linear, sideways = _eliminate_sideways(problem)
    largest = quadric.abs().amax((1, 2)).unsqueeze(1)
    quadric, linear = quadric.view(-1, 81) / largest, linear / largest  # so that they fit into float32

    # A rotation's best scale is -slope / square. If that is not above zero, the object is behind the camera.
    slope = torch.mm(linear.float(), constants.grid).clamp(max=0)
    scale = slope / torch.mm(quadric.float(), constants.products).clamp(max=-1e-12)
    error = slope * scale
    picks = [error.argmin(1)]
    for _ in range(count - 1):
        error = error + constants.near.index_select(0, picks[-1])
        picks.append(error.argmin(1))
    picked = torch.stack(picks, 1)
    length = scale.gather(1, picked).clamp(min=SMALLEST).sqrt()
    quaternion = constants.quaternions.index_select(0, picked.view(-1)) * length.view(-1, 1)

    # M = s R is quadratic in a quaternion of squared length s, M = q D(q), which has no constraint.
    curvatures = torch.mm(quadric, constants.curvature).view(-1, 10, 16)
    bias = torch.mm(linear, constants.bias).view(-1, 1, 16)
    for _ in range(STEPS):
        curvature = torch.bmm(products_of_two(quaternion).view(-1, count, 10), curvatures)
        slope = torch.bmm((curvature + bias).view(-1, 4, 4), quaternion.unsqueeze(2))
        step, _ = torch.linalg.solve_ex(curvature.view(-1, 4, 4) * constants.damping, slope)
        quaternion = torch.sub(quaternion, step.squeeze(2), alpha=0.5)
    scaled = torch.mm(products_of_two(quaternion), constants.square)
    scale = quaternion.square().sum(1)[:, None, None]
    place = torch.baddbmm(sideways[:, :, 9:].mT, scaled.view(-1, count, 9), sideways[:, :, :9].mT).neg()
    place = torch.nn.functional.pad(place, (0, 1), value=1.0).view(-1, 3, 1)
    return (torch.cat([scaled.view(-1, 3, 3), place], 2) / scale).view(-1, count, 3, 4)


def _eliminate_sideways(problem: Problem) -> tuple[Tensor, Tensor, Tensor]:
    """The error as a function of M = s R (3, 3) alone: Ω (B, 9, 9) and b (B, 9).

    And the map (B, 2, 10) from (M, 1) to minus the best a_x, a_y. Not finite for an item without points.
    """
    constants = _constants(problem.pixels.device)
    pixels, weights, camera = problem.pixels, problem.weights, problem.camera.reshape(-1, 9, 1)
    second = torch.cat([weights, weights * pixels, weights * pixels.square().sum(1, keepdim=True)], 1)
    metric = torch.mm((camera * camera.mT).view(-1, 81), constants.metric).view(-1, 6, 4)
    blocks = torch.mm(torch.bmm(metric, torch.bmm(second, problem.moments.mT)).view(-1, 60), constants.blocks)
    quadric, mixed, adjugate = blocks.split((81, 36, 4), 1)
    quadric, mixed = quadric.view(-1, 9, 9), mixed.view(-1, 3, 12)  # t_x, t_y and t_z by M, t_z, t_x and t_y
    solved = torch.bmm(adjugate.view(-1, 2, 2), mixed[:, :2])  # the last columns: the determinant, on the diagonal
    sideways = solved[:, :, :10] / solved[:, :1, 10:11]
    by_m = sideways[:, :, :9]
    quadric = torch.baddbmm(quadric, mixed[:, :2, :9].mT, by_m, alpha=-1)
    linear = torch.baddbmm(mixed[:, 2:, :9], mixed[:, 2:, 10:], by_m, alpha=-1).squeeze(1)
    return quadric, linear, sideways
