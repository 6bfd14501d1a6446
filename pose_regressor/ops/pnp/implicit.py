"""The solver as one differentiable function of its inputs, by the implicit function theorem.

At the optimum the gradient by the pose, f(y, θ), is zero, so dy/dθ = -H⁻¹ ∂f/∂θ with the full Hessian H = ∂f/∂y (Chen
et al., End-to-End Learnable Geometric Vision by Backpropagating PnP Optimization, CVPR 2020). For an incoming gradient
g: solve H λ = g once for each item; what comes back to every input θ is -∂(λᵀ f)/∂θ. Here λᵀ f = sum_i w_i r_i · d_i,
where r_i is a point's residual and d_i how its projection moves when the pose moves by λ.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from pose_regressor.ops.pnp.objective import NEAR, Problem, by_h, derivatives, moved_pose, normalise, pose_tangent
from pose_regressor.ops.pnp.robust import RobustLoss
from pose_regressor.ops.pnp.solve import Options, Solution, solve
from pose_regressor.ops.pnp.status import Status

#: Items with numbers beyond this (or not finite) are not solved.
LARGEST = 1e30


class Inputs(NamedTuple):
    """points_2d (B, N, 2), points_3d (B, N, 3), camera_matrix (B, 3, 3), weights (B, N)."""

    points_2d: Tensor
    points_3d: Tensor
    camera_matrix: Tensor
    weights: Tensor


def prepare(inputs: Inputs) -> tuple[Problem, Tensor]:
    """The problem in float64, every number in it finite, and which items (B,) had one that is not or a weight below 0."""
    x, z, camera, weights = (value.double() for value in inputs)
    with torch.no_grad():
        size = x.square().sum((1, 2)) + z.square().sum((1, 2)) + camera.square().sum((1, 2)) + weights.square().sum(1)
        invalid = ~((size < LARGEST**2) & (weights >= 0).all(1))
        item, square = invalid[:, None], invalid[:, None, None]
    eye = torch.eye(3, dtype=camera.dtype, device=camera.device)
    problem = normalise(
        x.masked_fill(square, 0),
        z.masked_fill(square, 0),
        torch.where(square, eye, camera),
        weights.masked_fill(item, 0),
    )
    return problem, invalid


class Solve(torch.autograd.Function):
    """Inputs, an initial pose (B, 3, 4) or None, and Options -> Solution; differentiable, twice too."""

    @staticmethod
    def forward(
        points_2d: Tensor,
        points_3d: Tensor,
        camera_matrix: Tensor,
        weights: Tensor,
        init: Tensor | None,
        options: Options,
    ) -> Solution:
        problem, invalid = prepare(Inputs(points_2d, points_3d, camera_matrix, weights))
        solution = solve(problem, invalid, None if init is None else moved_pose(problem, init), options)
        return Solution(*(value.to(points_2d.dtype) for value in solution[:-1]), solution.status)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Solution) -> None:
        rotation, translation, *fixed = output
        ctx.mark_non_differentiable(*fixed)
        ctx.save_for_backward(*inputs[:4], rotation, translation, output[-1])
        ctx.loss = inputs[5].loss

    @staticmethod
    def backward(ctx: Any, by_rotation: Tensor, by_translation: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        *inputs, rotation, translation, status = ctx.saved_tensors
        gradients = input_gradients(
            Inputs(*inputs), rotation, translation, status == Status.OK, by_rotation, by_translation, ctx.loss
        )
        wanted = zip(gradients, inputs, ctx.needs_input_grad[:4], strict=True)
        return *(gradient.to(value.dtype) if needed else None for gradient, value, needed in wanted), None, None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *inputs: Any) -> tuple[Any, Any]:
        """A further batch dimension is a longer batch."""
        *tensors, options = inputs
        moved = []
        for value, place in zip(tensors, in_dims[:-1], strict=True):
            if value is not None:
                value = value.movedim(place, 0) if place is not None else value.expand(info.batch_size, *value.shape)
                value = value.flatten(0, 1)
            moved.append(value)
        outputs = Solve.apply(*moved, options)
        return tuple(value.unflatten(0, (info.batch_size, -1)) for value in outputs), (0,) * len(outputs)


def input_gradients(
    inputs: Inputs,
    rotation: Tensor,
    translation: Tensor,
    good: Tensor,
    by_rotation: Tensor,
    by_translation: Tensor,
    loss: RobustLoss | None,
) -> Inputs:
    """What the derivatives by rotation (B, 3, 3) and translation (B, 3) at the optimum mean for each input.

    Zero for the items that are not good (B,).
    """
    problem, _ = prepare(inputs)
    pose = moved_pose(problem, torch.cat([rotation, translation.unsqueeze(2)], 2).double())
    rotation = pose[..., :3]
    arm = torch.bmm(rotation, problem.centre.unsqueeze(2)).squeeze(2)
    torque = by_rotation.double() @ rotation.mT
    by_omega = torch.stack(
        [torque[:, 2, 1] - torque[:, 1, 2], torque[:, 0, 2] - torque[:, 2, 0], torque[:, 1, 0] - torque[:, 0, 1]], -1
    ) - torch.linalg.cross(arm, by_translation.double())
    by_step = torch.where(good[:, None], torch.cat([problem.scale * by_translation, by_omega], 1), 0.0)
    eye = torch.eye(6, dtype=pose.dtype, device=pose.device)
    hessian = derivatives(problem, pose, True, loss).hessian
    solution, _ = torch.linalg.solve_ex(torch.where(good[:, None, None], hessian, eye), by_step)

    change = (pose_tangent(pose).view(-1, 12, 6) @ solution.unsqueeze(-1)).view_as(pose)
    weights, scale = problem.weights, problem.scale[:, None]
    h, moved = problem.camera @ pose @ problem.points, problem.camera @ change @ problem.points
    inverse = h[:, 2:].clamp(min=NEAR).reciprocal()
    image = h[:, :2] * inverse
    residual, drift = image - problem.pixels, inverse * (moved[:, :2] - image * moved[:, 2:])
    along = (residual * drift).sum(1, keepdim=True)
    if loss is None:
        by_residual, by_drift = drift, residual
    else:
        _, slope, bend = loss.derivatives(residual.square().sum(1, keepdim=True))
        by_residual, by_drift, along = slope * drift + 2 * bend * along * residual, slope * residual, slope * along
    scaled = weights * inverse
    by_moved = by_h(scaled * by_drift, image)
    by_projected = by_h(scaled * (by_residual - moved[:, 2:] * inverse * by_drift), image)
    by_projected = by_projected - torch.nn.functional.pad(scaled * along, (0, 0, 2, 0))
    by_pose, by_change = by_projected @ problem.points.mT, by_moved @ problem.points.mT
    by_points = (problem.camera @ pose[..., :3]).mT @ by_projected + (problem.camera @ change[..., :3]).mT @ by_moved
    return Inputs(
        (weights * by_residual).mT,
        -by_points.mT / scale,
        -(by_pose @ pose.mT + by_change @ change.mT),
        -along.squeeze(1),
    )
