"""The solver and its gradients as the compiled extension computes them: on the CPU, one item after the other in C++.

The torch layer beside it computes the same for a whole batch, on every device. Poses agree to the last steps of their
descent, gradients to rounding.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pose_regressor.ops.extension import why_missing
from pose_regressor.ops.pnp.problem import Inputs
from pose_regressor.ops.pnp.robust import RobustLoss
from pose_regressor.ops.pnp.solve import Options, Solution


def can_take(inputs: Inputs) -> bool:
    """Whether these inputs are on the CPU, in a type that the extension knows, and the extension is there."""
    if torch.compiler.is_compiling():  # it traces the torch layer
        return False
    first = inputs.points_2d
    on_cpu = first.device.type == "cpu" and first.dtype in (torch.float32, torch.float64)
    return on_cpu and not why_missing("pnp_gradients", "cpu")


def forward(inputs: Inputs, init: Tensor | None, options: Options) -> Solution:
    """As `implicit.forward`."""
    return Solution(
        *torch.ops.pose_regressor_cuda.pnp_solve(
            *inputs, init, options.iterations, options.step_tolerance, *_named(options.loss), options.pixel_sigma
        )
    )


def gradients(
    inputs: Inputs, solution: tuple[Tensor, Tensor, Tensor], by_rotation: Tensor, by_translation: Tensor,
    loss: RobustLoss | None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """As `implicit.input_gradients`, of all inputs. solution: rotation, translation and status."""
    return torch.ops.pose_regressor_cuda.pnp_gradients(*inputs, *solution, by_rotation, by_translation, *_named(loss))


def _named(loss: RobustLoss | None) -> tuple[str, float]:
    return ("", 0.0) if loss is None else (loss.kind, loss.scale)
