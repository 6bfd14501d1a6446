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
    """1 - IoU of two silhouettes: of points on a grid of pixels, under the predicted and the true pose. (B,) in [0, 1].

    Gradients reach `rotation` and `translation`. The loss counts pixels, so its gradients come from a kernel, see
    `reference`. Two empty silhouettes have loss 0. Half precision is computed in float32; all is computed in float64 if
    any input is float64.

    points: (N, 3) or (B, N, 3) metres, object frame
    rotation: (B, 3, 3) and translation: (B, 3) metres, of the predicted cam_from_obj
    rotation_gt, translation_gt: of the true one
    camera_matrix: (3, 3) or (B, 3, 3) pixels, [fx s cx; 0 fy cy; 0 0 1]
    size: (height, width) of the grid
    scale: grid pixels per image pixel; a point seen at (u, v) lands in the grid pixel nearest to (scale u, scale v)
    kernel: ``long_range`` pulls along rows and columns from any distance; ``one_pixel`` is the source's
    check_values: False: do not wait for the GPU to check numbers; under poses that are not finite, points land nowhere
    InputError: inputs that do not fit together or are not finite.

    [DPR] Bramon Mora, Deep 3D Pose Regression of Real Objects Trained With Synthetic Data, UPC 2018.
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
