"""The network in int8: what a bundle must know for it, and how weights become whole numbers.

A number x is kept as round(x / step). The input of a convolution has one step. It gives whole numbers from -127 to 127,
or from 0 to 255 behind a ReLU, where nothing is negative. The weights of each output channel have a step of their own,
for -127 to 127. Products are summed in 32 bits. All else, and the convolutions named in FLOAT, compute in float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_regressor.network.config import NetworkConfig
from pose_regressor.network.onnx_file import OnnxGraph
from pose_regressor.network.weights import parameter_shapes
from pose_regressor.types import InputError

#: Largest whole numbers of an input behind a ReLU, and of all others.
UNSIGNED, SIGNED = 255, 127
#: These convolutions stay in float: they are small, and half of int8's error in coordinates would come from them.
FLOAT = ("box_head.out", "dense_head.out")
#: Ranges outside these are damaged: float32 could not hold their steps, or squares of them.
LEAST_RANGE, LARGEST_RANGE = 1e-6, 1e6


@dataclass(frozen=True)
class Quantization:
    """Measured by `pose-regressor calibrate`.

    ranges: name of each convolution -> largest magnitude of its input
    precise: whether poses in int8 are as precise as in float32. If not, `auto` does not take it.
    """

    ranges: Mapping[str, float]
    precise: bool

    def __post_init__(self) -> None:
        if not isinstance(self.precise, bool):
            raise InputError(f"int8: expected true or false for precise, got {self.precise!r}")
        if not isinstance(self.ranges, Mapping):
            raise InputError(f"int8: expected ranges by the names of convolutions, got {self.ranges!r}")
        for name, value in self.ranges.items():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not LEAST_RANGE <= value <= LARGEST_RANGE:
                limits = f"{LEAST_RANGE:g} to {LARGEST_RANGE:g}"
                raise InputError(f"int8: {name}: expected a range from {limits}, got {value!r}")

    def check(self, config: NetworkConfig, objects: int) -> None:
        """InputError: the ranges are not those of this network's convolutions."""
        expected = set(convolutions(config, objects))
        if wrong := sorted(expected ^ self.ranges.keys()):
            what = "is missing" if wrong[0] in expected else "is none of the network's convolutions"
            raise InputError(f"int8: expected a range for each convolution, but {wrong[0]} {what}")

    def to_dict(self) -> dict[str, Any]:
        return {"ranges": dict(self.ranges), "precise": self.precise}

    @classmethod
    def from_dict(cls, values: Any) -> Quantization:
        """From plain JSON. InputError: a missing or unknown key, or a value that does not fit."""
        if not isinstance(values, dict) or values.keys() != {"ranges", "precise"}:
            raise InputError(f"int8: expected ranges and precise, got {values!r}")
        return cls(values["ranges"], values["precise"])


def convolutions(config: NetworkConfig, objects: int) -> tuple[str, ...]:
    """The names of a network's convolutions."""
    shapes = parameter_shapes(config, objects)
    return tuple(name.removesuffix(".weight") for name, shape in shapes.items() if len(shape) == 4)


def quantized(weight: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Weights (O, I, h, w) as whole numbers of the same shape, and the step of each output channel (O,)."""
    largest = np.abs(weight).max(axis=(1, 2, 3))
    step = np.maximum(largest / SIGNED, np.finfo(np.float32).tiny).astype(np.float32)
    return np.rint(weight / step[:, None, None, None]).astype(np.int8), step


def add_quantized(graph: OnnxGraph, value: str, largest: float, unsigned: bool) -> str:
    """Rounds a value to whole steps. Engines do not compute it, but take it as a permission to compute in 8 bits.

    largest: its largest magnitude; unsigned: it is never negative
    """
    kind, top = (np.uint8, UNSIGNED) if unsigned else (np.int8, SIGNED)
    step = graph.constant(f"{value}.step", np.array(largest / top, np.float32))
    zero = graph.constant(f"zero_{kind.__name__}", np.array(0, kind))
    whole = graph.node("QuantizeLinear", f"{value}.whole", [value, step, zero])
    return graph.node("DequantizeLinear", f"{value}.rounded", [whole, step, zero])


def add_weights(graph: OnnxGraph, name: str, weight: NDArray[np.float32]) -> str:
    """A constant that is kept in 8 bits: weights (O, I, h, w)."""
    whole, step = quantized(weight)
    parts = (("whole", whole), ("step", step), ("zero", np.zeros(len(step), np.int8)))
    inputs = [graph.constant(f"{name}.{part}", value) for part, value in parts]
    return graph.node("DequantizeLinear", name, inputs, axis=0)


def overflow_graph() -> tuple[bytes, NDArray[np.uint8], float]:
    """A convolution of the largest whole numbers: as an ONNX file, its input, and each number of its right output.

    CPUs without instructions for it add pairs of products in 16 bits, where these overflow.
    """
    channels, size = 64, 8
    graph = OnnxGraph("overflow")
    image = graph.input("image", np.uint8, (1, channels, size, size))
    numbers = graph.node("Cast", "numbers", [image], to=1)
    weights = add_weights(graph, "weights", np.full((channels, channels, 1, 1), SIGNED, np.float32))
    graph.node("Conv", "sums", [add_quantized(graph, numbers, UNSIGNED, True), weights], kernel_shape=[1, 1])
    graph.output("sums", np.float32, (1, channels, size, size))
    images = np.full((1, channels, size, size), UNSIGNED, np.uint8)
    return graph.content({}), images, float(channels * UNSIGNED * SIGNED)
