"""The path tracer's camera against our own projection. Needs bpy, so it runs where that is installed (in an environment
without torch: ``pytest --noconftest test/training/demo_clip/test_render.py``)."""

from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("bpy")
pytestmark = pytest.mark.slow

import bpy  # noqa: E402

from pose_regressor.types import Camera  # noqa: E402
from pose_regressor_training.demo_clip.render import Blender  # noqa: E402
from pose_regressor_training.demo_clip.scene import Cuboid, Item, Material, Scene, rotation  # noqa: E402
from pose_regressor_training.scenes import looking_at  # noqa: E402

SIZE = (0.16, 0.11, 0.06)
FINE = 16  # steps a pixel of the expected coverage


def coverage(camera: Camera, cam_from_obj: np.ndarray) -> np.ndarray:
    """(H, W) share of every pixel that the cuboid covers, 0 to 1."""
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) / 2 * SIZE
    points = (corners @ cam_from_obj[:3, :3].T + cam_from_obj[:3, 3]) @ camera.matrix.T
    pixels = points[:, :2] / points[:, 2:]
    fine = (pixels + 0.5) * FINE - 0.5  # pixel centres are whole numbers at both scales
    canvas = np.zeros((camera.height * FINE, camera.width * FINE), np.uint8)
    hull = cv2.convexHull(np.round(fine * 256).astype(np.int32).reshape(-1, 1, 2))
    cv2.fillConvexPoly(canvas, hull, 255, cv2.LINE_8, 8)
    return canvas.reshape(camera.height, FINE, camera.width, FINE).mean(axis=(1, 3)) / 255


@pytest.mark.parametrize("principal", [(159.5, 119.5), (140.25, 131.0)])
def test_silhouette_agrees_with_projection(tmp_path: Path, principal: tuple[float, float]) -> None:
    camera = Camera(320, 240, np.array([[305.0, 0, principal[0]], [0, 305.0, principal[1]], [0, 0, 1]]))
    pose = np.eye(4)[None].copy()
    pose[0, :3, :3] = rotation("z", 0.7) @ rotation("x", 0.5)
    pose[0, :3, 3] = 0.02, -0.03, 0.1
    cameras = looking_at(np.array([[0.1, -0.5, 0.4]]), np.array([[0.0, 0.0, 0.1]]))
    item = Item("box", Cuboid(SIZE, 0.0), pose, Material((0.8, 0.8, 0.8)))
    blender = Blender(Scene(camera, cameras, (item,), "studio"), samples=64)
    scene = bpy.context.scene
    scene.render.film_transparent, scene.render.image_settings.color_mode = True, "RGBA"
    scene.cycles.use_denoising, scene.cycles.use_adaptive_sampling = False, False
    scene.cycles.pixel_filter_type = "BOX"

    blender.render(0, tmp_path / "view.png")

    alpha = cv2.imread(str(tmp_path / "view.png"), cv2.IMREAD_UNCHANGED)[:, :, 3] / 255
    expected = coverage(camera, np.linalg.inv(cameras[0]) @ pose[0])
    ys, xs = np.indices(alpha.shape)
    for axis in (xs, ys):  # the silhouette's centre, in pixels
        assert (axis * alpha).sum() / alpha.sum() == pytest.approx((axis * expected).sum() / expected.sum(), abs=0.03)
    assert np.abs(alpha - expected).max() < 0.35  # half a pixel off would be 0.5 along the edges
    whole, seen = blender.masks(0, "box")
    assert (whole == seen).all()
    assert np.abs(whole - expected).max() < 0.7  # a ray through the centre, so right where more than half is covered
