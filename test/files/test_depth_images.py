"""Depth images as files: units, missing ones, and what is refused."""

import json

import cv2
import numpy as np
import pytest

from pose_regressor.files.depth_images import DepthImages, read_depth

STEPS = np.array([[0, 500, 1000], [2000, 3000, 65535]], np.uint16)


def folder_of(tmp_path, **images):
    for name, image in images.items():
        ending = "tiff" if image.dtype == np.float32 else "png"
        (tmp_path / "depth").mkdir(exist_ok=True)
        assert cv2.imwrite(str(tmp_path / "depth" / f"{name}.{ending}"), image)
    return tmp_path / "depth"


def scene_camera(tmp_path, **entry):
    path = tmp_path / "scene_camera.json"
    path.write_text(json.dumps({"3": {"cam_K": [1] * 9, **entry}}))
    return path


def test_a_bop_scale_turns_steps_into_metres(tmp_path):
    depth = DepthImages(folder_of(tmp_path, **{"000003": STEPS}), scene_camera(tmp_path, depth_scale=0.1))
    np.testing.assert_allclose(depth.of(tmp_path / "rgb" / "000003.jpg", 3), STEPS * 1e-4, rtol=1e-6)
    assert depth.of(tmp_path / "rgb" / "000004.jpg", 4) is None


def test_without_a_scale_steps_are_millimetres_and_floats_metres(tmp_path):
    metres = STEPS.astype(np.float32) / 1000
    folder = folder_of(tmp_path, a=STEPS, b=metres)
    depth = DepthImages(folder, tmp_path / "scene_camera.json")
    for name in ("a", "b"):
        read = depth.of(tmp_path / f"{name}.png", 0)
        assert read.dtype == np.float32
        np.testing.assert_allclose(read, metres, rtol=1e-6)


@pytest.mark.parametrize("entry, message", [({}, "depth_scale"), ({"depth_scale": 0}, "above 0")])
def test_a_scene_needs_its_scale(tmp_path, error_of, entry, message):
    folder, path = folder_of(tmp_path, a=STEPS), scene_camera(tmp_path, **entry)
    assert message in error_of(DepthImages, folder, path)


def test_what_is_refused(tmp_path, error_of):
    missing = tmp_path / "scene_camera.json"
    assert "there is none" in error_of(DepthImages, tmp_path / "nowhere", missing)
    (tmp_path / "empty").mkdir()
    assert "found none" in error_of(DepthImages, tmp_path / "empty", missing)
    cv2.imwrite(str(tmp_path / "color.png"), np.zeros((4, 4, 3), np.uint8))
    assert "one channel" in error_of(read_depth, tmp_path / "color.png")
    (tmp_path / "text.png").write_text("no image")
    assert "cannot be decoded" in error_of(read_depth, tmp_path / "text.png")
