"""int8: both engines compute what whole numbers give, bundles keep what it needs, and each gets its own choice."""

import importlib
import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from pose_regressor.assets import demo_folder, find_model
from pose_regressor.estimation.estimator import PoseEstimator
from pose_regressor.files.cameras import load_camera
from pose_regressor.network import engines
from pose_regressor.network.bundle import Bundle
from pose_regressor.network.graph import network_graph, range_graph
from pose_regressor.network.onnx_file import OnnxGraph
from pose_regressor.network.quantization import (
    FLOAT,
    Quantization,
    add_quantized,
    add_weights,
    convolutions,
    quantized,
)
from pose_regressor.network.runners import ENGINES, choose_execution, choose_executions, in_words
from pose_regressor.sources import open_source
from pose_regressor.types import InputError

#: Top, left and side of squares in the demo's images.
CROPS = ((0, 0, 480), (100, 200, 240), (200, 100, 240), (150, 250, 160), (200, 350, 120))


@pytest.fixture
def offered(tiny_bundle) -> Bundle:
    """A bundle with ranges. They are as its convolutions' inputs are on noise."""
    pytest.importorskip("openvino")
    tiny_bundle.quantization = Quantization(ranges_of(tiny_bundle, noise((4, 3, 128, 128))), precise=True)
    return tiny_bundle


def noise(shape):
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def ranges_of(bundle, images, backend="openvino"):
    graph, names = range_graph(bundle.weights, "look")
    largest = ENGINES[backend](graph, 1, "fp32")(images)
    return {name: float(value) for name, value in zip(names, largest, strict=True)}


def needs_int8():
    pytest.importorskip("openvino")
    if not engines.has_int8():
        pytest.skip("this CPU does not compute in 8 bits")


@pytest.mark.parametrize("backend", list(ENGINES))
@pytest.mark.parametrize("signed", [False, True])
def test_a_convolution_is_one_of_whole_numbers(backend, signed):
    """Against sums of 64-bit whole numbers by NumPy: int8 weights, inputs in 8 bits behind a ReLU or signed."""
    pytest.importorskip(backend)
    if backend == "openvino":
        needs_int8()
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (2, 8, 6, 7), np.uint8)
    weight = rng.normal(0, 0.2, (16, 8, 3, 3)).astype(np.float32)
    largest, shift = (120.0, 128.0) if signed else (200.0, 0.0)  # both cut some of the values off
    graph = OnnxGraph("test")
    numbers = graph.node("Cast", "numbers", [graph.input("image", np.uint8, ("batch", 8, 6, 7))], to=1)
    shifted = graph.node("Sub", "shifted", [numbers, graph.constant("shift", np.array(shift, np.float32))])
    rounded = add_quantized(graph, shifted, largest, unsigned=not signed)
    inputs = [rounded, add_weights(graph, "weight", weight)]
    graph.node("Conv", "sums", inputs, kernel_shape=[3, 3], pads=[1] * 4)
    graph.output("sums", np.float32, ("batch", 16, 6, 7))
    [sums] = ENGINES[backend](graph.content({}), 1, "int8")(images)

    top = 127 if signed else 255
    low = -128 if signed else 0
    whole = np.clip(np.rint((images - shift) / (largest / top)), low, top).astype(np.int64)
    steps = np.abs(weight).max((1, 2, 3)) / 127
    weights = np.rint(weight / steps[:, None, None, None]).astype(np.int64)
    assert np.abs(weights).max() == 127
    padded = np.pad(whole, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3))
    expected = np.einsum("bchwij,ocij->bohw", windows, weights) * (steps * largest / top)[:, None, None]
    np.testing.assert_allclose(sums, expected, rtol=1e-4, atol=1e-3)


def test_weights_come_back_to_half_a_step():
    weight = np.random.default_rng(0).normal(0, 1, (5, 3, 3, 3)).astype(np.float32)
    weight[3] = 0
    whole, step = quantized(weight)
    assert whole.dtype == np.int8 and (whole[3] == 0).all() and (step > 0).all()
    apart = np.abs(whole * step[:, None, None, None] - weight).max(axis=(1, 2, 3))
    assert (apart <= 0.5001 * step).all()


def test_both_engines_agree_on_the_network(offered):
    """ONNX Runtime computes the same file. Rounding may go another way, so the agreement is that of int8 itself."""
    needs_int8()
    pytest.importorskip("onnxruntime")
    images = noise((3, 3, 128, 128))
    graph = network_graph(offered.weights, "look", ranges=offered.quantization.ranges)
    ours, theirs = (ENGINES[name](graph, 1, "int8")(images) for name in ("openvino", "onnxruntime"))
    exact = ENGINES["openvino"](network_graph(offered.weights, "look"), 1, "fp32")(images)
    for value, other, truth in zip(ours, theirs, exact, strict=True):
        size = np.abs(truth).max()
        assert np.abs(value - other).mean() < 0.01 * size
        assert 0 < np.abs(value - truth).mean() < 0.02 * size


def test_ranges_are_the_largest_inputs(tiny_bundle):
    """Against torch: hooks on its convolutions see the same magnitudes."""
    pytest.importorskip("openvino")
    import torch

    seen = {}
    for name, layer in tiny_bundle.network.named_modules():
        if isinstance(layer, torch.nn.Conv2d):
            layer.register_forward_pre_hook(
                lambda _, inputs, name=name: seen.update({name: float(inputs[0].abs().max())})
            )
    images = noise((2, 3, 128, 128))
    with torch.inference_mode():
        tiny_bundle.network(torch.from_numpy(images))
    ranges = ranges_of(tiny_bundle, images)
    assert ranges.keys() == seen.keys() == set(convolutions(tiny_bundle.config, 1)) > set(FLOAT)
    for name, largest in seen.items():
        assert ranges[name] == pytest.approx(largest, rel=1e-4), name


