"""The surface of an object that a camera sees under a pose, and the depth that was measured there."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_regressor.estimation.windows import DepthWindow
from pose_regressor.geometry.camera import project
from pose_regressor.geometry.rigid import apply
from pose_regressor.types import FloatArray, ObjectModel

#: Most points of the surface that are compared.
POINTS = 1500
#: A point is compared if the cosine between its normal and the direction of the camera is at least this: sensors see
#: nothing, or the wrong thing, at grazing angles.
FACING = 0.3
#: A point is hidden by the object itself if another part is drawn nearer than it by this share of the diameter.
HIDDEN = 0.04
#: Least points with measured depth, and least share of the visible surface that they are.
MIN_POINTS, MIN_SHARE = 30, 0.1
#: Cells along the edge of a crop, for points that lie side by side.
CELLS = 6
#: Least depth that is divided by, metres.
TOUCHING = 1e-6


@dataclass(frozen=True, eq=False)
class Solid:
    """The surface that is compared, and the mesh that hides parts of it.

    points, normals: (N, 3) metres and unit vectors outwards, object frame
    vertices: (V, 3) metres, object frame; faces: (F, 3), counter-clockwise from outside
    diameter: metres
    """

    points: FloatArray
    normals: FloatArray
    vertices: FloatArray
    faces: NDArray[np.int64]
    diameter: float

    @classmethod
    def of(cls, model: ObjectModel) -> Solid | None:
        """None if the object has no mesh."""
        if not len(model.faces):
            return None
        surface = model.surface[:POINTS] if len(model.surface) else _sampled(model.vertices, model.faces, POINTS)
        return cls(surface[:, :3], surface[:, 3:], model.vertices, model.faces, model.diameter)


@dataclass(frozen=True, eq=False)
class Compared:
    """N visible points of the surface, each with the depth that was measured at its pixel.

    turned: (N, 3) points relative to the object's origin, in the camera's axes
    normal: (N, 3) camera frame
    apart: (N,) distance of the measured point from the surface, along the normal, metres; positive: outside
    along: (N,) the same along the ray, as a difference of depths; positive: measured farther
    by_depth: (N,) derivative of `apart` by the measured depth
    shown: (N,) probability that the pixel shows the object
    cell: (N,) number of the cell of the crop, of CELLS x CELLS, that the pixel lies in
    visible: number of visible points in the crop, with those at which nothing was measured
    """

    turned: FloatArray
    normal: FloatArray
    apart: FloatArray
    along: FloatArray
    by_depth: FloatArray
    shown: FloatArray
    cell: NDArray[np.intp]
    visible: int

    @property
    def enough(self) -> bool:
        return len(self.apart) >= max(MIN_POINTS, MIN_SHARE * self.visible)


def visible_points(
    pose: FloatArray, camera_matrix: FloatArray, size: int, solid: Solid
) -> tuple[FloatArray, FloatArray] | None:
    """(N, 3) points of the surface that the camera sees, and their (N, 3) normals, both in the object frame; None if
    the pose reaches up to the camera.

    camera_matrix: (3, 3) of the square crop; size: its edge, pixels
    """
    at = apply(pose, solid.points)
    if at[:, 2].min() < TOUCHING:
        return None
    column, row = np.rint(project(at, camera_matrix)).astype(np.intp).T
    facing = ((solid.normals @ pose[:3, :3].T) * at).sum(1) < -FACING * np.sqrt(np.square(at).sum(1))
    seen = np.flatnonzero(facing & (column >= 0) & (column < size) & (row >= 0) & (row < size))
    nearest = _drawn_at(row[seen], column[seen], pose, camera_matrix, size, solid)
    unhidden = seen[at[seen, 2] < nearest + HIDDEN * solid.diameter]
    return solid.points[unhidden], solid.normals[unhidden]


def compare(
    pose: FloatArray,
    camera_matrix: FloatArray,
    probability: NDArray[np.float32],
    depth: DepthWindow,
    visible: tuple[FloatArray, FloatArray],
) -> Compared | None:
    """The points of the surface and what was measured there; None if one of them reaches up to the camera.

    visible: as `visible_points` has them, of a pose nearby
    """
    size = len(probability)
    points, normals = visible
    turned = points @ pose[:3, :3].T
    at = turned + pose[:3, 3]
    if not len(at) or at[:, 2].min() < TOUCHING:
        return None
    column, row = np.rint(project(at, camera_matrix)).astype(np.intp).T
    inside = (column >= 0) & (column < size) & (row >= 0) & (row < size)
    measured = depth.depth[row * inside, column * inside]
    kept = np.flatnonzero(inside & (measured > 0))
    turned, at, row, column = turned[kept], at[kept], row[kept], column[kept]
    normal, depths = normals[kept] @ pose[:3, :3].T, measured[kept].astype(np.float64)
    (fx, skew, cx), (_, fy, cy), _ = camera_matrix
    y = (depth.y[row, column] - cy) / fy
    x = (depth.x[row, column] - cx - skew * y) / fx
    by_depth = normal[:, 0] * x + normal[:, 1] * y + normal[:, 2]
    apart = by_depth * depths - (normal * at).sum(1)
    shown, cell = probability[row, column].astype(np.float64), row * CELLS // size * CELLS + column * CELLS // size
    return Compared(turned, normal, apart, depths - at[:, 2], by_depth, shown, cell, int(inside.sum()))


def _drawn_at(
    row: NDArray[np.intp],
    column: NDArray[np.intp],
    pose: FloatArray,
    camera_matrix: FloatArray,
    size: int,
    solid: Solid,
) -> FloatArray:
    """(N,) depth of the mesh at N pixels of the crop, metres; infinite where it is not.

    Only faces that look to the camera are drawn. size: edge of the square crop, pixels.
    """
    at = apply(pose, solid.vertices)
    if at[:, 2].min() < TOUCHING:
        return np.full(len(row), np.inf)
    corners = at[solid.faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    offset = np.einsum("ij,ij->i", normal, corners[:, 0])
    nearest, farthest = corners[..., 2].min(1), corners[..., 2].max(1)
    # Nearer faces are drawn over those farther away.
    faces = np.flatnonzero(offset < 0)
    faces = faces[np.argsort(-farthest[faces])]
    pixels = np.round(project(corners[faces], camera_matrix) * 16).clip(-(2**24), 2**24).astype(np.int32)
    number = np.zeros((size, size), np.int32)
    for place, triangle in enumerate(pixels, start=1):
        cv2.fillConvexPoly(number, triangle, place, shift=4)
    there = number[row, column]
    of = np.append(-1, faces)[there]
    rays = np.stack([column, row, np.ones_like(row)], axis=1) @ np.linalg.inv(camera_matrix).T
    slope = np.minimum(np.einsum("ij,ij->i", normal[of], rays), -1e-12)
    # Pixels at the border of a face may lie just outside it, where its plane runs anywhere.
    return np.where(there > 0, np.clip(offset[of] / slope, nearest[of], farthest[of]), np.inf)


def _sampled(vertices: FloatArray, faces: NDArray[np.int64], count: int) -> FloatArray:
    """(count, 6) points spread over a mesh, each with its face's unit normal; the same ones every time."""
    corners = vertices[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(normal, axis=1)
    rng = np.random.default_rng(0)
    face = rng.choice(len(faces), count, p=area / area.sum())
    shares = rng.dirichlet(np.ones(3), count)
    points = np.einsum("nk,nkd->nd", shares, corners[face])
    return np.concatenate([points, normal[face] / area[face, None]], axis=1)
