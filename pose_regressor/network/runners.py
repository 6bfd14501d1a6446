"""What runs a network: OpenVINO or ONNX Runtime on CPUs, torch on GPUs (docs/export.md has the figures)."""

from __future__ import annotations

import ctypes
import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from pose_regressor.network.bundle import Bundle
from pose_regressor.network.engines import (
    Engine,
    GraphRunner,
    Precision,
    has_bf16,
    has_int8,
    open_onnxruntime,
    open_openvino,
)
from pose_regressor.network.outputs import BoxOutput, PoseOutput
from pose_regressor.network.quantization import Quantization
from pose_regressor.network.weights import Weights
from pose_regressor.settings import MOST_THREADS
from pose_regressor.types import InputError

Backend = Literal["openvino", "onnxruntime", "torch"]
#: On a CPU, `auto` takes the first of them that is installed: the fastest comes first.
BY_SPEED: tuple[Backend, ...] = ("openvino", "onnxruntime", "torch")
BACKENDS = ("auto", *BY_SPEED)
PRECISIONS = ("auto", "fp32", "bf16", "int8")
#: Threads of an engine unless said otherwise, on a machine with as many cores. On free cores two take half the time of
#: one. Where both cores are busy, they take the same (docs/export.md has the figures).
THREADS = 2
#: What pip is to install for each.
REMEDIES = {
    "openvino": "pip install openvino",
    "onnxruntime": 'pip install "pose_regressor[onnx]"',
    "torch": 'pip install "pose_regressor[torch]"',
}


ENGINES = {"openvino": open_openvino, "onnxruntime": open_onnxruntime}


class Runner(Protocol):
    """A network that is ready to run. Both calls are as of PoseNetwork, with arrays in main memory."""

    def find(self, image: NDArray[np.uint8]) -> BoxOutput[NDArray[np.float32]]: ...
    def __call__(
        self, crop: NDArray[np.uint8]
    ) -> tuple[BoxOutput[NDArray[np.float32]], PoseOutput[NDArray[np.float32]]]: ...


@dataclass(frozen=True)
class Execution:
    """How networks are run.

    backend: what runs them
    device: cpu, cuda or cuda:N
    precision: of their arithmetic
    threads: of the CPU; 0: as many as torch takes by itself
    """

    backend: Backend
    device: str
    precision: Precision
    threads: int

    def __str__(self) -> str:
        threads = "" if not self.threads else f", {self.threads} thread{'s' * (self.threads > 1)}"
        return f"{self.backend} on {self.device}, {self.precision}{threads}"


def select_device(name: str) -> str:
    """cpu, cuda or cuda:N. ``auto`` is CUDA where there is one. InputError: a device that is not there."""
    if name == "auto":
        return "cuda" if cuda_devices() else "cpu"
    kind, _, index = name.partition(":")
    if kind not in ("cpu", "cuda") or (index and not (kind == "cuda" and index.isdecimal())) or name.endswith(":"):
        raise InputError(f"device {name!r}: expected auto, cpu, cuda or cuda:N")
    if kind == "cuda":
        _need("torch", "device cuda")
        if int(index or 0) >= cuda_devices():
            raise InputError(f"device {name!r}: this machine has {cuda_devices()} CUDA devices that torch can use")
    return name