def test_a_bundle_keeps_its_ranges(offered, tmp_path):
    path = tmp_path / "brick.safetensors"
    offered.save(path)
    assert Bundle.load(path).quantization == offered.quantization
    header = json.loads(path.read_bytes()[8 : 8 + int.from_bytes(path.read_bytes()[:8], "little")])
    assert json.loads(header["__metadata__"]["pose_regressor"])["int8"]["precise"] is True
    offered.quantization = None
    offered.save(path)
    assert Bundle.load(path).quantization is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ranges": None}, "ranges by the names of convolutions, got None"),
        ({"precise": 1}, "true or false for precise, got 1"),
        ({"more": 1}, "expected ranges and precise"),
        ({"backbone.conv1": 0}, "backbone.conv1: expected a range from 1e-06 to 1e.06, got 0"),
        ({"backbone.conv1": -2.0}, "backbone.conv1: expected a range"),
        ({"backbone.conv1": float("nan")}, "got nan"),
        ({"backbone.conv1": float("inf")}, "got inf"),
        ({"backbone.conv1": 10**400}, "backbone.conv1: expected a range"),
        ({"backbone.conv1": True}, "got True"),
        ({"backbone.conv1": "2"}, "got '2'"),
        ({"backbone.conv9": 2.0}, "backbone.conv9 is none of the network's convolutions"),
        ({"up2.reduce": ...}, "up2.reduce is missing"),
    ],
)
def test_wrong_ranges_are_refused(tiny_bundle, tmp_path, change, message):
    path = tmp_path / "brick.safetensors"
    tiny_bundle.quantization = Quantization(dict.fromkeys(convolutions(tiny_bundle.config, 1), 2.0), precise=True)
    values = tiny_bundle.quantization.to_dict()
    for name, value in change.items():
        place = values["ranges"] if "." in name else values
        place[name] = value
        if value is ...:
            del place[name]
    object.__setattr__(tiny_bundle.quantization, "to_dict", lambda: values)  # what another program may have written
    tiny_bundle.save(path)
    with pytest.raises(InputError, match=message) as error:
        Bundle.load(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_each_bundle_is_run_by_its_own_rule(make_bundle, offered, monkeypatch):
    needs_int8()
    plain, rough = make_bundle("cup"), make_bundle("jug")
    rough.quantization = Quantization(offered.quantization.ranges, precise=False)
    for bfloat16, precisions in ((True, ["bf16"] * 3), (False, ["int8", "fp32", "fp32"])):
        monkeypatch.setattr(importlib.import_module("pose_regressor.network.runners"), "has_bf16", lambda v=bfloat16: v)
        found = choose_executions((offered, plain, rough), "auto", "cpu", threads=1)
        assert [execution.precision for execution in found] == precisions
        words = in_words((offered, plain, rough), found)
    assert words == "brick: openvino on cpu, int8, 1 thread; cup, jug: openvino on cpu, fp32, 1 thread"
    assert in_words((offered,), found[:1]) == "openvino on cpu, int8, 1 thread"
    assert PoseEstimator([offered, plain], "cpu", threads=1).execution == (
        "brick: openvino on cpu, int8, 1 thread; cup: openvino on cpu, fp32, 1 thread"
    )


def test_what_lacks_int8_says_so(offered, make_bundle):
    needs_int8()
    assert PoseEstimator(offered, "cpu", precision="int8").executions[0].precision == "int8"
    with pytest.raises(InputError, match=r"this one has none; .*--only-int8.* adds them.*\(bundle of cup\)") as error:
        PoseEstimator([offered, make_bundle("cup")], "cpu", precision="int8")
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="precision int8: expected the backend openvino, got onnxruntime"):
        choose_execution("onnxruntime", "cpu", "int8", quantization=offered.quantization)
    with pytest.raises(InputError, match="precision int8: expected the backend openvino, got torch"):
        choose_execution("torch", "cpu", "int8", quantization=offered.quantization)


def test_a_cpu_whose_sums_overflow_is_told_apart(tmp_path):
    """OpenVINO is kept from the newer instructions of this CPU: then pairs of products overflow in 16 bits."""
    needs_int8()
    script = (
        "from pose_regressor.network.engines import has_int8\n"
        "from pose_regressor.network.quantization import Quantization\n"
        "from pose_regressor.network.runners import choose_execution\n"
        "print(has_int8())\n"
        "choose_execution('auto', 'cpu', 'int8', quantization=Quantization({}, True))"
    )
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.stdout == "False\n" and "expected a CPU that computes in it, this one does not" in done.stderr


def test_poses_in_int8_are_those_of_float32():
    """Of the demo's box, with ranges from crops of the same frames."""
    needs_int8()
    demo, bundle = demo_folder(), Bundle.load(find_model("box"))
    frames = list(open_source(demo / "box.mp4", load_camera(demo / "camera.json")))[:40:4]
    views = [frame.image[top : top + side, left : left + side] for frame in frames for top, left, side in CROPS]
    crops = np.stack([cv2.resize(view, (128, 128)).transpose(2, 0, 1) for view in views])
    bundle.quantization = Quantization(ranges_of(bundle, crops), precise=True)
    exact, whole = (PoseEstimator(bundle, "cpu", precision=precision) for precision in ("fp32", "int8"))
    assert whole.execution.startswith("openvino on cpu, int8, ")
    apart = [
        np.linalg.norm(exact.estimate(frame)[0].translation - whole.estimate(frame)[0].translation) for frame in frames
    ]
    assert 0 < np.median(apart) < 0.003  # metres
