"""A picture of what a randomization yields."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_regressor.color import srgb_from_linear
from pose_regressor.draw import contact_sheet, draw_box
from pose_regressor.network.config import NetworkConfig
from pose_regressor.types import Camera, ObjectModel
from pose_regressor_training.meshes.mesh import Mesh
from pose_regressor_training.randomize.config import RandomizeConfig
from pose_regressor_training.randomize.scene import SceneSampler
from pose_regressor_training.randomize.views import FRAME_HEIGHT, FRAME_WIDTH, WindowSpec
from pose_regressor_training.raytracer.renderer import Raytracer
from pose_regressor_training.samples.generator import Generator, Samples
from pose_regressor_training.samples.labels import masks
from pose_regressor_training.scenes import NONE, blank_scenes

WINDOWS, WINDOW_COLUMNS = 32, 8
FRAMES, FRAME_COLUMNS = 6, 3
#: Objects in a frame, fewest and most.
OBJECTS = (1, 4)
#: So few pictures are drawn in a second or two, and suffice for so few images.
PICTURES, PICTURE_SIZE = 60, 384
OUTLINE = (255, 200, 0)
#: The object by itself: where it is seen from and what is up, both in its own frame; focal length in edges of the
#: picture; space around it; linear colour of the paper.
SIDES = (
    ((1, 0, 0), (0, 0, 1)),
    ((-1, 0, 0), (0, 0, 1)),
    ((0, -1, 0), (0, 0, 1)),
    ((0, 1, 0), (0, 0, 1)),
    ((0, 0, 1), (0, 1, 0)),
    ((0, 0, -1), (0, 1, 0)),
)
SIDE_COLUMNS, FOCAL, MARGIN, PAPER = 2, 3.0, 1.15, 0.5


def preview_sheet(
    mesh: Mesh, model: ObjectModel, config: RandomizeConfig, seed: int, labels: bool = False
) -> NDArray[np.uint8]:
    """RGB picture: the mesh from six sides; beside it windows as the network sees them, and whole frames below.

    labels: draw visible outlines and boxes
    """
    background = replace(config.background, pictures=min(PICTURES, config.background.pictures))
    sampler = SceneSampler(replace(config, background=background), [model], seed, PICTURE_SIZE)
    generator = Generator(sampler, [mesh])
    network = NetworkConfig()
    spec = WindowSpec(network.crop_size, network.find_size / FRAME_WIDTH, network.crop_margin)
    windows = generator.windows(np.random.default_rng((seed, 0)), WINDOWS, spec)
    frames = generator.frames(np.random.default_rng((seed, 1)), FRAMES, FRAME_WIDTH, FRAME_HEIGHT, OBJECTS)
    width = WINDOW_COLUMNS * spec.size
    upper = contact_sheet(_pictures(windows, model, labels), WINDOW_COLUMNS, spec.size)
    lower = contact_sheet(_pictures(frames, model, labels), FRAME_COLUMNS, width // FRAME_COLUMNS)
    missing = width - lower.shape[1]
    drawn = np.concatenate([upper, np.pad(lower, ((0, 0), (0, missing), (0, 0)), mode="edge")])
    own = contact_sheet(six_sides(generator.raytracer, mesh, len(drawn) // 3), SIDE_COLUMNS, len(drawn) // 3)
    own = np.pad(own, ((0, len(drawn) - len(own)), (0, 0), (0, 0)), mode="edge")
    return np.concatenate([own, drawn], axis=1)


def six_sides(raytracer: Raytracer, mesh: Mesh, size: int) -> list[NDArray[np.uint8]]:
    """RGB pictures of `size` pixels of the renderer's first mesh in its own colours, from both ends of x, y and z.

    The object's z points upwards, in the views along z its y. Light comes from all around and a little from the camera.
    """
    scenes = blank_scenes(len(SIDES), 1)
    low, high = mesh.vertices.min(0).astype(np.float64), mesh.vertices.max(0).astype(np.float64)
    radius = float(np.linalg.norm(high - low)) / 2
    middle = (size - 1) / 2
    scenes.camera_matrix[:] = np.array([[FOCAL * size, 0, middle], [0, FOCAL * size, middle], [0, 0, 1]])
    scenes.mesh[:], scenes.ambient[:, 0] = 0, 0.75
    scenes.light["color"][:, 0] = 0.25
    for number, (side, up) in enumerate(SIDES):
        forward, down = -np.array(side, np.float64), -np.array(up, np.float64)
        rotation = np.stack([np.cross(down, forward), down, forward])
        scenes.cam_from_obj[number, 0, :3, :3] = rotation
        scenes.cam_from_obj[number, 0, :3, 3] = (0, 0, 2 * FOCAL * radius * MARGIN) - rotation @ (low + high) / 2
    rendering = raytracer.render(scenes, size, size, edge_samples=4)
    color = rendering.color.cpu().numpy()
    color[rendering.thing.cpu().numpy() < 0] = PAPER
    return list(srgb_from_linear(color))


def _pictures(samples: Samples, model: ObjectModel, labels: bool) -> list[NDArray[np.uint8]]:
    images = list(samples.image.permute(0, 2, 3, 1).contiguous().numpy())
    if labels:
        target = samples.drawn.target
        visible = masks(samples.rendering, target.shape[1])[1].numpy()
        scenes = samples.drawn.scenes
        for b, place in zip(*np.nonzero(target != NONE), strict=True):
            found = cv2.findContours(visible[b, place].astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
            cv2.drawContours(images[b], found, -1, OUTLINE, 1)
            height, width = images[b].shape[:2]
            camera = Camera(width, height, scenes.camera_matrix[b])
            draw_box(images[b], camera, model, scenes.cam_from_obj[b, place])
    return images
