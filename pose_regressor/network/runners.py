"""What runs a network: torch, or ONNX Runtime, which is twice as fast on CPUs (docs/export.md has the figures)."""

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
    """A network that is ready to run: as PoseNetwork, from uint8 images to outputs on the images' device."""

    def find(self, image: Tensor) -> BoxOutput: ...
    def __call__(self, crop: Tensor) -> tuple[BoxOutput, PoseOutput]: ...


def choose_backend(name: str, device: torch.device) -> Backend:
    """``auto`` is ONNX Runtime on a CPU where it is installed, else torch. InputError: it cannot be had here."""
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
    """The network in evaluation mode on the device."""
    network.eval()
    if backend == "onnxruntime":
        from pose_regressor.network.onnx_runtime import OnnxRunner  # not everybody has it

        return OnnxRunner(network)
    network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network
