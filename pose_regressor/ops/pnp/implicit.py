"""The solver as one differentiable function of its inputs, by the implicit function theorem.

At the optimum the gradient by the pose, f(y, θ), is zero, so dy/dθ = -H⁻¹ ∂f/∂θ with the full Hessian H = ∂f/∂y (Chen
et al., End-to-End Learnable Geometric Vision by Backpropagating PnP Optimization, CVPR 2020). For an incoming gradient
g: solve H λ = g once for each item; the gradient of every input θ is then -∂(λᵀ f)/∂θ. Here λᵀ f = sum_i w_i r_i · d_i,
where r_i is a point's residual, and d_i the motion of its projection when the pose moves by λ.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from pose_regressor.ops.pnp import compiled
from pose_regressor.ops.pnp.objective import View, by_h, derivatives_of, look, maps, motion
from pose_regressor.ops.pnp.problem import Inputs, Problem, invalid_items, moved_pose, prepare
from pose_regressor.ops.pnp.robust import RobustLoss
from pose_regressor.ops.pnp.solve import Options, Solution, solve
from pose_regressor.ops.pnp.status import Status

#: Most points that are computed at once.
ROOM_ON_CPU, ROOM_ELSEWHERE = 2**16, 2**22


def forward(inputs: Inputs, init: Tensor | None, options: Options) -> Solution:
    """Solve a batch. init: (B, 3, 4) [R | t] to start from, or None. The solution is of the inputs' type."""
    if compiled.can_take(inputs):
        return compiled.forward(inputs, init, options)
    with torch.inference_mode():  # calls are what a small batch costs, and this makes them a fifth cheaper
        pieces = []
        for piece in _pieces(inputs.points_2d):
            part = Inputs(*(value[piece] for value in inputs))
            invalid = invalid_items(part)
            problem = prepare(part, invalid)
            start = None if init is None else moved_pose(problem, init[piece])
            pieces.append(solve(problem, invalid, start, options))
        solution = pieces[0] if len(pieces) == 1 else Solution(*map(torch.cat, zip(*pieces, strict=True)))
    kind = inputs.points_2d.dtype
    rotation, translation, covariance, cost = (value.to(kind, copy=True) for value in solution[:-1])
    return Solution(rotation, translation, covariance, cost, solution.status.clone())


