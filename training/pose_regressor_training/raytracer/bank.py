"""From meshes and pictures to the arrays that stay on the device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import warp as wp
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

from pose_regressor.color import srgb_table
from pose_regressor_training.meshes.mesh import Mesh
from pose_regressor_training.meshes.topology import corner_normals, is_closed, merged, places
from pose_regressor_training.raytracer.structs import COLOURED, FACE_DTYPE, MESH_DTYPE, TEXTURED, Bank, Face, MeshRecord
from pose_regressor_training.raytracer.textures import mip_levels

#: Corner normals closer to the face's normal than this cosine make no visible difference.
FLAT = np.cos(np.deg2rad(0.2))
#: A mesh counts as convex if it fills at least this share of its convex hull.
CONVEX = 0.9999
#: Of larger meshes, this many vertices form the hull.
HULL_VERTICES = 200_000


def fill_bank(meshes: Sequence[Mesh], hierarchies: Sequence[wp.Mesh], pictures: NDArray[np.uint8], device: str) -> Bank:
    """The arrays that kernels read, on the device."""
    records = np.zeros(len(meshes), MESH_DTYPE)
    levels: list[NDArray[np.uint8]] = []
    parts = [mesh_arrays(mesh) for mesh in meshes]
    first_face = np.cumsum([0, *(len(mesh.faces) for mesh in meshes)])
    for record, hierarchy, mesh, part, first in zip(records, hierarchies, meshes, parts, first_face, strict=False):
        record["id"], record["first_face"], record["closed"] = hierarchy.id, first, part.closed
        record["faces"] = len(mesh.faces)
        record["convex"] = part.convex
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
    texels = [level.reshape(-1, 3) for level in levels]

    def upload(arrays: list[NDArray], empty: NDArray, dtype: type) -> wp.array:
        joined = np.concatenate([empty, *arrays])
        return wp.array(joined, dtype=dtype, ndim=2 if empty.ndim == 3 else 1, device=device)

    bank = Bank()
    bank.meshes = wp.array(records, dtype=MeshRecord, device=device)
    bank.planes = upload([part.planes for part in parts], np.zeros((0, 4), np.float32), wp.vec4)
    bank.corners = upload([part.corners for part in parts], np.zeros((0, 3, 3), np.float32), wp.vec3)
    bank.faces = upload([part.faces for part in parts], np.zeros(0, FACE_DTYPE), Face)
    bank.normals = upload([part.normals for part in parts], np.zeros((0, 3, 3), np.float32), wp.vec3)
    bank.colors = upload([part.colors for part in parts], np.zeros((0, 3, 3), np.uint8), wp.vec3ub)
    bank.texels = upload(texels, np.zeros((0, 3), np.uint8), wp.vec3ub)
    bank.levels = upload([np.array(table, np.int32).reshape(-1, 3)], np.zeros((0, 3), np.int32), wp.vec3i)
    bank.linear = wp.array(srgb_table(), dtype=wp.float32, device=device)
    bank.first_picture_level = first_picture
    bank.picture_levels = (len(levels) - first_picture) // max(1, len(pictures))
    return bank


@dataclass(frozen=True, eq=False)
class MeshArrays:
    """A mesh as in `Bank`.

    planes, corners, faces, normals, colors: as there
    closed: whether it is closed, with faces turned outwards
    convex: whether it is convex
    """

    planes: NDArray[np.float32]
    corners: NDArray[np.float32]
    faces: NDArray[np.void]
    normals: NDArray[np.float32]
    colors: NDArray[np.uint8]
    closed: bool
    convex: bool


def mesh_arrays(mesh: Mesh) -> MeshArrays:
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    joined = merged(mesh.vertices, mesh.faces)
    volume = np.einsum("fi,fi->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6
    along, across = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    normal = np.cross(along, across)
    square = np.einsum("fi,fi->f", normal, normal)[:, None]
    # A face without area has no normal and no gradients.
    inverse = np.where(square > 0, 1 / np.where(square > 0, square, 1), 0)
    faces = np.zeros(len(corners), FACE_DTYPE)
    for name, gradient in (
        ("second", np.cross(across, normal) * inverse),
        ("third", np.cross(normal, along) * inverse),
    ):
        faces[name][:, :3] = gradient
        faces[name][:, 3] = -np.einsum("fi,fi->f", gradient, corners[:, 0])
    planes = np.zeros((len(corners), 4))
    planes[:, :3] = normal * np.sqrt(inverse)
    planes[:, 3] = -np.einsum("fi,fi->f", planes[:, :3], corners[:, 0])
    normals = corner_normals(mesh.vertices[mesh.faces], joined)
    faces["is_smooth"] = np.einsum("fcj,fj->fc", normals, planes[:, :3]).min(1) < FLAT
    colors = np.zeros(corners.shape, np.uint8)
    if mesh.texture is not None and mesh.uv is not None:
        for i, name in enumerate(("uv0", "uv1", "uv2")):
            faces[name] = mesh.uv[:, i] * (1, -1) + (0, 1)  # the first row of a picture file is v = 1
    elif mesh.vertex_colors is not None:
        colors = mesh.vertex_colors[mesh.faces]
    closed = bool(volume > 0 and is_closed(joined))
    convex = closed and volume > CONVEX * _hull_volume(mesh)
    single = [array.astype(np.float32) for array in (planes, corners, normals)]
    return MeshArrays(single[0], single[1], faces, single[2], colors, closed, convex)


def _hull_volume(mesh: Mesh) -> float:
    """Of the convex hull; of a round part with very many vertices, less than 1e-4 too small."""
    vertices = mesh.vertices[places(mesh.vertices)[0]]
    if len(vertices) > HULL_VERTICES:
        some = np.random.default_rng(0).choice(len(vertices), HULL_VERTICES, replace=False)
        outermost = [index for axis in vertices.T for index in (axis.argmin(), axis.argmax())]
        vertices = vertices[[*some, *outermost]]
    return float(ConvexHull(vertices).volume)


def _texels_per_metre(mesh: Mesh) -> float:
    """Of the finest level, averaged over the surface."""
    assert mesh.texture is not None and mesh.uv is not None
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum()
    texels = mesh.uv.astype(np.float64) * (mesh.texture.shape[1], mesh.texture.shape[0])
    a, b = (texels[:, 1] - texels[:, 0]).T, (texels[:, 2] - texels[:, 0]).T
    return float(np.sqrt(np.abs(a[0] * b[1] - a[1] * b[0]).sum() / max(area, 1e-30)))
