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

from pose_regressor.geometry.rotation import cayley, matrix_from_quaternion
from pose_regressor.ops.pnp.objective import Problem, maps, repeat

#: Rotations whose error is computed; two of them are about 17 degrees apart.
GRID = 512
#: Starts nearer than this to each other lead to the same minimum.
APART = math.radians(50)
#: Gauss-Newton steps from a start, and their damping as a share of the curvature.
STEPS, DAMPING = 2, 1e-3


class _Grid(NamedTuple):
    rotations: Tensor  # (9, GRID)
    products: Tensor  # (81, GRID) of any two entries
    near: Tensor  # (GRID, GRID) bool
    turns: Tensor  # (9, 27): R -> the three derivatives of exp([ω]) R, (3, 9)


@lru_cache
def _grid(device: torch.device) -> _Grid:
    """Super-Fibonacci spirals: Alexa, Super-Fibonacci Spirals: Fast, Low-Discrepancy Sampling of SO(3), CVPR 2022."""
    with torch.inference_mode(False):
        step = torch.arange(GRID, dtype=torch.float64) + 0.5
        inner, outer = (step / GRID).sqrt(), (1 - step / GRID).sqrt()
        a, b = 2 * math.pi * step / math.sqrt(2), 2 * math.pi * step / 1.533751168755204288118041
        quaternions = torch.stack([inner * a.sin(), inner * a.cos(), outer * b.sin(), outer * b.cos()], -1)
        flat = matrix_from_quaternion(quaternions).flatten(1).T
        products = (flat[:, None] * flat[None]).flatten(0, 1)
        near = (flat.T @ flat - 1) / 2 > math.cos(APART)
        turns = maps(torch.device("cpu")).tangent.reshape(9, 3, 4, 6)[:, :, :3, 3:]
        turns = turns.permute(0, 3, 1, 2).reshape(9, 27)
        return _Grid(*(value.to(device) for value in (flat.contiguous(), products, near, turns)))


def initial_poses(problem: Problem, count: int) -> Tensor:
    """(B, count, 3, 4): [R | t] at minima of the algebraic error, those of lower error at the grid first."""
    grid = _grid(problem.pixels.device)
    quadric, translation = _eliminate_translation(problem)
    error = quadric.flatten(1) @ grid.products
    depth = translation[:, 2:] @ grid.rotations
    error = torch.where(depth.squeeze(1) > 0, error, torch.inf)
    picks = []
    for _ in range(count):
        best = error.argmin(1)
        picks.append(best)
        error = error.masked_fill(grid.near[best], torch.inf)
    rotation = grid.rotations.T[torch.stack(picks, 1)].flatten(0, 1)  # (B * count, 9)
    quadric = repeat(quadric, count)
    for _ in range(STEPS):
        turns = (rotation @ grid.turns).view(-1, 3, 9)
        force = torch.bmm(turns, quadric)
        curvature = torch.bmm(force, turns.mT)
        curvature = curvature + DAMPING * torch.diag_embed(curvature.diagonal(dim1=1, dim2=2))
        step, _ = torch.linalg.solve_ex(curvature, torch.bmm(force, rotation.unsqueeze(2)).squeeze(2))
        rotation = torch.bmm(cayley(-step), rotation.view(-1, 3, 3)).flatten(1)
    location = torch.bmm(repeat(translation, count), rotation.unsqueeze(2))
    return torch.cat([rotation.view(-1, 3, 3), location], 2).unflatten(0, (-1, count))


def _eliminate_translation(problem: Problem) -> tuple[Tensor, Tensor]:
    """Ω (B, 9, 9) and the (B, 3, 9) map from vec(R) to the best translation."""
    pixels, weights, camera = problem.pixels, problem.weights, problem.camera
    second = torch.cat([weights, weights * pixels, weights * pixels.square().sum(1, keepdim=True)], 1)
    hessian = (second @ problem.moments).flatten(1) @ maps(pixels.device).hessian4
    hessian = torch.bmm(camera.mT, hessian.view(-1, 3, 48)).view(-1, 12, 3, 4)
    hessian = (camera.mT.unsqueeze(1) @ hessian).unflatten(1, (3, 4))  # (B, 3, 4, 3, 4) by the entries of [R | t]
    rotations = hessian[:, :, :3, :, :3].reshape(-1, 9, 9)
    mixed = hessian[:, :, 3, :, :3].reshape(-1, 3, 9)
    translations = hessian[:, :, 3, :, 3]
    # All points on one ray say nothing of the depth: the ridge only keeps the numbers finite.
    ridge = 1e-12 * translations.diagonal(dim1=1, dim2=2).sum(1) + 1e-300
    translations = translations + torch.diag_embed(ridge.unsqueeze(-1).expand(-1, 3))
    solution, _ = torch.linalg.solve_ex(translations, mixed)
    return rotations - mixed.mT @ solution, -solution
