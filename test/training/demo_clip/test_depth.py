"""The demo's depth: where the box is seen in it, how far it is, and that the shipped files are what the code makes."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import trimesh

from pose_regressor.files.bop import read_scene_gt
from pose_regressor.files.cameras import load_camera
from pose_regressor.sources import open_source
from pose_regressor_training.demo_clip.depth import REDUCED, true_depth
from pose_regressor_training.demo_clip.story import clip_scene
from pose_regressor_training.test_objects import make_box

DEMO = Path(__file__).resolve().parents[3] / "demo"


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    return make_box(tmp_path_factory.mktemp("mesh"))


def seen_box(depth, matrix, pose, solid):
    """(H, W) whether a pixel's depth lies on the box's surface, which is convex and given by its planes."""
    rows, columns = np.indices(depth.shape)
    rays = np.stack([columns, rows, np.ones_like(rows)], -1) @ np.linalg.inv(matrix).T
    points = (depth[..., None] * rays - pose[:3, 3]) @ pose[:3, :3]
    outside = points @ solid.face_normals.T - (solid.face_normals * solid.triangles[:, 0]).sum(1)
    return (np.abs(outside.max(-1)) < 1e-4) & (depth > 0)


def test_the_box_is_seen_where_the_path_tracer_saw_it(box):
    """Its visible pixels, counted by Blender's rays when the clip was made, through two other implementations."""
    scene, solid = clip_scene(box), trimesh.load(box, force="mesh")
    truth = read_scene_gt(DEMO / "scene_gt.json")
    infos = json.loads((DEMO / "scene_gt_info.json").read_text())
    for frame, depth in enumerate(true_depth(scene, scene.camera)):
        if frame % 12 == 0:  # also behind the hand, at 60
            seen = seen_box(depth, scene.camera.matrix, truth[frame][0].cam_from_obj, solid)
            counted = infos[str(frame)][0]["px_count_visib"]
            assert abs(seen.sum() - counted) < 0.03 * counted, (frame, seen.sum(), counted)


def test_shipped_depth_lies_on_the_box(box):
    """The median over its visible surface, a stereo camera's error apart."""
    solid = trimesh.load(box, force="mesh")
    scene, truth = clip_scene(box), read_scene_gt(DEMO / "scene_gt.json")
    camera = load_camera(DEMO / "camera.json")
    errors = []
    true = true_depth(scene, scene.camera)
    for frame in open_source(DEMO / "box.mp4", camera, depth=str(DEMO / "depth")):
        drawn = next(true)
        seen = seen_box(drawn, camera.matrix, truth[frame.index][0].cam_from_obj, solid) & (frame.depth > 0)
        seen = cv2.erode(seen.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0  # a sensor's edges are not sharp
        errors.append(np.median((frame.depth - drawn)[seen]))
    assert len(errors) == 120
    assert np.abs(np.median(errors)) < 0.001 and np.std(errors) < 0.004 and np.std(errors) > 0.0005


def test_a_measured_pixel_is_a_square_of_the_image():
    depth = cv2.imread(str(DEMO / "depth" / "000000.png"), cv2.IMREAD_UNCHANGED)
    assert depth.dtype == np.uint16 and depth.shape == (480, 640)
    blocks = depth.reshape(480 // REDUCED, REDUCED, 640 // REDUCED, REDUCED)
    assert (blocks == blocks[:, :1, :, :1]).all() and len(np.unique(depth)) > 100
