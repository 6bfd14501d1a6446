"""Checks of both losses' inputs. Messages begin with the name of the function that was called."""

from __future__ import annotations

import torch
from torch import Tensor

from pose_regressor.types import InputError

#: Largest edge of a grid, pixels. Pixels are counted in 32-bit integers; real grids are far smaller.
MAX_EDGE = 4096


def batch_of(function: str, named: dict[str, Tensor]) -> int:
    """The batch size. named: the object's geometry first. InputError: types, devices or shapes do not fit together."""
    for name, value in named.items():
        if not isinstance(value, Tensor):
            raise InputError(f"{function}: {name}: expected a tensor, got {type(value).__name__}")
        if not value.is_floating_point():
            raise InputError(f"{function}: {name}: expected a floating-point type, got {value.dtype}")
    rotation, geometry = named["rotation"], next(iter(named))
    if rotation.ndim != 3:
        raise InputError(f"{function}: rotation: expected shape (B, 3, 3), got {tuple(rotation.shape)}")
    batch = len(rotation)
    count = named[geometry].shape[-2] if named[geometry].ndim >= 2 else 0
    expected: dict[str, list[tuple[int, ...]]] = {
        geometry: [(count, 3), (batch, count, 3)], "rotation": [(batch, 3, 3)], "translation": [(batch, 3)],
        "rotation_gt": [(batch, 3, 3)], "translation_gt": [(batch, 3)], "camera_matrix": [(3, 3), (batch, 3, 3)],
    }  # fmt: skip
    for name, value in named.items():
        if tuple(value.shape) not in expected[name]:
            shapes = "(N, 3) or (B, N, 3)" if name == geometry else " or ".join(map(str, expected[name]))
            raise InputError(
                f"{function}: {name}: expected shape {shapes} for a batch of {batch}, got {tuple(value.shape)}"
            )
        if value.device != rotation.device:
            raise InputError(f"{function}: {name}: expected on {rotation.device} as rotation, got {value.device}")
    if count == 0:
        raise InputError(f"{function}: {geometry}: expected at least one, got none")
    return batch


def check_size(function: str, size: tuple[int, int], scale: float) -> None:
    if len(size) != 2 or not all(isinstance(edge, int) and 1 <= edge <= MAX_EDGE for edge in size):
        raise InputError(f"{function}: size: expected (height, width) of 1 to {MAX_EDGE} pixels, got {size}")
    if not 0 < scale < float("inf"):
        raise InputError(f"{function}: scale: expected a positive number, got {scale}")


def check_finite(function: str, named: dict[str, Tensor]) -> None:
    with torch.no_grad():
        # The device is waited for once. Only if this sum is not finite, each input is checked.
        if torch.stack([value.sum(dtype=torch.float64) for value in named.values()]).sum().isfinite():
            return
        for name, value in named.items():
            if not value.isfinite().all():
                raise InputError(f"{function}: {name}: expected finite numbers, got NaN or infinity")


def computed_in(named: dict[str, Tensor]) -> torch.dtype:
    """float64 if any input is, else float32."""
    return torch.float64 if any(value.dtype == torch.float64 for value in named.values()) else torch.float32
