"""A bundle comes back as it was saved, and nothing else is taken for one."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, safe_open, save_file

from pose_regressor.network.bundle import FORMAT_VERSION, Bundle
from pose_regressor.network.calibration import RGBD_CALIBRATION, Calibration
from pose_regressor.types import InputError


@pytest.fixture
def path(tmp_path, tiny_bundle) -> Path:
    tiny_bundle.save(tmp_path / "brick.safetensors")
    return tmp_path / "brick.safetensors"


def rewrite(path: Path, header_change=None, tensor_change=None) -> None:
    """Change a saved bundle behind its back."""
    with safe_open(path, "pt") as file:
        header = json.loads(file.metadata()["pose_regressor"])
    tensors = load_file(path)
    if header_change:
        header_change(header)
    if tensor_change:
        tensor_change(tensors)
    save_file(tensors, path, {"pose_regressor": json.dumps(header)})


def test_round_trip(path, tiny_bundle):
    loaded = Bundle.load(path)
    assert loaded.config == tiny_bundle.config
    assert (loaded.depth_scale, loaded.turns) == (1.0, 4)
    assert loaded.training == {"seed": 0} and loaded.metrics == {"score": 0.0}
    model, original = loaded.objects[0], tiny_bundle.objects[0]
    assert (model.name, model.obj_id, model.diameter) == (original.name, original.obj_id, original.diameter)
    np.testing.assert_allclose(model.points, original.points, atol=1e-7)
    image = torch.randint(0, 255, (1, 3, 128, 128), dtype=torch.uint8)
    with torch.inference_mode():
        (boxes, poses), (boxes2, poses2) = loaded.network(image), tiny_bundle.network(image)
    torch.testing.assert_close(boxes.logits, boxes2.logits, atol=0.02, rtol=0.02)
    torch.testing.assert_close(poses.coordinates, poses2.coordinates, atol=0.02, rtol=0.02)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h: h.update(version=FORMAT_VERSION + 1), "format version 3, this program reads version 2"),
        (lambda h: h.update(extra=1), "expected the header's keys"),
        (lambda h: h["network"].pop("width"), "network configuration: expected the keys"),
        (lambda h: h["network"].update(depth=3), "network configuration: expected the keys"),
        (lambda h: h["network"].update(width=16), "weight backbone.* expected shape"),
        (lambda h: h["network"].update(width="wide"), "network"),
        (lambda h: h["objects"][0].update(unit="mm"), "the unit m"),
        (lambda h: h["objects"][0].update(diameter=-1), "positive diameter"),
        (lambda h: h["objects"][0].update(name="a b"), "the name cannot be used, got 'a b'"),
        (lambda h: h["objects"].append(dict(h["objects"][0], name="other")), "object other: bounds"),
        (lambda h: h.update(objects="brick"), "objects"),
        (lambda h: h.update(depth_scale=0), "depth_scale between 0.5 and 2, got 0"),
        (lambda h: h.update(depth_scale="1"), "depth_scale between 0.5 and 2, got '1'"),
        (lambda h: h.update(turns=3), "expected 1 or 4 turns, got 3"),
        (lambda h: h.update(turns=True), "expected 1 or 4 turns, got True"),
    ],
)
def test_a_wrong_header_is_refused(path, change, message):
    rewrite(path, header_change=change)
    with pytest.raises(InputError, match=message) as error:
        Bundle.load(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("network.box_head.out.bias"), "weight box_head.out.bias: expected shape .5,., got None"),
        (lambda t: t.update({"network.more": torch.zeros(1)}), "weight more: expected shape None"),
        (lambda t: t.update({"more": torch.zeros(1)}), "tensors, expected"),
        (lambda t: t["network.box_head.out.bias"].fill_(float("nan")), "finite"),
        (lambda t: t.pop("objects.0.points"), "points missing"),
        (lambda t: t.update({"objects.0.bounds": torch.zeros(3, 3)}), "bounds: expected shape 2x3, got 3x3"),
    ],
)
def test_wrong_tensors_are_refused(path, change, message):
    rewrite(path, tensor_change=change)
    with pytest.raises(InputError, match=message):
        Bundle.load(path)


@pytest.mark.parametrize("content", [b"", b"not a bundle", b"\x80\x02}q\x00."])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "junk.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"junk.safetensors: not a safetensors file"):
        Bundle.load(path)


def test_a_missing_file_and_a_foreign_safetensors_file(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        Bundle.load(tmp_path / "none.safetensors")
    save_file({"x": torch.zeros(1)}, tmp_path / "x.safetensors")
    with pytest.raises(InputError, match="not that of a pose_regressor bundle"):
        Bundle.load(tmp_path / "x.safetensors")


def test_rgbd_calibration_is_kept_and_old_bundles_have_the_default(path, tiny_bundle):
    assert Bundle.load(path).rgbd_calibration == RGBD_CALIBRATION
    tiny_bundle.rgbd_calibration = Calibration(((0.0, 0.0), (0.3, 0.01), (0.6, 0.3), (1.0, 0.9)), 1.5)
    tiny_bundle.save(path)
    loaded = Bundle.load(path)
    assert loaded.rgbd_calibration == tiny_bundle.rgbd_calibration
    assert loaded.calibration == tiny_bundle.calibration


def test_a_calibration_with_depth_is_at_most_as_sure_as_that_of_all_bundles(path, tiny_bundle):
    """Bundles that earlier builds calibrated gave a false pose 0.8 where nothing was to be found. Their map is kept."""
    tiny_bundle.rgbd_calibration = Calibration(((0.0, 0.0), (0.2, 0.5), (1.0, 1.0)), 1.5)
    tiny_bundle.save(path)
    before = path.read_bytes()
    Bundle.load(path).save(path)
    assert path.read_bytes() == before
    loaded = Bundle.load(path).rgbd_calibration
    for raw in (0.2, 0.37, 0.53, 0.8, 1.0):
        lower = min(tiny_bundle.rgbd_calibration.probability(raw), RGBD_CALIBRATION.probability(raw))
        assert loaded.probability(raw) == pytest.approx(lower)
    assert loaded.covariance_scale == 1.5
