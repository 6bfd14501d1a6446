"""Ray tracing with Warp: the same kernels on the CPU and on CUDA, a batch of scenes at a time, straight into torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import warp as wp
from numpy.typing import NDArray

from pose_regressor.types import InputError
from pose_regressor_training.render.kernel import Bank, trace
from pose_regressor_training.render.mesh import Mesh
from pose_regressor_training.render.packing import Bounds, checked, pack_ambient, pack_things, pack_views
from pose_regressor_training.render.scenes import Rendering, Scenes
from pose_regressor_training.render.structs import COLOURED, MESH_DTYPE, TEXTURED, MeshRecord, Thing, View
from pose_regressor_training.render.textures import mip_levels, srgb_table

wp.config.log_level = wp.LOG_WARNING


class Raytracer:
    """Renders scenes of some meshes. Keep one for each process: hierarchies and mip levels are built once.

    pictures: (P, S, S, 3) uint8 sRGB, what grounds, backgrounds and materials name; device: as torch names it.
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
        self._bank = self._fill_bank(meshes, pictures)

    def render(self, scenes: Scenes, height: int, width: int) -> Rendering:
        """Images of height x width pixels. Raises InputError for meshes and pictures that are not there."""
        checked(scenes, len(self._meshes), self._pictures)
        count, places = scenes.mesh.shape
        rendering = _empty(count, height, width, self.device)
        if count == 0:
            return rendering
        things, counts = pack_things(scenes, self._bounds, height, width)
        inputs = [
            self._bank,
            wp.array(pack_views(scenes, counts), dtype=View, device=self._device),
            wp.array(things, dtype=Thing, ndim=2, device=self._device),
            wp.array(pack_ambient(scenes), dtype=wp.vec3, ndim=2, device=self._device),
            places,
        ]
        outputs = [
            wp.from_torch(rendering.color, dtype=wp.vec3),
            wp.from_torch(rendering.thing),
            wp.from_torch(rendering.depth),
            wp.from_torch(rendering.normal, dtype=wp.vec3),
            wp.from_torch(rendering.position, dtype=wp.vec3),
            wp.from_torch(rendering.covered),
        ]
        stream = wp.stream_from_torch(torch.cuda.current_stream(self.device)) if self.device.type == "cuda" else None
        wp.launch(trace, (count, height, width), inputs, outputs, device=self._device, stream=stream)
        return rendering

    def _hierarchy(self, mesh: Mesh) -> wp.Mesh:
        return wp.Mesh(
            points=wp.array(mesh.vertices, dtype=wp.vec3, device=self._device),
            indices=wp.array(mesh.faces.reshape(-1), dtype=wp.int32, device=self._device),
            bvh_leaf_size=2,
        )

    def _fill_bank(self, meshes: Sequence[Mesh], pictures: NDArray[np.uint8]) -> Bank:
        records = np.zeros(len(meshes), MESH_DTYPE)
        levels: list[NDArray[np.uint8]] = []
        uv: list[NDArray[np.float32]] = []
        for record, hierarchy, mesh in zip(records, self._meshes, meshes, strict=True):
            record["id"] = hierarchy.id
            record["coloring"] = COLOURED if mesh.texture is None else TEXTURED
            if mesh.texture is not None and mesh.uv is not None:
                own = mip_levels(mesh.texture)
                record["first_corner"], record["first_level"] = sum(map(len, uv)), len(levels)
                record["levels"] = len(own)
                record["texels_per_metre"] = _texels_per_metre(mesh)
                levels += own
                uv.append(mesh.uv)
        first_vertex = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
        first_face = np.cumsum([0, *(len(mesh.faces) for mesh in meshes)])
        records["first_face"] = first_face[:-1]
        faces = [mesh.faces + start for mesh, start in zip(meshes, first_vertex, strict=False)]
        first_picture_level = len(levels)
        for picture in pictures:
            levels += mip_levels(picture)
        starts = np.cumsum([0, *(level.shape[0] * level.shape[1] for level in levels)])
        table = [(start, level.shape[1], level.shape[0]) for start, level in zip(starts, levels, strict=False)]
        bank = Bank()
        bank.meshes = wp.array(records, dtype=MeshRecord, device=self._device)
        bank.vertices = self._array([mesh.vertices for mesh in meshes], wp.vec3, (0, 3), np.float32)
        bank.faces = self._array(faces, wp.vec3i, (0, 3), np.int32)
        bank.normals = self._array([_corner_normals(mesh) for mesh in meshes], wp.vec3, (0, 3, 3), np.float32)
        bank.uv = self._array(uv, wp.vec2, (0, 3, 2), np.float32)
        colors = [
            np.zeros_like(mesh.vertices, np.uint8) if mesh.vertex_colors is None else mesh.vertex_colors
            for mesh in meshes
        ]
        bank.colors = self._array(colors, wp.vec3ub, (0, 3), np.uint8)
        bank.texels = self._array([level.reshape(-1, 3) for level in levels], wp.vec3ub, (0, 3), np.uint8)
        bank.levels = self._array([np.array(table).reshape(-1, 3)], wp.vec3i, (0, 3), np.int32)
        bank.linear = wp.array(srgb_table(), dtype=wp.float32, device=self._device)
        bank.first_picture_level = first_picture_level
        bank.picture_levels = (len(levels) - first_picture_level) // max(1, len(pictures))
        return bank

    def _array(self, parts: list[NDArray], dtype: type, empty: tuple[int, ...], number: type) -> wp.array:
        joined: NDArray = np.concatenate([np.zeros(empty, number), *parts]).astype(number)
        return wp.array(joined, dtype=dtype, ndim=len(empty) - 1, device=self._device)


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
    return Bounds(corners, centres, radii)


def _texels_per_metre(mesh: Mesh) -> float:
    """Of the finest level, as a mean over the surface."""
    assert mesh.texture is not None and mesh.uv is not None
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum()
    texels = mesh.uv.astype(np.float64) * (mesh.texture.shape[1], mesh.texture.shape[0])
    a, b = (texels[:, 1] - texels[:, 0]).T, (texels[:, 2] - texels[:, 0]).T
    return float(np.sqrt(np.abs(a[0] * b[1] - a[1] * b[0]).sum() / max(area, 1e-30)))


def _corner_normals(mesh: Mesh) -> NDArray[np.float32]:
    corners = mesh.vertices[mesh.faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True).clip(1e-30)
    return np.repeat(normal[:, None], 3, 1).astype(np.float32)
