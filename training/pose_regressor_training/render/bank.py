"""From meshes and pictures to the arrays that stay on the device."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import warp as wp
from numpy.typing import NDArray

from pose_regressor_training.render.mesh import Mesh
from pose_regressor_training.render.structs import (
    COLOURED,
    FACE_ROWS,
    MESH_DTYPE,
    PAINT,
    PLANE,
    SMOOTH,
    TEXTURED,
    Bank,
    MeshRecord,
)
from pose_regressor_training.render.textures import mip_levels, srgb_table
from pose_regressor_training.render.topology import corner_normals, is_closed, merged


def fill_bank(
    meshes: Sequence[Mesh], hierarchies: Sequence[wp.Mesh], pictures: NDArray[np.uint8], device: str
) -> tuple[Bank, NDArray[np.void]]:
    """What the kernels read, on the device, and the meshes' records, (M,) of MESH_DTYPE, on the host."""
    records = np.zeros(len(meshes), MESH_DTYPE)
    levels: list[NDArray[np.uint8]] = []
    faces, corners = [np.zeros((0, FACE_ROWS, 4), np.float32)], [np.zeros((0, 3, 3), np.float32)]
    first_face = 0
    for record, hierarchy, mesh in zip(records, hierarchies, meshes, strict=True):
        own, closed = face_rows(mesh)
        faces.append(own)
        corners.append(mesh.vertices[mesh.faces])
        record["id"], record["first_face"], record["closed"] = hierarchy.id, first_face, closed
        first_face += len(own)
        record["coloring"] = COLOURED
        if mesh.texture is not None:
            pyramid = mip_levels(mesh.texture)
            record["coloring"], record["first_level"], record["levels"] = TEXTURED, len(levels), len(pyramid)
            record["texels_per_metre"] = _texels_per_metre(mesh)
            levels += pyramid
    first_picture = len(levels)
    for picture in pictures:
        levels += mip_levels(picture)
    starts = np.cumsum([0, *(level.shape[0] * level.shape[1] for level in levels)])
    table = [(start, level.shape[1], level.shape[0]) for start, level in zip(starts, levels, strict=False)]
    texels = np.concatenate([np.zeros((0, 3), np.uint8), *(level.reshape(-1, 3) for level in levels)])
    bank = Bank()
    bank.meshes = wp.array(records, dtype=MeshRecord, device=device)
    bank.faces = wp.array(np.concatenate(faces), dtype=wp.vec4, ndim=2, device=device)
    bank.corners = wp.array(np.concatenate(corners), dtype=wp.vec3, ndim=2, device=device)
    bank.texels = wp.array(texels, dtype=wp.vec3ub, device=device)
    bank.levels = wp.array(np.array(table, np.int32).reshape(-1, 3), dtype=wp.vec3i, device=device)
    bank.linear = wp.array(srgb_table(), dtype=wp.float32, device=device)
    bank.first_picture_level = first_picture
    bank.picture_levels = (len(levels) - first_picture) // max(1, len(pictures))
    return bank, records


def face_rows(mesh: Mesh) -> tuple[NDArray[np.float32], bool]:
    """(F, FACE_ROWS, 4), see `Bank.faces`, and whether the mesh is closed."""
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    joined = merged(mesh.vertices, mesh.faces)
    closed = (
        is_closed(joined) and float(np.einsum("fi,fi->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2]))) > 0
    )
    along, across = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    normal = np.cross(along, across)
    square = np.einsum("fi,fi->f", normal, normal)[:, None]
    # Gradients of the second and third barycentric coordinate; a face without area has none.
    inverse = np.where(square > 0, 1 / np.where(square > 0, square, 1), 0)
    second, third = np.cross(across, normal) * inverse, np.cross(normal, along) * inverse
    rows = np.zeros((len(corners), FACE_ROWS, 4))
    rows[:, PLANE, :3] = normal * np.sqrt(inverse)
    rows[:, PLANE, 3] = -np.einsum("fi,fi->f", rows[:, PLANE, :3], corners[:, 0])

    def vary(values: NDArray) -> NDArray:
        """(F, N, 4) affine functions that take the values (F, 3, N) at the corners."""
        start, one, two = values[:, 0], values[:, 1] - values[:, 0], values[:, 2] - values[:, 0]
        gradient = one[..., None] * second[:, None] + two[..., None] * third[:, None]
        constant = start - np.einsum("fni,fi->fn", gradient, corners[:, 0])
        return np.concatenate([gradient, constant[..., None]], -1)

    rows[:, SMOOTH : SMOOTH + 3] = vary(corner_normals(corners, joined))
    if mesh.texture is not None and mesh.uv is not None:
        rows[:, PAINT : PAINT + 2] = vary(mesh.uv.astype(np.float64) * (1, -1) + (0, 1))
    elif mesh.vertex_colors is not None:
        rows[:, PAINT : PAINT + 3] = vary(srgb_table()[mesh.vertex_colors[mesh.faces]].astype(np.float64))
    return rows.astype(np.float32), closed


def _texels_per_metre(mesh: Mesh) -> float:
    """Of the finest level, as a mean over the surface."""
    assert mesh.texture is not None and mesh.uv is not None
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum()
    texels = mesh.uv.astype(np.float64) * (mesh.texture.shape[1], mesh.texture.shape[0])
    a, b = (texels[:, 1] - texels[:, 0]).T, (texels[:, 2] - texels[:, 0]).T
    return float(np.sqrt(np.abs(a[0] * b[1] - a[1] * b[0]).sum() / max(area, 1e-30)))
