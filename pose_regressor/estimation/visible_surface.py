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
CELLS = 12
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
        points, normals = np.asfortranarray(surface[:, :3]), np.asfortranarray(surface[:, 3:])
        return cls(points, normals, model.vertices, model.faces, model.diameter)


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
    at = apply(pose, solid.points).T
    if at[2].min() < TOUCHING:
        return None
    image = camera_matrix @ at
    column, row = np.rint(image[:2] / image[2]).astype(np.intp)
    away = pose[:3, :3] @ solid.normals.T
    away *= at
    facing = away.sum(0) < -FACING * np.sqrt(np.square(at).sum(0))
    seen = np.flatnonzero(facing & (column >= 0) & (column < size) & (row >= 0) & (row < size))
    nearest = _drawn_at(row[seen], column[seen], pose, camera_matrix, size, solid)
    unhidden = seen[at[2, seen] < nearest + HIDDEN * solid.diameter]
    return _taken(solid.points, unhidden), _taken(solid.normals, unhidden)


def _taken(points: FloatArray, which: NDArray[np.intp]) -> FloatArray:
    """(N, 3) of the points, whose coordinates lie together in memory, as `compare` reads them."""
    return np.take(points.T, which, axis=1).T


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
    # Everything here is (3, N) or (N,): rows that lie together in memory are several times as fast.
    points, normals = (of.T for of in visible)
    turned = pose[:3, :3] @ points
    at = turned + pose[:3, 3:]
    if not at.size or at[2].min() < TOUCHING:
        return None
    image = camera_matrix @ at
    column, row = np.rint(image[:2] / image[2]).astype(np.intp)
    inside = (column >= 0) & (column < size) & (row >= 0) & (row < size)
    pixel = np.where(inside, row * size + column, 0)
    measured = depth.depth.ravel()[pixel]
    kept = inside & (measured > 0)
    if not kept.all():
        turned, at, normals = (np.compress(kept, of, axis=1) for of in (turned, at, normals))
        pixel, measured, row, column = (of[kept] for of in (pixel, measured, row, column))
    normal, depths = pose[:3, :3] @ normals, measured.astype(np.float64)
    (fx, skew, cx), (_, fy, cy), _ = camera_matrix
    y = (depth.y.ravel()[pixel] - cy) / fy
    x = (depth.x.ravel()[pixel] - cx - skew * y) / fx
    by_depth = normal[0] * x + normal[1] * y + normal[2]
    apart = by_depth * depths - (normal[0] * at[0] + normal[1] * at[1] + normal[2] * at[2])
    shown = probability.ravel()[pixel].astype(np.float64)
    cell = row * CELLS // size * CELLS + column * CELLS // size
    return Compared(turned.T, normal.T, apart, depths - at[2], by_depth, shown, cell, int(inside.sum()))


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
    normal = cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
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


def cross(left: FloatArray, right: FloatArray) -> FloatArray:
    """(N, 3) cross products of (N, 3) and (N, 3). NumPy's own takes several times as long for so few."""
    (a, b, c), (x, y, z) = left.T, right.T
    return np.stack([b * z - c * y, c * x - a * z, a * y - b * x]).T


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
