"""What runs a network: torch, or ONNX Runtime, which is faster on CPUs (docs/export.md has the figures)."""

from __future__ import annotations

from typing import Literal, Protocol

import torch
from torch import Tensor

from pose_regressor.network.heads import BoxOutput, PoseOutput
from pose_regressor.network.network import PoseNetwork
from pose_regressor.types import InputError

Backend = Literal["torch", "onnxruntime"]
BACKENDS = ("auto", "torch", "onnxruntime")


class Runner(Protocol):
    """A network that is ready to run. Both calls are as of PoseNetwork; outputs are on the images' device."""

    def find(self, image: Tensor) -> BoxOutput: ...
    def __call__(self, crop: Tensor) -> tuple[BoxOutput, PoseOutput]: ...


def choose_backend(name: str, device: torch.device) -> Backend:
    """The backend of this name. ``auto``: ONNX Runtime on a CPU if it is installed, else torch.

    InputError: the name is unknown, or the backend does not run on this device or is not installed.
    """
    if name not in BACKENDS:
        raise InputError(f"backend: expected one of {', '.join(BACKENDS)}, got {name!r}")
    if name == "torch" or (name == "auto" and device.type != "cpu"):
        return "torch"
    if device.type != "cpu":
        raise InputError(f"backend onnxruntime: expected the device cpu, got {device}; torch is for GPUs")
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError as error:
        if name == "auto":
            return "torch"
        raise InputError(
            f'backend onnxruntime: does not import ({error}); pip install "pose_regressor[onnx]"'
        ) from None
    return "onnxruntime"


def open_runner(network: PoseNetwork, backend: Backend, device: torch.device) -> Runner:
    """A runner of the network on the device. The network itself is set to evaluation mode."""
    network.eval()
    if backend == "onnxruntime":
        from pose_regressor.network.onnx_runtime import OnnxRunner  # imports onnxruntime, which is optional

        return OnnxRunner(network)
    network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network
