"""Points of a mesh with normals and colours, which the runtime compares with the image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import trimesh
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from pose_regressor.color import srgb_table
from pose_regressor.estimation.refine_colors import BLURS, DIAMETER, POINTS
from pose_regressor.types import FloatArray, ObjectModel
from pose_regressor_training.meshes.mesh import Mesh

#: Points of the surface whose colours are averaged to those of the runtime's points, in all.
DENSE = 100_000
#: Colours are averaged over this many standard deviations of a blur, and only where normals differ by less than this
#: cosine: light is different round a corner.
REACH, SAME_SIDE = 3.0, 0.5


def with_colors(model: ObjectModel, mesh: Mesh) -> ObjectModel:
    """The model with points on the mesh's surface and the light that they reflect.

    The light is averaged by Gaussians as wide as the runtime's blurs of the image.
    """
    points, normals, _ = _sampled(mesh, max(POINTS), seed=0)
    near, towards, colors = _sampled(mesh, DENSE, seed=1)
    tree = cKDTree(near)
    blurred = np.empty((len(points), len(BLURS), 3))
    for level, blur in enumerate(BLURS):
        radius = blur / DIAMETER * model.diameter
        for row, around in enumerate(tree.query_ball_point(points, REACH * radius)):
            there = np.array(around, np.int64)
            there = there[towards[there] @ normals[row] > SAME_SIDE]
            if not len(there):  # finer than the points' spacing
                there = np.array([tree.query(points[row])[1]])
            weight = np.exp(-np.square(near[there] - points[row]).sum(1) / (2 * radius**2))
            blurred[row, level] = weight @ colors[there] / weight.sum()
    return replace(model, surface=np.concatenate([points, normals], axis=1), colors=blurred)


def _sampled(mesh: Mesh, count: int, seed: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Points (N, 3), normals (N, 3) and linear colours (N, 3), evenly over the area."""
    surface = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    points, face = trimesh.sample.sample_surface(surface, count, seed=seed)
    shares = trimesh.triangles.points_to_barycentric(surface.triangles[face], points)
    return np.asarray(points), surface.face_normals[face], _colors(mesh, face, shares)


def _colors(mesh: Mesh, face: NDArray[np.int64], shares: FloatArray) -> FloatArray:
    linear = srgb_table()
    if mesh.texture is not None and mesh.uv is not None:
        height, width = mesh.texture.shape[:2]
        u, v = (mesh.uv[face] * shares[..., None]).sum(1).T
        column, row = np.floor(u % 1 * width).astype(int), np.floor((1 - v) % 1 * height).astype(int)
        return np.asarray(linear[mesh.texture[row.clip(0, height - 1), column.clip(0, width - 1)]], np.float64)
    assert mesh.vertex_colors is not None
    return np.asarray((linear[mesh.vertex_colors[mesh.faces[face]]] * shares[..., None]).sum(1), np.float64)
