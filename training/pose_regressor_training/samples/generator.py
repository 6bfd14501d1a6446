"""From randomized scenes to images, with everything that is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pose_regressor.types import FloatArray
from pose_regressor_training.blender.photoreal import Photoreal
from pose_regressor_training.meshes.mesh import Mesh
from pose_regressor_training.randomize.develop import photograph
from pose_regressor_training.randomize.scene import Drawn, SceneSampler
from pose_regressor_training.randomize.views import WindowSpec
from pose_regressor_training.raytracer.renderer import Raytracer
from pose_regressor_training.scenes import Renderer, Rendering


@dataclass(frozen=True, eq=False)
class Samples:
    """B images and what they show.

    image: (B, 3, H, W) uint8 RGB, on the renderer's device
    rendering: the renderer's buffers
    drawn: the scenes, which object stands in which place, and the cameras
    """

    image: Tensor
    rendering: Rendering
    drawn: Drawn


class Generator:
    """Draws scenes, renders them and takes the pictures. Keep one for each process.

    sampler: draws the scenes
    meshes: of the sampler's objects and of what stands beside them
    device: as torch names it
    photoreal: renders the colours instead of the ray tracer; made of `sampler.meshes(meshes)` and the sampler's
        pictures
    """

    def __init__(
        self,
        sampler: SceneSampler,
        meshes: Sequence[Mesh],
        device: str | torch.device = "cpu",
        photoreal: Photoreal | None = None,
    ) -> None:
        self.sampler = sampler
        if photoreal:
            self.raytracer = photoreal.raytracer
        else:
            self.raytracer = Raytracer(sampler.meshes(meshes), sampler.pictures.bank, str(device))
        self.renderer: Renderer = photoreal or self.raytracer

    def windows(self, rng: np.random.Generator, count: int, spec: WindowSpec) -> Samples:
        """`count` windows as the network sees them."""
        return self.taken(self.sampler.windows(rng, count, spec), spec.size, spec.size)

    def frames(
        self,
        rng: np.random.Generator,
        count: int,
        width: int,
        height: int,
        objects: tuple[int, int],
        camera_matrix: FloatArray | None = None,
    ) -> Samples:
        """`count` whole frames with `objects` (fewest, most) of the objects in each; see `SceneSampler.frames`."""
        return self.taken(self.sampler.frames(rng, count, width, height, objects, camera_matrix), height, width)

    def taken(self, drawn: Drawn, height: int, width: int) -> Samples:
        """Render drawn scenes at this size and take the pictures."""
        rendering = self.renderer.render(drawn.scenes, height, width)
        image = photograph(rendering.color, drawn.shots)
        inside = torch.from_numpy(inside_frame(drawn.views.frame, height, width)).to(image.device)
        return Samples(image * inside[:, None], rendering, drawn)


def inside_frame(frame: NDArray, height: int, width: int) -> NDArray[np.bool_]:
    """(B, H, W) whether pixels lie within frames (B, 4) x0, y0, x1, y1. The runtime fills pixels outside with black."""
    x0, y0, x1, y1 = (edge[:, None] for edge in frame.T)
    columns, rows = np.arange(width), np.arange(height)
    return ((rows > y0) & (rows < y1))[:, :, None] & ((columns > x0) & (columns < x1))[:, None]
