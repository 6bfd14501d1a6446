"""Camera files, BOP scene files and result CSVs; everything wrong with a file is one line that names it."""

import json
import os

import numpy as np
import pytest
import yaml

from pose_regressor.files.bop import ImageResult, read_scene_camera, read_scene_gt, result_writer
from pose_regressor.files.cameras import load_camera
from pose_regressor.files.io import read_json, replacing, write_json, write_text
from pose_regressor.types import InputError, ObjectModel, PoseEstimate

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


def error_of(function, *arguments) -> str:
    with pytest.raises(InputError) as caught:
        function(*arguments)
    message = str(caught.value)
    assert "\n" not in message
    return message


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
        ("c.yaml", yaml.safe_dump({**CALIBRATION, "camera_matrix": 3}), "expected 'camera_matrix' to be a mapping"),
        ("c.yaml", yaml.safe_dump({**MESSAGE, "k": [1.0] * 8}), "expected 9 numbers in 'k', got 8"),
        ("c.yaml", yaml.safe_dump({**MESSAGE, "k": ["a"] * 9}), "expected numbers in 'k'"),
        ("c.yaml", yaml.safe_dump({**MESSAGE, "d": [0.1]}), "takes 0 or 8 coefficients, got 1"),
        ("c.yaml", yaml.safe_dump({**MESSAGE, "distortion_model": "fisheye"}), "'fisheye' is not known"),
        ("c.yaml", yaml.safe_dump({**MESSAGE, "k": [0.0] * 9}), "expected positive fx and fy, got fx=0 fy=0"),
    ],
)
def test_bad_camera_is_one_line_with_its_path(tmp_path, name, text, expected):
    path = tmp_path / name
    path.write_text(text)
    message = error_of(load_camera, path)
    assert message.startswith(f"{path}: ")
    assert message.count(str(path)) == 1
    assert expected in message


def test_unreadable_files(tmp_path):
    assert "no such file" in error_of(load_camera, tmp_path / "none.json")
    assert "cannot be read" in error_of(load_camera, tmp_path)
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in error_of(load_camera, tmp_path / "binary.json")


def test_scene_files_turn_millimetres_to_metres(tmp_path):
    path = tmp_path / "scene_gt.json"
    entry = {"cam_R_m2c": [0, -1, 0, 1, 0, 0, 0, 0, 1], "cam_t_m2c": [10, -20, 500], "obj_id": 3}
    path.write_text(json.dumps({"7": [entry, entry], "12": []}))
    scene = read_scene_gt(path)
    assert {key: len(poses) for key, poses in scene.items()} == {7: 2, 12: 0}
    pose = scene[7][0]
    assert pose.obj_id == 3
    np.testing.assert_allclose(pose.cam_from_obj, [[0, -1, 0, 0.01], [1, 0, 0, -0.02], [0, 0, 1, 0.5], [0, 0, 0, 1]])

    path.write_text(json.dumps({"7": [{**entry, "cam_t_m2c": [1, 2]}]}))
    assert "expected 3 numbers in 'cam_t_m2c of image 7', got 2" in error_of(read_scene_gt, path)
    path.write_text(json.dumps({"7": entry}))
    assert "expected a list for image 7" in error_of(read_scene_gt, path)
    path.write_text(json.dumps({"seven": []}))
    assert "expected a whole number for 'image id', got 'seven'" in error_of(read_scene_gt, path)


def test_scene_camera(tmp_path):
    path = tmp_path / "scene_camera.json"
    path.write_text(json.dumps({"2": {"cam_K": [600, 0, 320, 0, 601, 240, 0, 0, 1], "depth_scale": 1.0}}))
    np.testing.assert_allclose(read_scene_camera(path)[2], [[600, 0, 320], [0, 601, 240], [0, 0, 1]])
    path.write_text(json.dumps({"2": {}}))
    assert "expected the key 'cam_K' of image 2" in error_of(read_scene_camera, path)


def test_results_are_bops_csv(tmp_path):
    corners = np.array([[-0.1, -0.1, -0.1], [0.1, 0.1, 0.1]])
    model = ObjectModel("box", 4, 0.35, corners, corners, corners)
    pose = np.eye(4)
    pose[:3, 3] = 0.1, 0.2, 0.75
    estimate = PoseEstimate(model, pose, np.eye(6), 0.9, "pnp", np.zeros(4))
    path = tmp_path / "new" / "result.csv"
    with result_writer(path) as add:
        add(ImageResult(1, 5, [estimate], 0.25))
        add(ImageResult(1, 6, []))
    assert path.read_text() == "scene_id,im_id,obj_id,score,R,t,time\n1,5,4,0.9,1 0 0 0 1 0 0 0 1,100 200 750,0.25\n"
    assert [entry.name for entry in path.parent.iterdir()] == ["result.csv"]


def test_a_link_stays_a_link_and_a_pipe_a_pipe(tmp_path):
    (tmp_path / "other").mkdir()
    link, pipe = tmp_path / "link.txt", tmp_path / "pipe"
    link.symlink_to(tmp_path / "other" / "file.txt")
    for text in ("new", "newer"):
        write_text(link, text)
        assert link.is_symlink() and (tmp_path / "other" / "file.txt").read_text() == text
    os.mkfifo(pipe)
    end = os.open(pipe, os.O_RDWR)  # else the writer waits for a reader
    write_text(pipe, "through it")
    assert os.read(end, 100) == b"through it" and pipe.is_fifo()
    os.close(end)


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"old": 1})

    class Interrupted(Exception):
        pass

    with pytest.raises(Interrupted), replacing(path) as temporary:
        temporary.write_text("half")
        raise Interrupted
    assert read_json(path) == {"old": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]
    assert "this is a folder" in error_of(write_text, tmp_path, "x")
    assert "cannot be written" in error_of(write_text, path / "below.txt", "x")
