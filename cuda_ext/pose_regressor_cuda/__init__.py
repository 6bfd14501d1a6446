"""The compiled operators ``torch.ops.pose_regressor_cuda.projection_loss``, ``.pnp_solve`` and ``.pnp_gradients``.

    projection_loss(points (1 or B, N, 3), rotation (B, 3, 3), translation (B, 3), rotation_gt (B, 3, 3),
                    translation_gt (B, 3), camera_matrix (1 or B, 3, 3), height, width, scale, kernel, differentiate)
    -> loss (B,), by_rotation (B, 3, 3), by_translation (B, 3)

All tensors float32, or all float64, on one device. The gradients of the loss are computed with it, if `differentiate`
(they are empty otherwise), and its backward multiplies them by what comes in. `pose_regressor.ops.projection` is the
interface to use; its `reference` says what is computed.

`pnp_solve` and `pnp_gradients` are for the CPU alone. Their interface is `pose_regressor.ops.pnp.bpnp`, whose torch
layer computes the same on every device. Shapes are those of `pose_regressor.ops.pnp.problem.Inputs`.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

_library = next(Path(__file__).parent.glob("_C*.so"), None)
if _library is None:
    raise ImportError(f"{Path(__file__).parent} holds no compiled library")
torch.ops.load_library(_library)

#: The types of device this was built for.
DEVICES = tuple(
    device
    for device in ("cpu", "cuda")
    if torch._C._dispatch_has_kernel_for_dispatch_key("pose_regressor_cuda::projection_loss", device.upper())
)


@torch.library.register_fake("pose_regressor_cuda::projection_loss")
def _shapes(
    points: Tensor, rotation: Tensor, translation: Tensor, rotation_gt: Tensor, translation_gt: Tensor,
    camera_matrix: Tensor, height: int, width: int, scale: float, kernel: str, differentiate: bool,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    batch = rotation.shape[0]
    rows = batch if differentiate else 0
    return rotation.new_empty(batch), rotation.new_empty(rows, 3, 3), rotation.new_empty(rows, 3)


@torch.library.register_fake("pose_regressor_cuda::pnp_solve")
def _solved(
    points_2d: Tensor, points_3d: Tensor, camera_matrix: Tensor, weights: Tensor, start: Tensor | None,
    iterations: int, step_tolerance: float, loss: str, loss_scale: float, pixel_sigma: float | None,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    size = points_2d.shape[0]
    new = points_2d.new_empty
    status = new(size, dtype=torch.int32)
    return new(size, 3, 3), new(size, 3), new(size, 6, 6), new(size), status


@torch.library.register_fake("pose_regressor_cuda::pnp_gradients")
def _slopes(
    points_2d: Tensor, points_3d: Tensor, camera_matrix: Tensor, weights: Tensor, rotation: Tensor,
    translation: Tensor, status: Tensor, by_rotation: Tensor, by_translation: Tensor, loss: str, loss_scale: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    inputs = (points_2d, points_3d, camera_matrix, weights)
    first, second, third, last = (value.new_empty(value.shape) for value in inputs)
    return first, second, third, last
