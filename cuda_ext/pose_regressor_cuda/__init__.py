"""``torch.ops.pose_regressor_cuda.projection_loss``: the compiled projection loss.

    projection_loss(points (1 or B, N, 3), rotation (B, 3, 3), translation (B, 3), rotation_gt (B, 3, 3),
                    translation_gt (B, 3), camera_matrix (1 or B, 3, 3), height, width, scale, kernel, differentiate)
    -> loss (B,), by_rotation (B, 3, 3), by_translation (B, 3)

All tensors float32, or all float64, on one device. The gradients of the loss are computed with it, if `differentiate`
(they are empty otherwise), and its backward multiplies them by what comes in. `pose_regressor.ops.projection` is the
interface to use; its `reference` says what is computed.
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