def _pieces(points_2d: Tensor) -> list[slice]:
    """A large batch is computed in pieces, so that intermediate results fit into the cache, or into memory at all."""
    size, count, _ = points_2d.shape
    room = ROOM_ON_CPU if points_2d.device.type == "cpu" else ROOM_ELSEWHERE
    step = max(1, room // (count + 32))  # besides its points, an item costs as much as 32 of them
    return [slice(start, start + step) for start in range(0, max(size, 1), step)]


@torch.library.custom_op(
    "pose_regressor::bpnp_forward",
    mutates_args=(),
    schema="(Tensor points_2d, Tensor points_3d, Tensor camera_matrix, Tensor weights, Tensor? init, int iterations,"
    " str loss, float loss_scale, float? pixel_sigma) -> (Tensor, Tensor, Tensor, Tensor, Tensor)",
)
def _forward(
    points_2d: Tensor,
    points_3d: Tensor,
    camera_matrix: Tensor,
    weights: Tensor,
    init: Tensor | None,
    iterations: int,
    loss: Any,
    loss_scale: float,
    pixel_sigma: float | None,
) -> tuple[Tensor, ...]:
    """`forward` for torch.compile: one operation, whose loop it does not trace."""
    robust = RobustLoss(loss, loss_scale) if loss else None
    options = Options(iterations, robust, pixel_sigma, may_stop=points_2d.device.type == "cpu")
    return tuple(forward(Inputs(points_2d, points_3d, camera_matrix, weights), init, options))


@_forward.register_fake
def _(points_2d: Tensor, *_: Any) -> tuple[Tensor, ...]:
    size = len(points_2d)
    shapes = ((size, 3, 3), (size, 3), (size, 6, 6), (size,))
    return *(points_2d.new_empty(shape) for shape in shapes), points_2d.new_empty((size,), dtype=torch.int32)


class Solve(torch.autograd.Function):
    """Inputs, an initial pose (B, 3, 4) or None, and Options -> Solution. Differentiable, also twice."""

    @staticmethod
    def forward(
        points_2d: Tensor,
        points_3d: Tensor,
        camera_matrix: Tensor,
        weights: Tensor,
        init: Tensor | None,
        options: Options,
    ) -> Solution:
        if not torch.compiler.is_compiling():
            return forward(Inputs(points_2d, points_3d, camera_matrix, weights), init, options)
        kind, scale = ("", 0.0) if options.loss is None else (options.loss.kind, options.loss.scale)
        return Solution(
            *_forward(
                points_2d, points_3d, camera_matrix, weights, init, options.iterations, kind, scale, options.pixel_sigma
            )
        )

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Solution) -> None:
        rotation, translation, *fixed = output
        ctx.mark_non_differentiable(*fixed)
        ctx.save_for_backward(*inputs[:4], rotation, translation, output[-1])
        ctx.loss = inputs[5].loss

    @staticmethod
    def backward(ctx: Any, by_rotation: Tensor, by_translation: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        *inputs, rotation, translation, status = ctx.saved_tensors
        needed = ctx.needs_input_grad[:4]
        if compiled.can_take(Inputs(*inputs)) and not torch.is_grad_enabled():  # it cannot be differentiated again
            found = compiled.gradients(Inputs(*inputs), (rotation, translation, status), by_rotation, by_translation,
                                       ctx.loss)  # fmt: skip
            return *(gradient if wanted else None for gradient, wanted in zip(found, needed, strict=True)), None, None
        good = status == int(Status.OK)
        pieces = [
            input_gradients(
                Inputs(*(value[piece] for value in inputs)), rotation[piece], translation[piece], good[piece],
                by_rotation[piece], by_translation[piece], ctx.loss, needed,
            )
            for piece in _pieces(inputs[0])
        ]  # fmt: skip
        gradients = [
            (column[0] if len(column) == 1 else torch.cat(column)).to(inputs[0].dtype) if wanted else None
            for column, wanted in zip(zip(*pieces, strict=True), needed, strict=True)
        ]
        return *gradients, None, None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *inputs: Any) -> tuple[Any, Any]:
        """Another batch dimension makes the batch longer."""
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
    needed: Sequence[bool],
) -> tuple[Tensor | None, ...]:
    """The gradient of each input: None if it is not needed, zero for items that are not good (B,).

    rotation: (B, 3, 3) and translation: (B, 3), at the optimum; by_rotation, by_translation: the incoming gradients
    """
    problem = prepare(inputs, ~good)
    pose = moved_pose(problem, torch.cat([rotation, translation.unsqueeze(2)], 2).double())
    view = look(problem, pose)
    step = motion(_solve_for_step(problem, pose, view, good, by_rotation, by_translation, loss))

    # How each projection moves with that step (`drift`), and what the robust loss makes of it.
    weights = problem.weights
    projection, inverse, image, residual = view
    change = torch.bmm(projection, step)
    moved = torch.bmm(change, problem.points)
    along_ray = inverse * moved[:, 2:]
    drift = inverse * moved[:, :2] - image * along_ray
    along = (residual * drift).sum(1, keepdim=True)
    if loss is None:
        by_residual, by_drift = drift, residual
    else:
        _, slope, bend = loss.derivatives(residual.square().sum(1, keepdim=True))
        by_residual, by_drift, along = slope * drift + 2 * bend * along * residual, slope * residual, slope * along
    by_pixels = (weights * by_residual).mT if needed[0] else None
    by_weights = -along.squeeze(1) if needed[3] else None
    if not (needed[1] or needed[2]):
        return by_pixels, None, None, by_weights

    # Through the projection to points and camera.
    scaled = weights * inverse
    by_moved = by_h(scaled * by_drift, image)
    by_projected = by_h(scaled * (by_residual - along_ray * by_drift), image)
    by_projected = by_projected - torch.nn.functional.pad(scaled * along, (0, 0, 2, 0))
    by_points = by_camera = None
    if needed[1]:
        by_points = torch.bmm(by_projected.mT, projection[..., :3])
        by_points = torch.baddbmm(by_points, by_moved.mT, change[..., :3]) / -problem.scale[:, None]
    if needed[2]:
        by_projection, by_change = (torch.bmm(side, problem.points.mT) for side in (by_projected, by_moved))
        by_projection = torch.baddbmm(by_projection, by_change, step.mT)
        by_camera = torch.bmm(by_projection, pose.mT).neg()
    return by_pixels, by_points, by_camera, by_weights


def _solve_for_step(
    problem: Problem,
    pose: Tensor,
    view: View,
    good: Tensor,
    by_rotation: Tensor,
    by_translation: Tensor,
    loss: RobustLoss | None,
) -> Tensor:
    """(B, 6) λ with H λ = g: g is the incoming gradient by the moved points' pose (B, 3, 4); zero if not good (B,)."""
    by_rotation, by_translation = by_rotation.double(), by_translation.double().unsqueeze(2)
    by_rotation = torch.baddbmm(by_rotation, by_translation, problem.centre.unsqueeze(1), alpha=-1)
    by_pose = torch.cat([by_rotation, problem.scale.unsqueeze(2) * by_translation], 2)
    by_step = torch.mm(torch.bmm(pose.mT, by_pose).view(-1, 16), maps(pose.device).motion.mT)
    hessian = derivatives_of(problem, view, True, loss).hessian
    item = good[:, None, None]
    hessian = torch.where(item, hessian, maps(pose.device).eye)
    solution, _ = torch.linalg.solve_ex(hessian, torch.where(item, by_step.unsqueeze(2), 0.0))
    return solution.squeeze(2)
