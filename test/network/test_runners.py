"""ONNX Runtime in place of torch: the same numbers, and files that others can use."""

import json
import sys
from dataclasses import fields
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
from pose_regressor.network.heads import PoseOutput
from pose_regressor.network.onnx_runtime import OnnxRunner
from pose_regressor.network.runners import choose_backend
from pose_regressor.sources import open_source
from pose_regressor.types import InputError

CPU = torch.device("cpu")


def values(output):
    return [getattr(output, field.name) for field in fields(output)]


@torch.inference_mode()
def test_the_same_numbers_at_any_batch_and_size(make_bundle):
    network = make_bundle("brick", "cup").network
    runner = OnnxRunner(network)
    rng = torch.Generator().manual_seed(1)
    for shape in [(1, 3, 64, 96), (2, 3, 320, 192)]:
        image = torch.randint(0, 256, shape, dtype=torch.uint8, generator=rng)
        for ours, theirs in zip(values(network.find(image)), values(runner.find(image)), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    for batch in (1, 4, 7):
        # As the estimator has them: rows of pixels, seen as planes.
        crop = torch.randint(0, 256, (batch, 128, 128, 3), dtype=torch.uint8, generator=rng).permute(0, 3, 1, 2)
        for ours, theirs in zip(network(crop), runner(crop), strict=True):
            for one, other in zip(values(ours), values(theirs), strict=True):
                torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_the_same_poses():
    demo = demo_folder()
    frames = list(islice(open_source(demo / "box.mp4", load_camera(demo / "camera.json")), 10))
    found = {name: PoseEstimator(find_model("box"), backend=name) for name in ("torch", "onnxruntime")}
    poses = {name: [e.estimate(frame)[0].cam_from_obj for frame in frames] for name, e in found.items()}
    apart = [np.abs(a - b).max() for a, b in zip(*poses.values(), strict=True)]
    assert np.median(apart) < 1e-3  # not of all: a pixel on the edge of the mask may tip RANSAC's choice


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
    assert names == ["box_logits", "box_boxes", *(field.name for field in fields(PoseOutput))]


def test_what_deviates_is_not_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys.modules[export_command.__module__], "TOLERANCE", 0.0)
    assert main(["export", "box", "--out", str(tmp_path)]) == 1
    assert "not written, deviates" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_the_choice(monkeypatch):
    assert choose_backend("auto", CPU) == "onnxruntime"
    assert choose_backend("auto", torch.device("cuda")) == choose_backend("torch", CPU) == "torch"
    with pytest.raises(InputError, match="expected the device cpu, got cuda"):
        choose_backend("onnxruntime", torch.device("cuda"))
    with pytest.raises(InputError, match="expected one of auto, torch, onnxruntime, got 'tensorrt'"):
        choose_backend("tensorrt", CPU)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # as if it were not installed
    assert choose_backend("auto", CPU) == "torch"
    with pytest.raises(InputError, match="pip install"):
        choose_backend("onnxruntime", CPU)
