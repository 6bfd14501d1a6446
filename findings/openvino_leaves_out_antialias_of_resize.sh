#!/usr/bin/env bash
# OpenVINO 2026.4.1 leaves out the antialias of an ONNX model's Resize on the CPU, without a warning.
#
# Seen: a model of one Resize with antialias = 1, which ONNX has since opset 18, shrinks a picture of 32 x 32 pixels to
# 8 x 8. Each fourth column is white, the rest is black. The inside should become grey, 0.25: so say ONNX's reference
# 1.23.2 and ONNX Runtime 1.32.0, with "linear" and with "cubic". OpenVINO gives 0 for "linear" and -0.09 for "cubic",
# just what antialias = 0 gives: the lines are gone. The model that it has read still says antialias = True, so it is
# not lost in reading. OpenVINO's own Interpolate of opset 11 does the same. Its issue 35893 has this for "cubic".
# A network for poses that takes the camera's picture and shrinks it itself thus sees another picture than in training,
# without the thin edges. So shrink pictures before the network, or test such a model against ONNX Runtime. OpenVINO's
# own RESIZE_BILINEAR_PILLOW, set as a step before the network, gives the grey, as the last line shows.
#
# Needs Python 3.11 or later. Exits with 0 if this is still so, and with 1 if it has changed.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install -q onnx==1.23.2 onnxruntime==1.32.0 openvino==2026.4.1 2>/dev/null
cat > look.py <<'PY'
import importlib.metadata

import numpy as np
import onnx
import onnxruntime
import openvino
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from openvino import opset11
from openvino.preprocess import PrePostProcessor, ResizeAlgorithm

LARGE, SMALL, INSIDE = [1, 1, 32, 32], [1, 1, 8, 8], (0, 0, slice(2, 6), slice(2, 6))
picture = np.zeros(LARGE, np.float32)
picture[..., ::4] = 1
core = openvino.Core()


def model(mode, antialias):
    node = helper.make_node("Resize", ["x", "", "", "size"], ["y"], mode=mode, antialias=antialias)
    graph = helper.make_graph(
        [node],
        "shrink",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, LARGE)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, SMALL)],
        [numpy_helper.from_array(np.array(SMALL, np.int64), "size")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(made, full_check=True)
    return made


def on_cpu(network):
    return core.compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(picture)[0]


def native(mode, antialias):
    """The same with OpenVINO's own operation."""
    place = opset11.parameter(LARGE, np.float32)
    size, axes = (opset11.constant(np.array(numbers, np.int64)) for numbers in (SMALL[2:], [2, 3]))
    return openvino.Model([opset11.interpolate(place, size, mode, "sizes", antialias=antialias, axes=axes)], [place])


print(*(f"{name} {importlib.metadata.version(name)}" for name in ("onnx", "onnxruntime", "openvino")), sep=", ")
same, without = [], {"linear": 0.0, "cubic": -0.09375}
for mode in ("linear", "cubic"):
    results = {}
    for antialias in (0, 1):
        made = model(mode, antialias)
        onnx.save(made, "shrink.onnx")
        read = core.read_model("shrink.onnx")
        (kept,) = (o.get_attributes()["antialias"] for o in read.get_ops() if o.get_type_name() == "Interpolate")
        same.append(kept == bool(antialias))
        results[antialias] = {
            "ONNX's reference": ReferenceEvaluator(made).run(None, {"x": picture})[0],
            "ONNX Runtime": onnxruntime.InferenceSession(
                made.SerializeToString(), providers=["CPUExecutionProvider"]
            ).run(None, {"x": picture})[0],
            "OpenVINO": on_cpu(read),
            "OpenVINO's Interpolate": on_cpu(native(mode, bool(antialias))),
        }
    for name in results[1]:
        plain, smooth = (results[antialias][name][INSIDE] for antialias in (0, 1))
        print(f"{mode}, {name}: {plain.mean():.3f} with antialias = 0, {smooth.mean():.3f} with antialias = 1")
        same.append(np.allclose(plain, without[mode], atol=1e-3))
        same.append(np.allclose(smooth, without[mode] if "OpenVINO" in name else 0.25, atol=0.03))

place = opset11.parameter(SMALL, np.float32)
steps = PrePostProcessor(openvino.Model([opset11.relu(place)], [place]))
steps.input().tensor().set_layout(openvino.Layout("NCHW")).set_spatial_static_shape(*LARGE[2:])
steps.input().model().set_layout(openvino.Layout("NCHW"))
steps.input().preprocess().resize(ResizeAlgorithm.RESIZE_BILINEAR_PILLOW)
before = on_cpu(steps.build())[INSIDE]
print(f"OpenVINO's RESIZE_BILINEAR_PILLOW before the network: {before.mean():.3f}")
same.append(np.allclose(before, 0.25, atol=0.03))
raise SystemExit(not all(same))
PY
env/bin/python look.py
