"""Camera files: every format is read, and every error is one line that begins with the path."""

import json

import numpy as np
import pytest
import yaml

from pose_regressor.files.cameras import load_camera

BOP_CAMERA = {"width": 640, "height": 480, "fx": 605.1, "fy": 604.8, "cx": 325.5, "cy": 244.9, "depth_scale": 1.0}
CALIBRATION = {
    "image_width": 640,
    "image_height": 480,
    "camera_name": "front",
    "camera_matrix": {"rows": 3, "cols": 3, "data": [605.1, 0, 325.5, 0, 604.8, 244.9, 0, 0, 1]},
    "distortion_model": "plumb_bob",
    "distortion_coefficients": {"rows": 1, "cols": 5, "data": [0.1, -0.2, 0.001, 0.002, 0.05]},
}
MESSAGE = {
    "header": {"frame_id": "optical"},
    "height": 480,
    "width": 640,
    "distortion_model": "rational_polynomial",
    "d": [0.1, -0.2, 0.001, 0.002, 0.05, 0.0, 0.0, 0.01],
    "k": [605.1, 0.0, 325.5, 0.0, 604.8, 244.9, 0.0, 0.0, 1.0],
}


@pytest.mark.parametrize(
    ("name", "text", "model", "coefficients"),
    [
        ("camera.json", json.dumps(BOP_CAMERA), "plumb_bob", 0),
        ("camera.yaml", yaml.safe_dump(CALIBRATION), "plumb_bob", 5),
        ("info.yaml", yaml.safe_dump(MESSAGE) + "---\n", "rational_polynomial", 8),
        ("ros1.yaml", yaml.safe_dump({"K": MESSAGE["k"], "D": [], "width": 640, "height": 480}), "plumb_bob", 0),
    ],
)
def test_load_camera(tmp_path, name, text, model, coefficients):
    path = tmp_path / name
    path.write_text(text)
    camera = load_camera(path)
    assert (camera.width, camera.height) == (640, 480)
    np.testing.assert_allclose(camera.matrix, [[605.1, 0, 325.5], [0, 604.8, 244.9], [0, 0, 1]])
    assert camera.distortion_model == model
    assert len(camera.distortion) == coefficients


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("c.json", "{", "expected JSON"),
        ("c.yaml", "a: [", "expected YAML"),
        ("c.json", "[1, 2]", "expected a camera file to be a mapping, got list"),
        ("c.yaml", "", "expected a camera file to be a mapping, got NoneType"),
        ("c.yaml", "a: 1", "expected a camera file with fx, fy, cx, cy"),
        ("c.json", json.dumps({**BOP_CAMERA, "fx": 0}), "expected positive fx and fy"),
        ("c.json", json.dumps({**BOP_CAMERA, "fx": float("nan")}), "expected finite numbers in 'fx'"),
        ("c.json", json.dumps({**BOP_CAMERA, "width": 640.5}), "expected a whole number for 'width', got 640.5"),
        ("c.json", json.dumps({**BOP_CAMERA, "width": None}), "expected a whole number for 'width', got None"),
        ("c.json", json.dumps({k: v for k, v in BOP_CAMERA.items() if k != "cy"}), "expected the key 'cy'"),
        ("c.yaml", yaml.safe_dump({**CALIBRATION, "camera_matrix": 3}), "expected 9 numbers in 'camera_matrix', got 1"),
        ("c.yaml", yaml.safe_dump({**CALIBRATION, "camera_matrix": {"rows": 3}}), "expected the key 'data'"),
        ("c.yaml", yaml.safe_dump({**MESSAGE, "k": [1.0] * 8}), "expected 9 numbers in 'k', got 8"),
        ("c.yaml", yaml.safe_dump({**MESSAGE, "k": ["a"] * 9}), "expected numbers in 'k'"),
        ("c.yaml", yaml.safe_dump({**MESSAGE, "d": [0.1]}), "got 1: [0.1]"),
        ("c.yaml", yaml.safe_dump({**MESSAGE, "distortion_model": "fisheye"}), "equidistant takes 4 coefficients"),
        ("c.yaml", yaml.safe_dump({**MESSAGE, "distortion_model": "thin_prism_fisheye"}), "is not known"),
        ("c.yaml", yaml.safe_dump({**MESSAGE, "distortion_model": None, "d": [0.1] * 7}), "got 7"),
        ("c.yaml", yaml.safe_dump({**MESSAGE, "width": True}), "expected a whole number for 'width', got True"),
        ("c.yaml", yaml.safe_dump({**MESSAGE, "binning_x": -2.5}), "expected a whole number for 'binning_x', got -2.5"),
        ("c.yaml", yaml.safe_dump({**MESSAGE, "roi": {"width": 3}}), "region of interest within the full image"),
        ("c.yaml", yaml.safe_dump({**MESSAGE, "roi": [1]}), "expected 'roi' to be a mapping"),
        ("c.yaml", yaml.safe_dump({**MESSAGE, "k": [0.0] * 9}), "expected a calibrated camera matrix K of 9 numbers"),
    ],
)
def test_bad_camera_is_one_line_with_its_path(tmp_path, name, text, expected, error_of):
    path = tmp_path / name
    path.write_text(text)
    message = error_of(load_camera, path)
    assert message.startswith(f"{path}: ")
    assert message.count(str(path)) == 1
    assert expected in message


def test_unreadable_files(tmp_path, error_of):
    assert "no such file" in error_of(load_camera, tmp_path / "none.json")
    assert "cannot be read" in error_of(load_camera, tmp_path)
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in error_of(load_camera, tmp_path / "binary.json")
