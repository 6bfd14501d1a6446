"""The network as ONNX graphs, from its configuration and weights, without torch.

A network becomes two graphs: `find` for whole frames and `look` for crops. Both take (B, 3, H, W) uint8 RGB. Names of
outputs: box_logits and box_boxes (`outputs.BoxOutput`), and the fields of `outputs.PoseOutput`. Tests compare both with
the torch modules in backbone.py, heads.py and network.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from pose_regressor.network.onnx_file import OnnxGraph
from pose_regressor.network.outputs import BOX_NAMES, POSE_NAMES
from pose_regressor.network.quantization import FLOAT, add_quantized, add_weights
from pose_regressor.network.weights import Arrays, Weights

Entry = Literal["find", "look"]
METADATA_KEY = "pose_regressor"
#: Added to variances by torch's batch normalisation.
EPSILON = 1e-5
#: Certainties are clamped to these.
LEAST_CERTAINTY, MOST_CERTAINTY = -2.0, 6.0


def network_graph(
    weights: Weights,
    entry: Entry,
    metadata: Mapping[str, Any] | None = None,
    ranges: Mapping[str, float] | None = None,
) -> bytes:
    """One graph of a network, as the content of an ONNX file.

    The batch may have any size; H and W of `find` may be any multiples of 32.

    metadata: plain JSON, kept in the file under METADATA_KEY
    ranges: for int8, as `Quantization.ranges` has them; None: float32
    """
    names = BOX_NAMES if entry == "find" else BOX_NAMES + POSE_NAMES
    builder = _Builder(weights, entry, ranges)
    builder.build()
    texts = {} if metadata is None else {METADATA_KEY: json.dumps(metadata)}
    return builder.graph.content(texts, f"{entry}: {', '.join(names)}; see the metadata {METADATA_KEY}")


def range_graph(weights: Weights, entry: Entry) -> tuple[bytes, tuple[str, ...]]:
    """A graph whose outputs are the largest magnitudes of the convolutions' inputs, and these convolutions' names."""
    builder = _Builder(weights, entry)
    builder.build()
    graph = builder.graph
    graph.forget_outputs()
    for name, value in builder.inputs.items():
        graph.node("ReduceMax", f"{name}.range", [graph.node("Abs", f"{name}.magnitude", [value])], keepdims=0)
        graph.output(f"{name}.range", np.float32, ())
    return graph.content({}), tuple(builder.inputs)


class _Builder:
    """Adds the network's layers to a graph, in the order in which the torch modules call them."""

    def __init__(self, weights: Weights, entry: Entry, ranges: Mapping[str, float] | None = None) -> None:
        self.config, self.objects, self.entry = weights.config, weights.objects, entry
        self.arrays: Arrays = weights.arrays
        self.graph = OnnxGraph(f"pose_regressor_{entry}")
        self.ranges = ranges
        #: Name of each convolution -> its input. Inputs that are never negative. Inputs -> the same, rounded for int8.
        self.inputs: dict[str, str] = {}
        self.unsigned: set[str] = set()
        self.rounded: dict[str, str] = {}

    def build(self) -> None:
        size = self.config.crop_size
        whole = self.entry == "find"
        image = self.graph.input("image", np.uint8, ("batch", 3, *(("height", "width") if whole else (size, size))))
        features = self.backbone(self.normalised(image))
        stride8 = self.up("up8", self.up("up16", features[4], features[3]), features[2])
        self.box_head(stride8, ("rows", "columns") if whole else (size // 8, size // 8))
        if not whole:
            self.dense_head(self.up("up2", self.up("up4", stride8, features[1]), features[0]), size // 2)
            self.regression_head(features[4])

    # ------------------------------------------------------------------ parts of the network

    def normalised(self, image: str) -> str:
        mean, std = (
            self.graph.constant(name, np.array(values, np.float32).reshape(3, 1, 1) * np.float32(255))
            for name, values in (("mean", self.config.mean), ("std", self.config.std))
        )
        numbers = self.graph.node("Cast", "float_image", [image], to=1)
        centred = self.graph.node("Sub", "centred_image", [numbers, mean])
        return self.graph.node("Div", "normalised_image", [centred, std])

    def backbone(self, image: str) -> list[str]:
        """The features at strides 2, 4, 8, 16, 32."""
        features = [self.relu(self.conv("backbone.conv1", image, norm="backbone.bn1", stride=2))]
        x = self.graph.node("MaxPool", "maxpool", [features[0]], kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2])
        self.unsigned.add(x)
        for stage, count in enumerate(self.config.blocks, start=1):
            for block in range(count):
                x = self.block(f"backbone.layer{stage}.{block}", x, 2 if stage > 1 and block == 0 else 1)
            features.append(x)
        return features

    def block(self, name: str, x: str, stride: int) -> str:
        shortcut = x
        if f"{name}.downsample.0.weight" in self.arrays:
            shortcut = self.conv(f"{name}.downsample.0", x, norm=f"{name}.downsample.1", stride=stride)
        y = self.relu(self.conv(f"{name}.conv1", x, norm=f"{name}.bn1", stride=stride))
        y = self.conv(f"{name}.conv2", y, norm=f"{name}.bn2")
        return self.relu(self.graph.node("Add", f"{name}.sum", [y, shortcut]))

    def up(self, name: str, coarse: str, lateral: str) -> str:
        twice = self.graph.constant("twice", np.array([1, 1, 2, 2], np.float32))
        doubled = self.graph.node(
            "Resize", f"{name}.doubled", [self.conv(f"{name}.reduce", coarse), "", twice],
            coordinate_transformation_mode="asymmetric", mode="nearest", nearest_mode="floor",
        )  # fmt: skip
        total = self.graph.node("Add", f"{name}.sum", [doubled, self.conv(f"{name}.lateral", lateral)])
        return self.smooth(f"{name}.smooth", total)

    def box_head(self, x: str, cells: tuple[int | str, int | str]) -> None:
        out = self.conv("box_head.out", self.smooth("box_head.conv", x))
        logits, boxes = BOX_NAMES
        self.slice(logits, out, 1, 0, self.objects)
        own = self.slice("box_head.boxes", out, 1, self.objects, 5 * self.objects)
        height_width = self.slice("box_head.cells", self.graph.node("Shape", "box_head.shape", [own]), 0, 2, 4)
        front = self.graph.constant("box_head.front", np.array([0, self.objects, 4], np.int64))  # 0: as it is
        shape = self.graph.node("Concat", "box_head.split", [front, height_width], axis=0)
        self.graph.node("Reshape", boxes, [own, shape])
        self.graph.output(logits, np.float32, ("batch", self.objects, *cells))
        self.graph.output(boxes, np.float32, ("batch", self.objects, 4, *cells))

    def dense_head(self, x: str, size: int) -> None:
        out = self.conv("dense_head.out", self.smooth("dense_head.conv", x))
        out = self.reshape("dense_head.split", out, [0, self.objects, 5, size, size])
        coordinates, mask, certainty = POSE_NAMES[:3]
        self.slice(coordinates, out, 2, 0, 3)
        flat = [0, self.objects, size, size]
        self.reshape(mask, self.slice("dense_head.mask", out, 2, 3, 4), flat)
        raw = self.reshape("dense_head.certainty", self.slice("dense_head.last", out, 2, 4, 5), flat)
        limits = [
            self.graph.constant(name, np.array(value, np.float32))
            for name, value in (("least_certainty", LEAST_CERTAINTY), ("most_certainty", MOST_CERTAINTY))
        ]
        self.graph.node("Clip", certainty, [raw, *limits])
        self.graph.output(coordinates, np.float32, ("batch", self.objects, 3, size, size))
        for name in (mask, certainty):
            self.graph.output(name, np.float32, ("batch", self.objects, size, size))

    def regression_head(self, x: str) -> None:
        x = self.graph.node("Flatten", "regression_head.flat", [self.relu(self.conv("regression_head.reduce", x))])
        out = self.linear("regression_head.out", self.relu(self.linear("regression_head.hidden", x)))
        out = self.reshape("regression_head.split", out, [0, self.objects, 9])
        for name, start, stop in zip(POSE_NAMES[3:], (0, 6), (6, 9), strict=True):
            self.slice(name, out, 2, start, stop)
            self.graph.output(name, np.float32, ("batch", self.objects, stop - start))

    # ------------------------------------------------------------------ layers

    def conv(self, name: str, x: str, norm: str | None = None, stride: int = 1) -> str:
        """A convolution, padded to keep the size but for its stride. norm: a batch normalisation to fold into it."""
        weight = self.arrays[f"{name}.weight"]
        bias = self.arrays.get(f"{name}.bias")
        if norm is not None:
            gamma, beta, mean, variance = (
                self.arrays[f"{norm}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")
            )
            scale = gamma / np.sqrt(variance + np.float32(EPSILON))
            weight, bias = weight * scale[:, None, None, None], beta - mean * scale
        size = weight.shape[-1]
        self.inputs[name] = x
        if self.ranges is None or name in FLOAT:
            inputs = [x, self.graph.constant(f"{name}.weight", weight)]
        else:
            if x not in self.rounded:
                self.rounded[x] = add_quantized(self.graph, x, self.ranges[name], x in self.unsigned)
            inputs = [self.rounded[x], add_weights(self.graph, f"{name}.weight", weight)]
        if bias is not None:
            inputs.append(self.graph.constant(f"{name}.bias", bias))
        return self.graph.node(
            "Conv", name, inputs, kernel_shape=[size, size], pads=[size // 2] * 4, strides=[stride, stride]
        )

    def smooth(self, name: str, x: str) -> str:
        return self.relu(self.conv(f"{name}.0", x, norm=f"{name}.1"))

    def linear(self, name: str, x: str) -> str:
        parts = [self.graph.constant(f"{name}.{part}", self.arrays[f"{name}.{part}"]) for part in ("weight", "bias")]
        return self.graph.node("Gemm", name, [x, *parts], transB=1)

    def relu(self, x: str) -> str:
        self.unsigned.add(f"{x}.relu")
        return self.graph.node("Relu", f"{x}.relu", [x])

    def slice(self, name: str, x: str, axis: int, start: int, stop: int) -> str:
        places = [self.graph.constant(f"number_{value}", np.array([value], np.int64)) for value in (start, stop, axis)]
        return self.graph.node("Slice", name, [x, *places])

    def reshape(self, name: str, x: str, shape: list[int]) -> str:
        return self.graph.node("Reshape", name, [x, self.graph.constant(f"{name}.shape", np.array(shape, np.int64))])
