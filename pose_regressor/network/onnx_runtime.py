"""Networks as ONNX graphs: writes them, checks them against torch, and runs them with ONNX Runtime.

A network becomes two graphs: `find` for whole frames and `look` for crops. Both take (B, 3, H, W) uint8 RGB. Names of
outputs: box_logits and box_boxes (`heads.BoxOutput`), and the fields of `heads.PoseOutput`.
"""

from __future__ import annotations

import inspect
import io
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Literal

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pose_regressor.network.heads import BoxOutput, PoseOutput
from pose_regressor.network.network import PoseNetwork

Entry = Literal["find", "look"]
BOX_NAMES = tuple(f"box_{field.name}" for field in fields(BoxOutput))
POSE_NAMES = tuple(field.name for field in fields(PoseOutput))
OPSET = 17
METADATA_KEY = "pose_regressor"


class _Find(nn.Module):
    def __init__(self, network: PoseNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        return _values(self.network.find(image))


class _Look(_Find):
    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        boxes, poses = self.network(image)
        return *_values(boxes), *_values(poses)


def _values(output: Any) -> tuple[Tensor, ...]:
    return tuple(getattr(output, field.name) for field in fields(output))


def onnx_graph(network: PoseNetwork, entry: Entry, metadata: Mapping[str, Any] | None = None) -> bytes:
    """One graph of a network, as the content of an ONNX file.

    The batch may have any size; H and W of `find` may be any multiples of 32.

    metadata: plain JSON, kept in the file under METADATA_KEY
    """
    names = BOX_NAMES if entry == "find" else BOX_NAMES + POSE_NAMES
    module = (_Find if entry == "find" else _Look)(network).eval()
    size = network.config.find_size if entry == "find" else network.config.crop_size
    example = torch.zeros(2, 3, size, size, dtype=torch.uint8)
    axes: dict[str, dict[int, str]] = {name: {0: "batch"} for name in ("image", *names)}
    if entry == "find":
        axes["image"] |= {2: "height", 3: "width"}
        axes["box_logits"] |= {2: "rows", 3: "columns"}
        axes["box_boxes"] |= {3: "rows", 4: "columns"}
    buffer: Any = io.BytesIO()
    options: dict[str, Any] = {"input_names": ["image"], "output_names": list(names), "dynamic_axes": axes}
    if "dynamo" in inspect.signature(torch.onnx.export).parameters:
        options["dynamo"] = False  # the new exporter needs one more package and has no advantage here
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about its age, and about traced constants
        torch.onnx.export(module, (example,), buffer, opset_version=OPSET, **options)
    if metadata is None:
        return bytes(buffer.getvalue())
    model = onnx.load_from_string(buffer.getvalue())
    onnx.helper.set_model_props(model, {METADATA_KEY: json.dumps(metadata)})
    model.doc_string = f"{entry}: {', '.join(names)}; see the metadata {METADATA_KEY}"
    return bytes(model.SerializeToString())


def open_session(graph: bytes) -> onnxruntime.InferenceSession:
    """A session on the CPU, with as many threads as torch has."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    # Threads that spin between frames would keep cores from other processes.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


class OnnxRunner:
    """A `runners.Runner` with ONNX Runtime. Images and outputs are in main memory."""

    def __init__(self, network: PoseNetwork) -> None:
        self._find = open_session(onnx_graph(network, "find"))
        self._look = open_session(onnx_graph(network, "look"))

    def find(self, image: Tensor) -> BoxOutput:
        return BoxOutput(*_run(self._find, image))

    def __call__(self, crop: Tensor) -> tuple[BoxOutput, PoseOutput]:
        values = _run(self._look, crop)
        return BoxOutput(*values[: len(BOX_NAMES)]), PoseOutput(*values[len(BOX_NAMES) :])


def _run(session: onnxruntime.InferenceSession, image: Tensor) -> list[Tensor]:
    return [torch.from_numpy(value) for value in session.run(None, {"image": image.contiguous().numpy()})]


@torch.inference_mode()
def largest_deviation(network: PoseNetwork, graph: bytes, entry: Entry, images: Sequence[NDArray[np.uint8]]) -> float:
    """The largest difference between torch's outputs and the graph's.

    Absolute, over the largest magnitude of that output or 1; the worst of all outputs and images.

    images: each (B, 3, H, W) uint8
    """
    session = open_session(graph)
    module = (_Find if entry == "find" else _Look)(network).eval()
    worst = 0.0
    for image in images:
        expected = [value.numpy() for value in module(torch.from_numpy(image))]
        for value, truth in zip(session.run(None, {"image": image}), expected, strict=True):
            worst = max(worst, float(np.abs(value - truth).max() / max(1.0, float(np.abs(truth).max()))))
    return worst
