"""Rendered crops around the box with its keypoints: a data set small enough to keep in memory."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pose_regressor.types import ObjectModel
from pose_regressor_training.experiments.views import Views, seen
from pose_regressor_training.meshes.mesh import Mesh, load_mesh, object_model
from pose_regressor_training.randomize.config import RandomizeConfig
from pose_regressor_training.randomize.scene import SceneSampler
from pose_regressor_training.randomize.views import Kind, WindowSpec
from pose_regressor_training.samples.batches import batch_of
from pose_regressor_training.samples.generator import Generator
from pose_regressor_training.test_objects import make_box

#: Enough variety for so small a network.
PICTURES, PICTURE_SIZE = 60, 256
_BATCH = 64


class Crops(NamedTuple):
    """B crops, the last three arrays in float64.

    image: (B, 3, S, S) uint8 RGB
    points_2d: (B, P, 2) keypoints, pixels of the crop
    camera_matrix: (B, 3, 3) of the crop
    cam_from_obj: (B, 4, 4)
    """

    image: Tensor
    points_2d: Tensor
    camera_matrix: Tensor
    cam_from_obj: Tensor


def box() -> tuple[Mesh, ObjectModel]:
    """Our test object, made anew."""
    with tempfile.TemporaryDirectory() as folder:
        mesh = load_mesh(make_box(folder), "m")
    return mesh, object_model(mesh, "box", 1, keypoints=8)


def rendered_crops(mesh: Mesh, model: ObjectModel, count: int, size: int, seed: int) -> Crops:
    """`count` crops of `size` pixels with the object, randomized in surface, light, background and camera.

    They are easier than those for the shipped networks, so that minutes of training suffice: the object is upright,
        seen from above, never cut off by the frame, and nothing hides it.
    """
    config = RandomizeConfig()
    pose = replace(
        config.pose,
        kinds=(1.0, 0.0, 0.0),
        rotation="view_sphere",
        elevation=(10, 80),
        roll=(-30, 30),
        look=(90, 320),
        place=(0.25, 0.75),
    )
    background = replace(config.background, pictures=PICTURES)
    config = replace(config, pose=pose, background=background, clutter=replace(config.clutter, random=False))
    # Pictures and clutter come from seed 0 in every call, so that sets differ only in what is drawn.
    sampler = SceneSampler(config, [model], 0, PICTURE_SIZE)
    generator = Generator(sampler, [mesh])
    points = torch.from_numpy(np.array(model.keypoints))
    found: list[Crops] = []
    while sum(len(part.image) for part in found) < count:
        rng = np.random.default_rng((seed, len(found)))
        samples = generator.windows(rng, _BATCH, WindowSpec(size, 1.0, 1.25))
        keep = batch_of(samples, sampler.models).kind == Kind.LOOK
        cam_from_obj = torch.from_numpy(samples.drawn.views.cam_from_obj[:, 0])[keep]
        camera = torch.from_numpy(samples.drawn.views.camera_matrix)[keep]
        pixels = seen(points, Views(cam_from_obj[:, :3, :3], cam_from_obj[:, :3, 3]), camera)
        found.append(Crops(samples.image[keep], pixels, camera, cam_from_obj))
    return Crops(*(torch.cat(parts)[:count] for parts in zip(*found, strict=True)))
