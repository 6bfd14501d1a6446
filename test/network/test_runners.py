"""Engines in place of torch: the same numbers from graphs that are made without it, and files that others can use."""

import importlib
import json
import os
import sys
import threading
from itertools import islice

import numpy as np
import pytest
import torch

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
import onnx
import onnxruntime

from pose_regressor.assets import demo_folder, find_model
from pose_regressor.cli import export as export_command
from pose_regressor.cli import main
from pose_regressor.estimation.estimator import PoseEstimator
from pose_regressor.files.cameras import load_camera
from pose_regressor.network import engines
from pose_regressor.network.outputs import BOX_NAMES, POSE_NAMES, BoxOutput, peaks, values_of
from pose_regressor.network.runners import Execution, choose_execution, cores, open_runner, select_device
from pose_regressor.network.weights import parameter_shapes
from pose_regressor.sources import open_source
from pose_regressor.types import InputError

ENGINES = ("openvino", "onnxruntime")


def answers(runner, images, find):
    return [v for output in ((runner.find(images),) if find else runner(images)) for v in values_of(output)]


@pytest.mark.parametrize("backend", ENGINES)
def test_the_same_numbers_at_any_batch_and_size(make_bundle, backend):
    pytest.importorskip(backend)
    weights = make_bundle("brick", "cup").weights
    ours, theirs = (open_runner(weights, Execution(name, "cpu", "fp32", 1)) for name in (backend, "torch"))
    rng = np.random.default_rng(1)
    # As the estimator has them: rows of pixels, seen as planes.
    sizes = [(True, (1, 64, 96)), (True, (2, 320, 192)), *((False, (batch, 128, 128)) for batch in (1, 4, 7))]
    for find, (batch, height, width) in sizes:
        images = rng.integers(0, 256, (batch, height, width, 3), np.uint8).transpose(0, 3, 1, 2)
        for value, truth in zip(answers(ours, images, find), answers(theirs, images, find), strict=True):
            np.testing.assert_allclose(value, truth, rtol=1e-4, atol=1e-5)


def test_answers_stay_what_they_are_when_the_next_images_come(make_bundle):
    pytest.importorskip("openvino")
    runner = open_runner(make_bundle().weights, Execution("openvino", "cpu", "fp32", 1))
    rng = np.random.default_rng(0)
    first = answers(runner, rng.integers(0, 256, (1, 3, 128, 128), np.uint8), False)
    kept = [value.copy() for value in first]
    answers(runner, rng.integers(0, 256, (1, 3, 128, 128), np.uint8), False)
    for value, before in zip(first, kept, strict=True):
        np.testing.assert_array_equal(value, before)


def test_bfloat16_errs_by_its_own_rounding(make_bundle):
    pytest.importorskip("openvino")
    if not engines.has_bf16():
        pytest.skip("this CPU computes no faster in bfloat16")
    weights = make_bundle().weights
    exact, rough = (open_runner(weights, Execution("openvino", "cpu", p, 1)) for p in ("fp32", "bf16"))
    images = np.random.default_rng(0).integers(0, 256, (4, 3, 128, 128), np.uint8)
    pairs = list(zip(answers(rough, images, False), answers(exact, images, False), strict=True))
    for value, truth in pairs:
        assert float(np.abs(value - truth).max() / max(1.0, float(np.abs(truth).max()))) < 0.05
    assert any((value != truth).any() for value, truth in pairs)


@pytest.mark.parametrize("backend", ENGINES)
def test_the_same_poses(backend):
    pytest.importorskip(backend)
    demo = demo_folder()
    frames = list(islice(open_source(demo / "box.mp4", load_camera(demo / "camera.json")), 10))
    found = [PoseEstimator(find_model("box"), "cpu", backend=name, precision="fp32") for name in ("torch", backend)]
    poses = [[e.estimate(frame)[0].cam_from_obj for frame in frames] for e in found]
    apart = [np.abs(a - b).max() for a, b in zip(*poses, strict=True)]
    assert np.median(apart) < 1e-3  # not of all: a pixel on the edge of the mask may tip RANSAC's choice


def test_names_and_shapes_are_those_of_the_torch_module(make_bundle):
    weights = make_bundle("brick", "cup").weights
    state = weights.network.state_dict()
    shapes = parameter_shapes(weights.config, 2)
    assert list(shapes) == list(state)
    assert shapes == {name: tuple(value.shape) for name, value in state.items()}
    assert weights.parameters == sum(parameter.numel() for parameter in weights.network.parameters())


