"""The compiled operator, if it is installed. Its absence is explained once."""

from __future__ import annotations

import logging
from functools import cache

import torch
from torch import Tensor

from pose_regressor.ops.extension import why_missing

logger = logging.getLogger(__name__)


@torch.compiler.assume_constant_result
def compiled_for(device_type: str) -> bool:
    """Whether `pose_regressor_cuda` is installed and built for this type of device. If not, logs the reason once."""
    return _looked_for(device_type)


@cache
def _looked_for(device_type: str) -> bool:
    if reason := why_missing("projection_loss", device_type):
        logger.warning("projection loss: the torch reference is used on %s; %s", device_type, reason)
    return not reason


def compiled_loss(
    points: Tensor, rotation: Tensor, translation: Tensor, rotation_gt: Tensor, translation_gt: Tensor,
    camera_matrix: Tensor, height: int, width: int, scale: float, kernel: str,
) -> Tensor:  # fmt: skip
    """The same as `reference_loss`, computed by the compiled operator."""
    differentiate = torch.is_grad_enabled() and (rotation.requires_grad or translation.requires_grad)
    loss, _, _ = torch.ops.pose_regressor_cuda.projection_loss(
        points, rotation, translation, rotation_gt, translation_gt, camera_matrix, height, width, scale, kernel,
        differentiate,
    )  # fmt: skip
    return loss
