"""Ray tracing with Warp: the same kernels on the CPU and on CUDA, a batch of scenes at a time, straight into torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import warp as wp
from numpy.typing import NDArray

from pose_regressor.types import InputError
from pose_regressor_training.meshes.mesh import Mesh
from pose_regressor_training.raytracer.bank import fill_bank
from pose_regressor_training.raytracer.kernel import soften, trace
from pose_regressor_training.raytracer.packing import (
    RUN,
    Bounds,
    Packed,
    checked,
    pack_ambient,
    pack_things,
    pack_views,
)
from pose_regressor_training.raytracer.structs import Thing, View
from pose_regressor_training.raytracer.visibility import scan
from pose_regressor_training.scenes import Rendering, Scenes

wp.config.log_level = wp.LOG_WARNING


class Raytracer:
    """Renders scenes of given meshes. Keep one for each process: hierarchies and mip levels are built once.

    meshes: that scenes may name
    pictures: (P, S, S, 3) uint8 sRGB, for grounds, backgrounds and materials
    device: as torch names it
    """

    def __init__(self, meshes: Sequence[Mesh], pictures: NDArray[np.uint8] | None = None, device: str = "cpu") -> None:
        if pictures is None:
            pictures = np.zeros((0, 1, 1, 3), np.uint8)
        if pictures.ndim != 4 or pictures.shape[1] != pictures.shape[2] or pictures.shape[3] != 3:
            raise InputError(f"pictures: expected square sRGB images (P, S, S, 3), got {pictures.shape}")
        self.device = torch.device(device)
        self._device = str(self.device)
        self._pictures = len(pictures)
        self._meshes = [self._hierarchy(mesh) for mesh in meshes]
        self._bounds = _bounds(meshes)
        self._bank = fill_bank(meshes, self._meshes, pictures, self._device)

    def render(self, scenes: Scenes, height: int, width: int, edge_samples: int = 1) -> Rendering:
        """Images of height x width pixels.

        edge_samples: rays whose mean colours the outlines of things and half-shadows; 1 leaves hard steps and grain

        Labels are always those of the ray through the pixel's centre. Raises InputError if the scenes name a mesh or
        picture that is not there.
        """
        checked(scenes, len(self._meshes), self._pictures)
        count = len(scenes)
        rendering = _empty(count, height, width, self.device)
        if count == 0:
            return rendering
        packed = pack_things(scenes, self._bounds, height, width, may_scan=self.device.type == "cpu")
        if self.device.type == "cpu":
            self._launch(scenes, packed, rendering, edge_samples)
        else:
            with wp.ScopedStream(wp.stream_from_torch(torch.cuda.current_stream(self.device))):
                self._launch(scenes, packed, rendering, edge_samples)
        return rendering

    def _launch(self, scenes: Scenes, packed: Packed, rendering: Rendering, edge_samples: int) -> None:
        count, height, width = rendering.depth.shape
        color, normal, position = (
            wp.from_torch(buffer, dtype=wp.vec3) for buffer in (rendering.color, rendering.normal, rendering.position)
        )
        place, depth, covered = (
            wp.from_torch(buffer) for buffer in (rendering.thing, rendering.depth, rendering.covered)
        )
        things = wp.array(packed.things, dtype=Thing, ndim=2, device=self._device)
        views = wp.array(pack_views(scenes, packed), dtype=View, device=self._device)
        ambient = wp.array(pack_ambient(scenes), dtype=wp.vec3, ndim=2, device=self._device)
        keys = wp.empty((0, 0, 0), dtype=wp.uint64, device=self._device)
        if len(packed.runs):
            keys = wp.full((count, height, width), value=2**64 - 1, dtype=wp.uint64, device=self._device)
            covered.zero_()
            runs = wp.array(packed.runs, dtype=wp.vec3i, device=self._device)
            inputs = [self._bank, views, things, runs, RUN, width, height, keys, covered]
            wp.launch(scan, len(runs), inputs, device=self._device)
        run = RUN if self.device.type == "cpu" else 1
        inputs = [self._bank, views, things, ambient, keys, run, scenes.mesh.shape[1]]
        kept = (count, height, width) if edge_samples > 1 else (0, 0, 0)
        lamps = wp.empty(kept, dtype=wp.int32, device=self._device)
        outputs = [color, place, depth, normal, position, covered, lamps]
        wp.launch(trace, (count, height, -(-width // run)), inputs, outputs, device=self._device)
        if edge_samples > 1:
            inputs = [self._bank, views, things, ambient, edge_samples, place, depth, lamps, color]
            wp.launch(soften, (count, height, width), inputs, device=self._device)

    def _hierarchy(self, mesh: Mesh) -> wp.Mesh:
        return wp.Mesh(
            points=wp.array(mesh.vertices, dtype=wp.vec3, device=self._device),
            indices=wp.array(mesh.faces.reshape(-1), dtype=wp.int32, device=self._device),
            bvh_leaf_size=2,
        )


def _empty(count: int, height: int, width: int, device: torch.device) -> Rendering:
    def buffer(*channels: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        return torch.empty((count, height, width, *channels), dtype=dtype, device=device)

    return Rendering(buffer(3), buffer(dtype=torch.int32), buffer(), buffer(3), buffer(3), buffer(dtype=torch.int32))


def _bounds(meshes: Sequence[Mesh]) -> Bounds:
    corners, centres, radii = np.zeros((len(meshes), 8, 3)), np.zeros((len(meshes), 3)), np.zeros(len(meshes))
    for i, mesh in enumerate(meshes):
        low, high = mesh.vertices.min(0).astype(np.float64), mesh.vertices.max(0).astype(np.float64)
        corners[i] = np.stack(np.meshgrid(*zip(low, high, strict=True)), -1).reshape(-1, 3)
        centres[i] = (low + high) / 2
        radii[i] = np.linalg.norm(mesh.vertices - centres[i], axis=1).max()
    return Bounds(corners, centres, radii, np.array([len(mesh.faces) for mesh in meshes], np.int64))