def test_peaks_are_the_local_maxima_and_their_boxes():
    logits, boxes = np.full((1, 2, 6, 8), -9.0, np.float32), np.zeros((1, 2, 4, 6, 8), np.float32)
    logits[0, 1, 2, 3], logits[0, 1, 2, 4], logits[0, 1, 5, 7] = 2.0, 1.0, 0.5  # the second is beside the first
    boxes[0, 1, :, 2, 3] = 0.5, -0.25, np.log(2), np.log(3)
    scores, found = peaks(BoxOutput(logits, boxes), 2)
    np.testing.assert_allclose(scores[1], 1 / (1 + np.exp([-2.0, -0.5])), rtol=1e-6)
    centre, half = np.array([8 * 3.5, 8 * 1.75]), np.array([8.0, 12.0])
    np.testing.assert_allclose(found[1, 0], [*(centre - half), *(centre + half)], rtol=1e-6)
    np.testing.assert_allclose(found[1, 1], [56 - 4, 40 - 4, 56 + 4, 40 + 4], rtol=1e-6)


def test_files_say_what_they_are(tmp_path, capsys):
    assert main(["export", "box", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out.count("deviates from torch by") == 2
    for entry in ("find", "look"):
        path = tmp_path / f"box.{entry}.onnx"
        onnx.checker.check_model(onnx.load(path), full_check=True)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        about = json.loads(session.get_modelmeta().custom_metadata_map["pose_regressor"])
        names = [output.name for output in session.get_outputs()]
        assert set(about["outputs"]) == set(names)
        assert about["entry"] == entry
        assert [known["name"] for known in about["objects"]] == ["box"]
        [image] = session.get_inputs()
        assert (image.name, image.type) == ("image", "tensor(uint8)")
    assert names == [*BOX_NAMES, *POSE_NAMES]


def test_what_deviates_is_not_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys.modules[export_command.__module__], "TOLERANCE", 0.0)
    assert main(["export", "box", "--out", str(tmp_path)]) == 1
    assert "not written, deviates" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_the_choice(monkeypatch):
    pytest.importorskip("openvino")
    auto = choose_execution("auto", "cpu")
    assert (auto.backend, auto.threads) == ("openvino", min(2, cores()))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
    assert choose_execution("auto", "cpu").threads == 1
    assert auto.precision == ("bf16" if engines.has_bf16() else "fp32")
    assert choose_execution("auto", "cuda") == Execution("torch", "cuda", "fp32", 0)
    assert choose_execution("torch", "cpu", threads=3) == Execution("torch", "cpu", "fp32", 3)
    assert str(choose_execution("openvino", "cpu", "fp32", 2)) == "openvino on cpu, fp32, 2 threads"
    with pytest.raises(InputError, match="expected the device cpu, got cuda"):
        choose_execution("onnxruntime", "cuda")
    with pytest.raises(InputError, match="expected one of auto, openvino, onnxruntime, torch, got 'tensorrt'"):
        choose_execution("tensorrt", "cpu")
    with pytest.raises(InputError, match="expected one of auto, fp32, bf16, int8, got 'int4'"):
        choose_execution("auto", "cpu", "int4")
    for threads in (-1, 1025, 2**31, True, 1.5, "2"):
        with pytest.raises(InputError, match=f"threads: expected a whole number from 0 to 1024, got {threads!r}"):
            choose_execution("auto", "cpu", threads=threads)
    with pytest.raises(InputError, match="expected the backend openvino, got onnxruntime"):
        choose_execution("onnxruntime", "cpu", "bf16")
    monkeypatch.setattr(importlib.import_module("pose_regressor.network.runners"), "has_bf16", lambda: False)
    assert choose_execution("auto", "cpu").precision == "fp32"
    with pytest.raises(InputError, match="expected a CPU that computes in it"):
        choose_execution("openvino", "cpu", "bf16")
    for absent, taken in (("openvino", "onnxruntime"), ("onnxruntime", "torch")):
        monkeypatch.setitem(sys.modules, absent, None)  # as if it were not installed
        assert choose_execution("auto", "cpu").backend == taken
        with pytest.raises(InputError, match="pip install"):
            choose_execution(absent, "cpu")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match="none is installed; pip install openvino"):
        choose_execution("auto", "cpu")
    with pytest.raises(InputError, match=r'device cuda: torch does not import .*pip install "pose_regressor\[torch\]"'):
        select_device("cuda")


@pytest.mark.parametrize("name", ["gpu", "cpu:0", "cuda:", "cuda:x", ""])
def test_devices_of_other_names_are_refused(name):
    with pytest.raises(InputError, match="expected auto, cpu, cuda or cuda:N"):
        select_device(name)


def test_a_device_that_is_there_or_not():
    count = torch.cuda.device_count()
    assert select_device("auto") == ("cuda" if count else "cpu")
    assert select_device("cpu") == "cpu"
    with pytest.raises(InputError, match=f"this machine has {count} CUDA devices"):
        select_device(f"cuda:{count}")


def test_arrays_are_known_to_openvino_before_threads_use_it(monkeypatch):
    """Its first array is made by the thread that opens an engine: two networks' threads at once would hang."""
    openvino, made = pytest.importorskip("openvino"), []

    class Kept(openvino.Tensor):
        def __init__(self, *arguments, **options):
            made.append(threading.current_thread())
            super().__init__(*arguments, **options)

    monkeypatch.setattr(openvino, "Tensor", Kept)
    engines._openvino.cache_clear()
    engines._openvino()
    assert made == [threading.current_thread()]
