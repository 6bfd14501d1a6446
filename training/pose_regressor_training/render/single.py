"""Primary rays with Warp: the same kernel on the CPU and on CUDA, a batch of views of one mesh at a time."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import warp as wp
from numpy.typing import NDArray

from pose_regressor_training.render.mesh import Mesh
from pose_regressor_training.render.single_kernel import Look, trace

wp.config.log_level = wp.LOG_WARNING


@dataclass(frozen=True, eq=False)
class Views:
    """color (B, H, W, 3) in about [0, 1], not clipped; position (B, H, W, 3) object coordinates in metres; depth
    (B, H, W) metres, 0 where the ray hits nothing. All float32.
    """

    color: NDArray[np.float32]
    position: NDArray[np.float32]
    depth: NDArray[np.float32]


class Raytracer:
    """Renders one mesh. Keep one for each process: the mesh's hierarchy is built once."""

    def __init__(self, mesh: Mesh, device: str = "cpu") -> None:
        self.device = device
        self.vertices = mesh.vertices
        self.mesh = wp.Mesh(
            points=wp.array(mesh.vertices, dtype=wp.vec3, device=device),
            indices=wp.array(mesh.faces.reshape(-1), dtype=wp.int32, device=device),
        )
        texture, uv = _texture_of(mesh)
        corners = mesh.vertices[mesh.faces].astype(np.float64)
        area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum()
        texels = uv.astype(np.float64) * (texture.shape[1], texture.shape[0])
        a, b = (texels[:, 1] - texels[:, 0]).T, (texels[:, 2] - texels[:, 0]).T
        self.texels_per_metre = float(np.sqrt(np.abs(a[0] * b[1] - a[1] * b[0]).sum() / area))
        flat, levels = _mip_levels(texture)
        self.texture = wp.array(flat, dtype=wp.vec3ub, device=device)
        self.levels = wp.array(levels, dtype=wp.vec3i, device=device)
        self.uv = wp.array(uv.reshape(-1, 2), dtype=wp.vec2, device=device)

    def render(self, cam_from_obj: NDArray, camera_matrix: NDArray, looks: NDArray, height: int, width: int) -> Views:
        """cam_from_obj (B, 4, 4), camera_matrix (B, 3, 3) without skew, looks (B,) of LOOK_DTYPE -> B views.

        The whole object must lie in front of the camera.
        """
        count = len(cam_from_obj)
        rays = camera_matrix[:, [0, 1, 0, 1], [0, 1, 2, 2]]
        color = wp.zeros((count, height, width), dtype=wp.vec3, device=self.device)
        position = wp.zeros((count, height, width), dtype=wp.vec3, device=self.device)
        depth = wp.zeros((count, height, width), dtype=wp.float32, device=self.device)
        inputs = [
            self.mesh.id,
            wp.array(cam_from_obj.astype(np.float32), dtype=wp.mat44, device=self.device),
            wp.array(rays.astype(np.float32), dtype=wp.vec4, device=self.device),
            wp.array(self._boxes(cam_from_obj, rays, height, width), dtype=wp.vec4i, device=self.device),
            wp.array(looks, dtype=Look, device=self.device),
            self.uv, self.texture, self.levels, self.texels_per_metre,
        ]  # fmt: skip
        wp.launch(trace, (count, height, width), inputs, [color, position, depth], device=self.device)
        return Views(color.numpy(), position.numpy(), depth.numpy())

    def _boxes(self, cam_from_obj: NDArray, rays: NDArray, height: int, width: int) -> NDArray[np.int32]:
        low, high = self.vertices.min(0), self.vertices.max(0)
        corners = np.stack(np.meshgrid(*zip(low, high, strict=True)), -1).reshape(-1, 3)
        points = np.einsum("bij,nj->bni", cam_from_obj[:, :3, :3], corners) + cam_from_obj[:, None, :3, 3]
        pixels = points[..., :2] / points[..., 2:].clip(1e-6) * rays[:, None, :2] + rays[:, None, 2:]
        box = np.concatenate([np.floor(pixels.min(1)), np.ceil(pixels.max(1))], axis=1)
        box[(points[..., 2] <= 0).any(1)] = (0, 0, width, height)
        return box.clip(-1, max(width, height)).astype(np.int32)


def _texture_of(mesh: Mesh) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The mesh's texture, or vertex colours written into a texture of one tiny triangle a face."""
    if mesh.texture is not None and mesh.uv is not None:
        return mesh.texture, mesh.uv
    assert mesh.vertex_colors is not None
    # A face gets a 2x2 block: three corner colours and their mean in the fourth texel.
    count = len(mesh.faces)
    side = int(np.ceil(np.sqrt(count)))
    colors = mesh.vertex_colors[mesh.faces].astype(np.float32)
    colors = np.concatenate([colors, (colors[:, 1] + colors[:, 2])[:, None] / 2], axis=1)
    blocks = np.zeros((side * side, 4, 3), np.uint8)
    blocks[:count] = colors.astype(np.uint8)
    texture = blocks.reshape(side, side, 2, 2, 3).transpose(0, 2, 1, 3, 4).reshape(2 * side, 2 * side, 3)
    row, column = np.divmod(np.arange(count), side)
    x, y = 2 * column + 0.5, 2 * row + 0.5
    texel = np.stack([np.stack([x, y], -1), np.stack([x + 1, y], -1), np.stack([x, y + 1], -1)], axis=1)
    uv = texel / (2 * side)
    uv[..., 1] = 1 - uv[..., 1]
    return np.ascontiguousarray(texture), uv.astype(np.float32)


def _mip_levels(texture: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Every level's texels one after the other, (N, 3), and (start, width, height) of each."""
    images = [texture]
    while min(images[-1].shape[:2]) > 4:
        height, width = images[-1].shape[:2]
        images.append(cv2.resize(images[-1], (width // 2, height // 2), interpolation=cv2.INTER_AREA))
    starts = np.cumsum([0] + [image.shape[0] * image.shape[1] for image in images[:-1]])
    levels = [(start, image.shape[1], image.shape[0]) for start, image in zip(starts, images, strict=True)]
    return np.concatenate([image.reshape(-1, 3) for image in images]), np.array(levels, np.int32)
