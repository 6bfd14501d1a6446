"""The compiled extension pose_regressor_cuda, if it is installed. It is looked for on first use, not on import."""

from __future__ import annotations

from functools import cache

import torch


@cache
def why_missing(operator: str, device_type: str) -> str:
    """Why the extension's operator cannot be used on this type of device; empty if it can. Loads the extension."""
    try:
        import pose_regressor_cuda
    except (ImportError, OSError) as error:  # not installed, or built for another torch
        return f"to compile it: pip install ./cuda_ext ({error})"
    if device_type not in pose_regressor_cuda.DEVICES:
        return f"pose_regressor_cuda was built for {' and '.join(pose_regressor_cuda.DEVICES)}"
    if not hasattr(torch.ops.pose_regressor_cuda, operator):
        return "pose_regressor_cuda is an older one; to compile it again: pip install ./cuda_ext"
    return ""
