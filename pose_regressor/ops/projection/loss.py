"""The projection loss: check, dispatch to the compiled operator or to its torch reference."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from pose_regressor.ops.projection.backend import compiled_for, compiled_loss
from pose_regressor.ops.projection.reference import reference_loss
from pose_regressor.types import InputError

Kernel = Literal["long_range", "one_pixel"]
KERNELS: tuple[Kernel, ...] = get_args(Kernel)
#: Pixels are counted in 32-bit integers, and a real grid is far smaller.
MAX_EDGE = 4096


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
    _check(named, size, scale, kernel)
    if check_values and not torch.compiler.is_compiling():
        _check_finite(named)
    height, width = size
    dtype = torch.float64 if any(value.dtype == torch.float64 for value in named.values()) else torch.float32
    points, rotation, translation, rotation_gt, translation_gt, camera_matrix = (
        value.to(dtype) for value in named.values()
    )
    compute = compiled_loss if compiled_for(rotation.device.type) else reference_loss
    return compute(
        points.reshape(-1, *points.shape[-2:]), rotation, translation, rotation_gt, translation_gt,
        camera_matrix.reshape(-1, 3, 3), height, width, float(scale), kernel,
    )  # fmt: skip


def _check(named: dict[str, Tensor], size: tuple[int, int], scale: float, kernel: str) -> None:
    for name, value in named.items():
        if not isinstance(value, Tensor):
            raise InputError(f"projection_loss: {name}: expected a tensor, got {type(value).__name__}")
        if not value.is_floating_point():
            raise InputError(f"projection_loss: {name}: expected a floating-point type, got {value.dtype}")
    rotation = named["rotation"]
    if rotation.ndim != 3:
        raise InputError(f"projection_loss: rotation: expected shape (B, 3, 3), got {tuple(rotation.shape)}")
    batch = len(rotation)
    count = named["points"].shape[-2] if named["points"].ndim >= 2 else 0
    expected: dict[str, list[tuple[int, ...]]] = {
        "points": [(count, 3), (batch, count, 3)], "rotation": [(batch, 3, 3)], "translation": [(batch, 3)],
        "rotation_gt": [(batch, 3, 3)], "translation_gt": [(batch, 3)], "camera_matrix": [(3, 3), (batch, 3, 3)],
    }  # fmt: skip
    for name, value in named.items():
        if tuple(value.shape) not in expected[name]:
            shapes = "(N, 3) or (B, N, 3)" if name == "points" else " or ".join(map(str, expected[name]))
            raise InputError(
                f"projection_loss: {name}: expected shape {shapes} for a batch of {batch}, got {tuple(value.shape)}"
            )
        if value.device != rotation.device:
            raise InputError(f"projection_loss: {name}: expected on {rotation.device} as rotation, got {value.device}")
    if count == 0:
        raise InputError("projection_loss: points: expected at least one, got none")
    if len(size) != 2 or not all(isinstance(edge, int) and 1 <= edge <= MAX_EDGE for edge in size):
        raise InputError(f"projection_loss: size: expected (height, width) of 1 to {MAX_EDGE} pixels, got {size}")
    if not 0 < scale < float("inf"):
        raise InputError(f"projection_loss: scale: expected a positive number, got {scale}")
    if kernel not in KERNELS:
        raise InputError(f"projection_loss: kernel: expected one of {', '.join(KERNELS)}, got {kernel!r}")


def _check_finite(named: dict[str, Tensor]) -> None:
    with torch.no_grad():
        # One number to wait for; only when it is not finite is it asked where.
        if torch.stack([value.sum(dtype=torch.float64) for value in named.values()]).sum().isfinite():
            return
        for name, value in named.items():
            if not value.isfinite().all():
                raise InputError(f"projection_loss: {name}: expected finite numbers, got NaN or infinity")
