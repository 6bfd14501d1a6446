"""Synthetic frames of a bundle's objects, with the true poses in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pose_regressor.network.bundle import Bundle
from pose_regressor.types import Camera, FloatArray, Frame, InputError
from pose_regressor_training.meshes.mesh import Mesh
from pose_regressor_training.randomize.background import BackgroundPart
from pose_regressor_training.randomize.config import RandomizeConfig
from pose_regressor_training.randomize.scene import SceneSampler
from pose_regressor_training.samples.batches import MIN_VISIBLE
from pose_regressor_training.samples.generator import Generator
from pose_regressor_training.samples.labels import silhouettes
from pose_regressor_training.samples.sensor_depth import RANGE, SensorDepth
from pose_regressor_training.scenes import NONE

WIDTH, HEIGHT = 640, 480
#: Fewest and most objects drawn for a frame. One for which no free place is found is left out.
OBJECTS = (0, 3)
#: Everything is randomized, whatever the network was trained with. A few hundred pictures suffice for so few frames.
RANDOMIZE = RandomizeConfig(background=BackgroundPart(pictures=200))
#: Frames that are drawn and rendered together.
_BATCH = 8
#: Where a scene has no ground, a wall stands behind its things: at this many times the distance of the farthest one,
#: turned about an upright axis by up to this many radians.
WALL, WALL_TURN = (1.02, 2.0), 0.6


@dataclass(frozen=True, eq=False)
class TrueFrame:
    """A synthetic frame and the objects in it.

    frame: the image and its camera
    channel: (G,) number of each object in its bundle
    cam_from_obj: (G, 4, 4) true poses, metres
    visible: (G,) whether enough of the object shows that it should be found
    """

    frame: Frame
    channel: NDArray[np.int64]
    cam_from_obj: FloatArray
    visible: NDArray[np.bool_]


def randomization(bundle: Bundle) -> RandomizeConfig:
    """`RANDOMIZE` with the poses that the bundle was trained for."""
    trained = bundle.training.get("randomize") or {}
    # Only the poses are read: another part may name a folder of photographs that this machine lacks.
    return replace(RANDOMIZE, pose=RandomizeConfig.from_dict({"pose": trained.get("pose", {})}).pose)


def true_frames(
    bundle: Bundle,
    meshes: Sequence[Mesh],
    seed: int,
    count: int,
    config: RandomizeConfig | None = None,
    device: str = "cpu",
    sensor: SensorDepth | None = None,
) -> Iterator[TrueFrame]:
    """`count` frames of 640 x 480 pixels with up to three of the bundle's objects; the same ones for the same seed.

    meshes: of the bundle's objects, in their order
    config: what is randomized; `randomization` of the bundle by default
    sensor: measures the frames' depth; None: they have none. The images are the same with and without it.

    Raises InputError if a mesh is not the one of its object.
    """
    check_meshes(bundle, meshes)
    sampler = SceneSampler(config or randomization(bundle), list(bundle.objects), seed)
    generator = Generator(sampler, meshes, device)
    for first in range(0, count, _BATCH):
        rng = np.random.default_rng((seed, first))
        samples = generator.frames(rng, min(_BATCH, count - first), WIDTH, HEIGHT, OBJECTS)
        images = samples.image.permute(0, 2, 3, 1).contiguous().cpu().numpy()
        scenes, target = samples.drawn.scenes, samples.drawn.target
        visible = silhouettes(samples.rendering, target.shape[1]).fraction.cpu().numpy() > MIN_VISIBLE
        for b, image in enumerate(images):
            camera = Camera(WIDTH, HEIGHT, scenes.camera_matrix[b])
            depth = None
            if sensor:
                own = np.random.default_rng((seed, first + b, 1))
                true = with_wall(samples.rendering.depth[b].cpu().numpy(), camera, own)
                depth = sensor.measure(true, camera.matrix, own)
            place = np.flatnonzero((target[b] != NONE) & (target[b] < len(bundle.objects)))
            frame = Frame(image, camera, depth=depth)
            yield TrueFrame(frame, target[b, place], scenes.cam_from_obj[b, place], visible[b, place])


def with_wall(depth: NDArray[np.float32], camera: Camera, rng: np.random.Generator) -> NDArray[np.float32]:
    """(H, W) metres: `depth` (H, W), with a wall at random where it is 0, as pictures behind a scene have no depth."""
    # A ground may reach to the horizon.
    distance = min(float(depth.max() or 1), RANGE) * rng.uniform(*WALL)
    across = (np.arange(depth.shape[1]) - camera.matrix[0, 2]) / camera.matrix[0, 0]
    wall = distance / np.maximum(1 - np.tan(rng.uniform(-WALL_TURN, WALL_TURN)) * across, 0.2)
    return np.where(depth > 0, depth, np.broadcast_to(wall, depth.shape)).astype(np.float32)


def check_meshes(bundle: Bundle, meshes: Sequence[Mesh]) -> None:
    """Raises InputError unless there is one mesh for each of the bundle's objects, of the same size."""
    if len(meshes) != len(bundle.objects):
        raise InputError(f"meshes: expected those of {len(bundle.objects)} objects, got {len(meshes)}")
    for model, mesh in zip(bundle.objects, meshes, strict=True):
        bounds = np.stack([mesh.vertices.min(0), mesh.vertices.max(0)])
        if np.abs(bounds - model.bounds).max() > 0.01 * model.diameter:
            size = " x ".join(f"{1000 * edge:.0f}" for edge in np.ptp(bounds, axis=0))
            expected = " x ".join(f"{1000 * edge:.0f}" for edge in model.size)
            raise InputError(
                f"mesh of {model.name}: expected the one it was trained on, of {expected} mm, got {size} mm"
            )
