"""BOP's scene files and result CSV."""

import json

import numpy as np

from pose_regressor.files.bop import ImageResult, read_scene_camera, read_scene_gt, result_writer
from pose_regressor.types import ObjectModel, PoseEstimate


def test_scene_files_turn_millimetres_to_metres(tmp_path, error_of):
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


def test_scene_camera(tmp_path, error_of):
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
