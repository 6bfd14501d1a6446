"""What runs the network's graphs on CPUs: OpenVINO and ONNX Runtime. Neither needs torch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pose_regressor.network.graph import network_graph
from pose_regressor.network.outputs import BOX_NAMES, BoxOutput, PoseOutput
from pose_regressor.network.quantization import overflow_graph
from pose_regressor.network.weights import Weights

Images = NDArray[np.uint8]
Values = list[NDArray[np.float32]]
Precision = Literal["fp32", "bf16", "int8"]
#: Images (B, 3, H, W) -> the graph's outputs, in their order.
Engine = Callable[[Images], Values]
#: The content of an ONNX file, a number of threads -> what runs it.
OpenEngine = Callable[[bytes, int, Precision], Engine]


class GraphRunner:
    """A `runners.Runner` of a network's two graphs. ranges: for int8, see `network_graph`."""

    def __init__(
        self,
        weights: Weights,
        open_engine: OpenEngine,
        threads: int,
        precision: Precision,
        ranges: Mapping[str, float] | None = None,
    ) -> None:
        self._find = open_engine(network_graph(weights, "find", ranges=ranges), threads, precision)
        self._look = open_engine(network_graph(weights, "look", ranges=ranges), threads, precision)

    def find(self, image: Images) -> BoxOutput[NDArray[np.float32]]:
        return BoxOutput(*self._find(image))

    def __call__(self, crop: Images) -> tuple[BoxOutput[NDArray[np.float32]], PoseOutput[NDArray[np.float32]]]:
        values = self._look(crop)
        return BoxOutput(*values[: len(BOX_NAMES)]), PoseOutput(*values[len(BOX_NAMES) :])


def open_onnxruntime(graph: bytes, threads: int, precision: Precision = "fp32") -> Engine:
    """ONNX Runtime knows fp32 only. It runs graphs for int8 too, but no faster."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that spin between frames would keep cores from other processes.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    return lambda images: session.run(None, {"image": np.ascontiguousarray(images)})


@lru_cache(1)
def _openvino() -> Any:
    import openvino

    # Its binding sets up NumPy's types when it first takes an array. Two threads that do so at once wait for each other
    # for ever (seen with 2026.4.1), so it is done here, by one.
    openvino.Tensor(np.zeros(1, np.float32))
    return openvino.Core()


def has_bf16() -> bool:
    """Whether OpenVINO computes faster in bfloat16 than in float32 here."""
    return "BF16" in _openvino().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


@lru_cache(1)
def has_int8() -> bool:
    """Whether OpenVINO computes faster in 8 bits here, and rightly: on CPUs without VNNI, sums may overflow."""
    if "INT8" not in _openvino().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        return False
    graph, images, right = overflow_graph()
    [sums] = open_openvino(graph, 1, "int8")(images)
    return bool(np.allclose(sums, right, rtol=1e-3))


def open_openvino(graph: bytes, threads: int, precision: Precision = "fp32") -> Engine:
    """OpenVINO on the CPU. It takes no core for itself, so that other processes get theirs.

    precision: of what the graph has in floats. int8 is in the graph itself.
    """
    properties = {
        "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16", "int8": "f32"}[precision],
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "ENABLE_CPU_PINNING": False,
    }
    core = _openvino()
    request = core.compile_model(core.read_model(graph), "CPU", properties).create_infer_request()
    count, one_at_a_time = len(request.model_outputs), threading.Lock()

    def run(images: Images) -> Values:
        with one_at_a_time:
            request.infer([np.ascontiguousarray(images)], share_inputs=True)
            return [request.get_output_tensor(number).data.copy() for number in range(count)]

    return run
