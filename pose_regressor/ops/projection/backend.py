"""The compiled operator, if it is installed: looked for on first use, its absence explained once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache

import torch

logger = logging.getLogger(__name__)


@cache
def _compiled() -> frozenset[str]:
    """The device types that `pose_regressor_cuda` was built for; none if it cannot be used."""
    try:
        import pose_regressor_cuda
    except ImportError as error:  # not installed, or built for another torch
        logger.info(
            "the projection loss runs on its torch reference: %s; pip install ./cuda_ext makes it faster", error
        )
        return frozenset()
    return frozenset(pose_regressor_cuda.DEVICES)


@cache
def _warn_of(device: str) -> None:
    logger.info("the projection loss runs on its torch reference: pose_regressor_cuda was built without %s", device)


def compiled_operator(device: torch.device) -> Callable | None:
    """The operator for tensors on `device`, or None."""
    if device.type in _compiled():
        return torch.ops.pose_regressor.projection_loss
    if _compiled():
        _warn_of(device.type)
    return None
