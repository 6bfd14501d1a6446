"""A mesh as evenly spread points of its surface, and quick answers to how well it covers itself after a motion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import trimesh
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from pose_regressor.types import FloatArray, InputError
from pose_regressor_training.meshes.extent import diameter
from pose_regressor_training.meshes.mesh import Mesh, check_solid

_SAMPLES = 20_000
_VOXELS = 64
#: Details of colour finer than this (in diameters) are averaged away: no scan is registered that well.
_BLUR = 0.02
_BLUR_NEIGHBOURS = 40
#: Points with which a motion is tried, in steps: a few already tell most of the motions that change much.
_TRIED = (100, 800, 4000)


@dataclass(frozen=True)
class Mismatch:
    """How a moved surface differs from the surface at rest.

    most: distance within which 95 % of its points lie, in diameters
    all: distance within which all of them lie, in diameters
    color: root mean square difference of the colours of facing points; 1 is black against white
    """

    most: float
    all: float
    color: float


class Surface:
    """Evenly spread points of a mesh.

    points: (N, 3) metres
    normals: (N, 3)
    colors: (N, 3) sRGB in [0, 1]
    centre: (3,) of the surface; every symmetry leaves it in place
    diameter: metres
    """

    def __init__(self, mesh: Mesh) -> None:
        solid = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
        if not solid.area > 0:
            raise InputError("mesh: expected triangles with an area, all of them are flat")
        check_solid(mesh)
        points, faces = trimesh.sample.sample_surface(solid, _SAMPLES, seed=0)
        self.points = np.asarray(points, np.float64)
        self.normals = np.asarray(solid.face_normals[faces], np.float64)
        self.centre = solid.triangles_center.T @ solid.area_faces / solid.area
        self.diameter = diameter(mesh.vertices, mesh.faces)
        self._tree = cKDTree(self.points)
        self.colors = self._blurred(_colors(mesh, solid, self.points, faces))
        self._volume()

    def mismatch(self, motion: FloatArray, far: float) -> Mismatch:
        """How a motion (4, 4) changes the surface.

        far: in diameters. If any point ends farther away, infinite distances are returned: far neighbours take long
            to find.
        """
        for count in _TRIED:
            moved = self.points[:count] @ motion[:3, :3].T + motion[:3, 3]
            distance, index = self._tree.query(moved, distance_upper_bound=far * self.diameter)
            if not np.isfinite(distance).all():
                return Mismatch(np.inf, np.inf, 0.0)
        off = ((self.colors[index] - self.colors[: len(index)]) ** 2).mean()
        share = distance / self.diameter
        return Mismatch(float(np.percentile(share, 95)), float(share.max()), float(np.sqrt(off)))

    def facing(self, places: FloatArray) -> NDArray[np.int64]:
        """(...) index of about the nearest point of the surface to each of the places (..., 3)."""
        voxel = np.round((places - self._corner) / self._voxel).astype(np.int64).clip(0, _VOXELS - 1)
        return self._nearest[voxel[..., 0], voxel[..., 1], voxel[..., 2]]

    def _volume(self) -> None:
        """Nearest points for the centres of the voxels of a cube that holds the object in any orientation."""
        reach = 1.05 * float(np.linalg.norm(self.points - self.centre, axis=1).max())
        self._corner, self._voxel = self.centre - reach, 2 * reach / (_VOXELS - 1)
        steps = np.stack(np.meshgrid(*[np.arange(_VOXELS)] * 3, indexing="ij"), -1)
        self._nearest = self._tree.query(self._corner + self._voxel * steps, eps=0.5)[1]

    def _blurred(self, colors: FloatArray) -> FloatArray:
        distance, index = self._tree.query(self.points, k=_BLUR_NEIGHBOURS)
        weight = np.exp(-0.5 * (distance / (_BLUR * self.diameter)) ** 2)
        return np.asarray(np.einsum("nk,nkc->nc", weight, colors[index]) / weight.sum(1, keepdims=True))


def _colors(mesh: Mesh, solid: trimesh.Trimesh, points: FloatArray, faces: NDArray) -> FloatArray:
    """(N, 3) sRGB in [0, 1] of points on `faces`; grey if the mesh has no colours."""
    weights = trimesh.triangles.points_to_barycentric(solid.triangles[faces], points)
    if mesh.texture is not None and mesh.uv is not None:
        u, v = np.einsum("ni,nij->nj", weights, mesh.uv[faces]).T
        height, width = mesh.texture.shape[:2]
        column, row = np.floor(u * width).astype(int) % width, np.floor((1 - v) * height).astype(int) % height
        return np.asarray(mesh.texture[row, column] / 255.0)
    if mesh.vertex_colors is not None:
        return np.einsum("ni,nij->nj", weights, mesh.vertex_colors[mesh.faces[faces]] / 255.0)
    return np.full((len(points), 3), 0.5)
