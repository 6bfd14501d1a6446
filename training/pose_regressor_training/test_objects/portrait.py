"""``python -m pose_regressor_training.test_objects.portrait PICTURE``: our test objects, each from four sides."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_regressor_training.meshes.mesh import Mesh, load_mesh
from pose_regressor_training.randomize.camera import plain_shots
from pose_regressor_training.randomize.develop import photograph
from pose_regressor_training.raytracer.renderer import Raytracer
from pose_regressor_training.scenes import blank_scenes
from pose_regressor_training.test_objects import make_box, make_knob, make_symmetric, make_toy

SIDE = 360  # pixels
#: Degrees around the object and above it.
VIEWS = ((25, 20), (115, 25), (205, 20), (310, -35))
PAPER = (0.72, 0.74, 0.76)


def portraits(mesh: Mesh, views: Sequence[tuple[float, float]] = VIEWS, side: int = SIDE) -> NDArray[np.uint8]:
    """(H, W, 3) RGB: the views, one below the other.

    views: degrees around the object and above it
    side: of each view, pixels
    """
    scenes = blank_scenes(len(views), 1)
    centre = (mesh.vertices.min(0) + mesh.vertices.max(0)) / 2
    radius = float(np.linalg.norm(mesh.vertices - centre, axis=1).max())
    scenes.mesh[:] = 0
    middle = (side - 1) / 2
    scenes.camera_matrix[:] = np.array([[3 * side, 0, middle], [0, 3 * side, middle], [0, 0, 1]])
    for b, (around, above) in enumerate(np.radians(views)):
        back = np.array([np.sin(around) * np.cos(above), np.sin(above), np.cos(around) * np.cos(above)])
        right = np.cross((0, 1, 0), back) / np.cos(above)
        rotation = np.stack([right, -np.cross(back, right), -back])
        scenes.cam_from_obj[b, 0, :3, :3] = rotation
        scenes.cam_from_obj[b, 0, :3, 3] = (0, 0, 6.3 * radius) - rotation @ centre
    scenes.material["specular"], scenes.material["roughness"] = 0.1, 0.4
    scenes.ambient[:, 0] = 0.3
    lamps = np.array([(-0.6, -0.8, -0.7), (0.9, -0.2, -0.5)])
    scenes.light["direction"][:, :2] = lamps / np.linalg.norm(lamps, axis=1, keepdims=True)
    scenes.light["color"][:, 0], scenes.light["color"][:, 1] = 0.75, 0.2
    scenes.light["radius"][:, 0], scenes.light["shadow"][:, 0] = 0.01, 1
    rendering = Raytracer([mesh]).render(scenes, side, side)
    rendering.color[rendering.thing < 0] = rendering.color.new_tensor(PAPER)
    image = photograph(rendering.color, plain_shots(len(views)))
    return np.asarray(np.concatenate(list(image.permute(0, 2, 3, 1).numpy())))


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m pose_regressor_training.test_objects.portrait", description=__doc__
    )
    parser.add_argument("picture", type=Path, metavar="PICTURE", help="a .png or .jpg")
    path = parser.parse_args().picture
    columns = []
    for make in (make_toy, make_box, make_symmetric, make_knob):
        with tempfile.TemporaryDirectory() as folder:
            columns.append(portraits(load_mesh(make(folder), "m")))
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), np.concatenate(columns, axis=1)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88]):
        parser.exit(1, f"error: cannot write {path}\n")


if __name__ == "__main__":
    main()