@lru_cache(1)
def cuda_devices() -> int:
    """The number of CUDA devices that torch can use. torch is not imported if there is no NVIDIA driver."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return 0
    try:
        import torch
    except ImportError:
        return 0
    return int(torch.cuda.device_count())


def cores() -> int:
    """How many cores of the CPU this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def choose_execution(
    backend: str,
    device: str,
    precision: str = "auto",
    threads: int = 0,
    quantization: Quantization | None = None,
    at_once: int = 1,
) -> Execution:
    """How to run a network on this machine.

    backend: a name; ``auto``: torch on CUDA, and on a CPU the fastest that is installed
    device: cpu, cuda or cuda:N
    precision: ``auto``: see `_fastest_precision`
    threads: 0: two for OpenVINO and ONNX Runtime, or one if there are too few cores; for torch as many as it takes
    quantization: of the network's bundle, which int8 needs
    at_once: networks that run at the same time
    InputError: a name is unknown, threads is no number from 0 to MOST_THREADS, or the backend does not run on this
        device, in this precision, or is not installed.
    """
    _check("backend", backend, BACKENDS)
    _check("precision", precision, PRECISIONS)
    if type(threads) is not int or not 0 <= threads <= MOST_THREADS:
        raise InputError(f"threads: expected a whole number from 0 to {MOST_THREADS}, got {threads!r}")
    chosen = _fastest(device) if backend == "auto" else _named(backend, device)
    if precision in ("bf16", "int8") and chosen != "openvino":
        raise InputError(f"precision {precision}: expected the backend openvino, got {chosen}; fp32 is for all")
    if chosen == "torch":
        return Execution(chosen, device, "fp32", threads)
    if precision == "int8" and quantization is None:
        remedy = "`pose-regressor calibrate --only-int8` adds them; fp32 is for all"
        raise InputError(f"precision int8: expected a bundle with ranges for it, this one has none; {remedy}")
    if (precision == "bf16" and not has_bf16()) or (precision == "int8" and not has_int8()):
        what = f"precision {precision}: expected a CPU that computes in it"
        raise InputError(f"{what}, this one does not; fp32 is for all")
    if precision == "auto":
        precision = _fastest_precision(quantization) if chosen == "openvino" else "fp32"
    usual = max(1, min(THREADS, cores() // at_once))
    return Execution(chosen, device, precision, threads or usual)  # type: ignore[arg-type]  # precision is checked


def _fastest_precision(quantization: Quantization | None) -> Precision:
    """bf16 where the CPU has it; int8 is little faster there. Else int8, if the bundle's poses are as precise in it."""
    if has_bf16():
        return "bf16"
    return "int8" if quantization and quantization.precise and has_int8() else "fp32"


def choose_executions(
    bundles: Sequence[Bundle], backend: str, device: str, precision: str = "auto", threads: int = 0
) -> tuple[Execution, ...]:
    """`choose_execution` for each bundle by what it has. InputError: also names the bundle's objects."""
    executions = []
    for bundle in bundles:
        try:
            execution = choose_execution(backend, device, precision, threads, bundle.quantization, len(bundles))
            executions.append(execution)
        except InputError as error:  # noqa: PERF203 - there are few
            raise InputError(f"{error} (bundle of {_names(bundle)})") from None
    return tuple(executions)


def in_words(bundles: Sequence[Bundle], executions: Sequence[Execution]) -> str:
    """What runs the bundles' networks; with the objects' names if it is not the same for all."""
    words: dict[str, list[str]] = {}
    for bundle, execution in zip(bundles, executions, strict=True):
        words.setdefault(str(execution), []).append(_names(bundle))
    if len(words) == 1:
        return next(iter(words))
    return "; ".join(f"{', '.join(names)}: {way}" for way, names in words.items())


def _names(bundle: Bundle) -> str:
    return ", ".join(model.name for model in bundle.objects)


def _check(what: str, name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        raise InputError(f"{what}: expected one of {', '.join(known)}, got {name!r}")


def _fastest(device: str) -> Backend:
    if device == "cpu":
        for backend in BY_SPEED:
            try:
                importlib.import_module(backend)
            except ImportError:
                continue
            return backend
        raise InputError(f"backend: expected one of {', '.join(BY_SPEED)}, none is installed; {REMEDIES['openvino']}")
    return _named("torch", device)


def _named(backend: str, device: str) -> Backend:
    name: Backend = backend  # type: ignore[assignment]
    if name != "torch" and device != "cpu":
        raise InputError(f"backend {name}: expected the device cpu, got {device}; torch is for GPUs")
    _need(name, f"backend {name}")
    return name


def _need(package: Backend, what: str) -> None:
    try:
        importlib.import_module(package)
    except ImportError as error:
        raise InputError(f"{what}: {package} does not import ({error}); {REMEDIES[package]}") from None


def open_runner(weights: Weights, execution: Execution, quantization: Quantization | None = None) -> Runner:
    """A runner of a network. quantization: of its bundle, which int8 needs."""
    if execution.backend == "torch":
        from pose_regressor.network.torch_runner import TorchRunner  # imports torch

        return TorchRunner(weights, execution.device, execution.threads)
    ranges = quantization.ranges if quantization and execution.precision == "int8" else None
    return GraphRunner(weights, ENGINES[execution.backend], execution.threads, execution.precision, ranges)


def open_engine(graph: bytes) -> Engine:
    """The fastest engine that is installed, with the content of an ONNX file. fp32, one thread.

    InputError: none is installed.
    """
    backend = _fastest("cpu")
    if backend == "torch":
        raise InputError(f"expected one of {', '.join(ENGINES)}, none is installed; {REMEDIES['openvino']}")
    return ENGINES[backend](graph, 1, "fp32")
