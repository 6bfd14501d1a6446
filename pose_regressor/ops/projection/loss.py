"""The projection loss: check, dispatch to the compiled operator or to its torch reference."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from pose_regressor.ops.projection.backend import compiled_for, compiled_loss
from pose_regressor.ops.projection.checks import batch_of, check_finite, check_size, computed_in
from pose_regressor.ops.projection.reference import reference_loss
from pose_regressor.types import InputError

Kernel = Literal["long_range", "one_pixel"]
KERNELS: tuple[Kernel, ...] = get_args(Kernel)


def projection_loss(
    points: Tensor, rotation: Tensor, translation: Tensor, rotation_gt: Tensor, translation_gt: Tensor,
    camera_matrix: Tensor, size: tuple[int, int], scale: float = 1.0, *, kernel: Kernel = "long_range",
    check_values: bool = True,
) -> Tensor:  # fmt: skip
    """1 - IoU of the silhouettes that points leave on a grid under the predicted and the true pose: (B,).

    points: (N, 3) or (B, N, 3) metres in the object's frame; rotation (B, 3, 3) and translation (B, 3) metres:
    predicted cam_from_obj; rotation_gt, translation_gt: the true one; camera_matrix: (3, 3) or (B, 3, 3) pixels,
    [fx s cx; 0 fy cy; 0 0 1]; size: (height, width) of the grid; scale: grid pixels per image pixel: what projects to
    (u, v) lands in the grid's pixel nearest to (scale * u, scale * v).

    Gradients reach `rotation` and `translation`. The loss is a count of pixels, so they come from a kernel:
    ``long_range`` pulls along rows and columns from any distance, ``one_pixel`` is the source's. Both are described in
    `reference`, which also says which pixel and which point counts. The loss is in [0, 1] and 0 where both silhouettes
    are empty. Half precision is computed in float32, and float64 if any input is float64.

    check_values: False saves waiting for the GPU; poses that are not finite then count as points that land nowhere.

    Raises InputError for inputs that do not fit together or are not finite. [DPR] Bramon Mora, UPC 2018.
    """
    named = {
        "points": points, "rotation": rotation, "translation": translation, "rotation_gt": rotation_gt,
        "translation_gt": translation_gt, "camera_matrix": camera_matrix,
    }  # fmt: skip
    batch_of("projection_loss", named)
    check_size("projection_loss", size, scale)
    if kernel not in KERNELS:
        raise InputError(f"projection_loss: kernel: expected one of {', '.join(KERNELS)}, got {kernel!r}")
    if check_values and not torch.compiler.is_compiling():
        check_finite("projection_loss", named)
    height, width = size
    dtype = computed_in(named)
    points, rotation, translation, rotation_gt, translation_gt, camera_matrix = (
        value.to(dtype) for value in named.values()
    )
    compute = compiled_loss if compiled_for(rotation.device.type) else reference_loss
    return compute(
        points.reshape(-1, *points.shape[-2:]), rotation, translation, rotation_gt, translation_gt,
        camera_matrix.reshape(-1, 3, 3), height, width, float(scale), kernel,
    )  # fmt: skip
