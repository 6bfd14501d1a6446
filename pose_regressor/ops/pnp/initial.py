"""Poses from nothing: the minima of an algebraic error over all rotations.

With the depths multiplied out, sum_i w_i |h_i[:2] - x_i h_i[2]|² is quadratic in [R | t] (Schweighofer and Pinz,
Globally Optimal O(n) Solution to the PnP Problem, BMVC 2008; Terzakis and Lourakis, A Consistently Fast and Globally
Optimal Solution to the PnP Problem, ECCV 2020). Its translation has a closed form, and what remains is
E(R) = vec(R)ᵀ Ω vec(R) with a 9x9 matrix Ω that holds all the points. E of several hundred rotations is one matrix
product; Gauss-Newton from the best of them, far enough apart, finds the minima, whatever the points' shape.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from pose_regressor.geometry.rotation import matrix_from_quaternion
from pose_regressor.ops.pnp.objective import maps
from pose_regressor.ops.pnp.problem import Problem, repeat
from pose_regressor.ops.pnp.refine import turn

#: Rotations whose error is computed; two of them are about 17 degrees apart.
GRID = 512
#: Starts nearer than this to each other lead to the same minimum.
APART = math.radians(50)
#: Gauss-Newton steps from a start, and their damping as a share of the curvature.
STEPS, DAMPING = 2, 1e-3
RIDGE = 1e-12


class _Constants(NamedTuple):
    grid: Tensor  # (9, GRID) rotations
    products: Tensor  # (81, GRID) float32: products of any two entries of each
    near: Tensor  # (GRID, GRID) float32: infinite for rotations that are not APART, else 0
    turns: Tensor  # (9, 27): R -> the three derivatives of exp([ω]) R, (3, 9)
    damping: Tensor  # (3, 3)
    metric: Tensor  # (81, 24): products of any two entries of K -> (6, 4), from S over h to S over K⁻¹ h
    blocks: Tensor  # (60, 117): moments weighted with S over K⁻¹ h -> Hessian by RR (81), tR (27), tt (9)
    ridge: Tensor  # (3, 3)


@lru_cache
def _constants(device: torch.device) -> _Constants:
    with torch.inference_mode(False):
        grid = _spirals(GRID).flatten(1).T
        apart = (grid.T @ grid - 1) / 2 < math.cos(APART)
        near = torch.zeros(GRID, GRID).masked_fill(~apart, torch.inf)
        turns = maps(torch.device("cpu")).tangent.view(3, 4, 3, 4, 6)[:, :3, :, :3, 3:]
        eye = torch.eye(3, dtype=torch.float64)
        metric = torch.zeros(3, 3, 3, 3, 6, 4, dtype=torch.float64)  # K[a, i] K[b, j] -> S[i, j] of K's rows a, b
        upper = [(i, j) for i in range(3) for j in range(i, 3)]
        for k, (i, j) in enumerate(upper):
            for basis, entries in enumerate(([(0, 0, 1), (1, 1, 1)], [(0, 2, -1)], [(1, 2, -1)], [(2, 2, 1)])):
                for a, b, sign in entries:
                    metric[a, i, b, j, k, basis] += sign
                    if a != b:
                        metric[b, i, a, j, k, basis] += sign
        hessian = maps(torch.device("cpu")).hessian6.view(60, 3, 4, 3, 4)
        blocks = [hessian[:, :, :3, :, :3], hessian[:, :, 3, :, :3], hessian[:, :, 3, :, 3]]
        return _Constants(
            *(
                value.contiguous().to(device)
                for value in (
                    grid,
                    (grid[:, None] * grid[None]).flatten(0, 1).float(),
                    near,
                    turns.permute(0, 1, 4, 2, 3).reshape(9, 27),
                    DAMPING * eye,
                    metric.reshape(81, 24),
                    torch.cat([block.flatten(1) for block in blocks], 1),
                    RIDGE * eye,
                )
            )
        )


def _spirals(count: int) -> Tensor:
    """(count, 3, 3) rotations, evenly spread: Alexa, Super-Fibonacci Spirals, CVPR 2022."""
    step = torch.arange(count, dtype=torch.float64) + 0.5
    inner, outer = (step / count).sqrt(), (1 - step / count).sqrt()
    a, b = 2 * math.pi * step / math.sqrt(2), 2 * math.pi * step / 1.533751168755204288118041
    return matrix_from_quaternion(torch.stack([inner * a.sin(), inner * a.cos(), outer * b.sin(), outer * b.cos()], -1))


def initial_poses(problem: Problem, count: int) -> Tensor:
    """(B, count, 3, 4): [R | t] at minima of the algebraic error, those of lower error at the grid first."""
    constants = _constants(problem.pixels.device)
    quadric, translation = _eliminate_translation(problem)
    size = quadric.diagonal(dim1=1, dim2=2).sum(1, keepdim=True)
    error = torch.mm((quadric.view(-1, 81) / size).float(), constants.products)
    depth = torch.mm(translation[:, 2], constants.grid)
    error = error.masked_fill(depth <= 0, torch.inf)
    picks = [error.argmin(1)]
    for _ in range(count - 1):
        error = error + constants.near.index_select(0, picks[-1])
        picks.append(error.argmin(1))
    rotation = constants.grid.T.index_select(0, torch.stack(picks, 1).view(-1))  # (B * count, 9)
    quadric = repeat(quadric, count)
    for _ in range(STEPS):
        turns = torch.mm(rotation, constants.turns).view(-1, 3, 9)
        force = torch.bmm(turns, quadric)
        curvature = torch.bmm(force, turns.mT)
        curvature = torch.addcmul(curvature, curvature, constants.damping)
        step, _ = torch.linalg.solve_ex(curvature, torch.bmm(force, rotation.unsqueeze(2)).squeeze(2))
        rotation = turn(rotation.view(-1, 3, 3), step.neg()).view(-1, 9)
    location = torch.bmm(repeat(translation, count), rotation.unsqueeze(2))
    return torch.cat([rotation.view(-1, 3, 3), location], 2).view(-1, count, 3, 4)


def _eliminate_translation(problem: Problem) -> tuple[Tensor, Tensor]:
    """Ω (B, 9, 9) and the (B, 3, 9) map from vec(R) to the best translation."""
    constants = _constants(problem.pixels.device)
    pixels, weights, camera = problem.pixels, problem.weights, problem.camera.view(-1, 9, 1)
    second = torch.cat([weights, weights * pixels, weights * pixels.square().sum(1, keepdim=True)], 1)
    metric = torch.mm((camera * camera.mT).view(-1, 81), constants.metric).view(-1, 6, 4)
    blocks = torch.mm(torch.bmm(metric, torch.bmm(second, problem.moments)).view(-1, 60), constants.blocks)
    rotations, mixed, translations = blocks.split((81, 27, 9), 1)
    mixed, translations = mixed.view(-1, 3, 9), translations.view(-1, 3, 3)
    # All points on one ray say nothing of the depth: the ridge only keeps the numbers finite.
    solution, _ = torch.linalg.solve_ex(torch.addcmul(translations, translations, constants.ridge), mixed)
    return torch.baddbmm(rotations.view(-1, 9, 9), mixed.mT, solution, alpha=-1), solution.neg()
