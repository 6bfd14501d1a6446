"""Meshes as the renderer needs them: metres, triangles, one source of colour."""

from __future__ import annotations

import hashlib
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import fast_simplification
import numpy as np
import trimesh
from numpy.typing import NDArray

from pose_regressor.types import FloatArray, InputError, ObjectModel
from pose_regressor_training.meshes.atlas import one_texture
from pose_regressor_training.meshes.files import read_parts

METRES_PER_UNIT = {"m": 1.0, "mm": 1e-3}
#: Longest edge of an object, in metres.
SMALLEST, LARGEST = 0.005, 5.0
#: Triangles of the shape in a bundle: enough for an outline, few enough to draw in every frame.
COARSE_FACES = 300


@dataclass(frozen=True, eq=False)
class Mesh:
    """A triangle mesh, coloured by a texture or by vertex colours.

    vertices: (V, 3) metres
    faces: (F, 3)
    texture: (H, W, 3) uint8 RGB
    uv: (F, 3, 2) corners on the texture, v upwards as in OBJ
    vertex_colors: (V, 3) uint8 RGB, instead of a texture
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    texture: NDArray[np.uint8] | None
    uv: NDArray[np.float32] | None
    vertex_colors: NDArray[np.uint8] | None

    def digest(self) -> str:
        """A hash of the whole content: meshes that differ in anything have different ones."""
        digest = hashlib.sha256()
        for array in (self.vertices, self.faces, self.texture, self.uv, self.vertex_colors):
            digest.update(b"none" if array is None else np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:16]


def load_mesh(path: str | Path, unit: str | None = None, color: str | None = None) -> Mesh:
    """Read a mesh with its textures or vertex colours; grey if the file has no colours.

    unit: of the file, ``m`` or ``mm``. By default, glTF is in metres, as its standard says; for other files the unit is
        guessed from the size, with a warning.
    color: such as ``#b4141e``, instead of the file's colours: files of plain parts rarely hold the printed colour

    Raises InputError for a file that cannot be read or rendered.
    """
    path = Path(path)
    paint = None if color is None else _rgb(color)
    if unit is not None and unit not in METRES_PER_UNIT:
        raise InputError(f"mesh {path}: unit {unit!r} is not known, expected m or mm")
    parts = read_parts(path)
    first = np.cumsum([0, *(len(part.vertices) for part in parts)])
    vertices = np.concatenate([part.vertices for part in parts])
    faces = np.concatenate([part.faces + start for part, start in zip(parts, first, strict=False)])
    vertices = vertices * METRES_PER_UNIT[_unit(path, unit, float(np.ptp(vertices[faces.ravel()], axis=0).max()))]
    texture = uv = colors = None
    if any(part.texture is not None for part in parts):
        texture, uv = one_texture(parts, path)
    else:
        colors = np.concatenate([part.colors for part in parts if part.colors is not None])
    corners = vertices[faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    real = area > 0
    if not real.any():
        raise InputError(f"mesh {path}: expected triangles with an area, found none")
    # Points without a triangle would enlarge the size and the box.
    used, faces = np.unique(faces[real], return_inverse=True)
    uv = None if uv is None else uv[real].astype(np.float32)
    colors = None if colors is None else colors[used]
    if paint is not None:
        texture, uv, colors = None, None, np.tile(paint, (len(used), 1))
    return Mesh(vertices[used].astype(np.float32), faces.reshape(-1, 3).astype(np.int32), texture, uv, colors)


def _rgb(color: str) -> NDArray[np.uint8]:
    if not re.fullmatch("#[0-9a-fA-F]{6}", color):
        raise InputError(
            f"color {color!r}: expected # and six hexadecimal digits, such as '#b4141e' for red, green, blue"
        )
    return np.frombuffer(bytes.fromhex(color[1:]), np.uint8)


def _unit(path: Path, unit: str | None, extent: float) -> str:
    """The unit that is meant, checked against the longest edge of the mesh in the file's numbers."""
    if unit is None:
        unit = "m" if extent <= LARGEST or path.suffix.lower() in (".glb", ".gltf") else "mm"
        size = extent * METRES_PER_UNIT[unit]
        if path.suffix.lower() not in (".glb", ".gltf") and SMALLEST <= size <= LARGEST:
            warnings.warn(
                f"mesh {path}: no unit is given; taken for {unit}, which makes it {size:.4g} m long", stacklevel=3
            )
    size = extent * METRES_PER_UNIT[unit]
    if not SMALLEST <= size <= LARGEST:
        fitting = [name for name, scale in METRES_PER_UNIT.items() if SMALLEST <= extent * scale <= LARGEST]
        hint = f"; in {fitting[0]!r} it would be {extent * METRES_PER_UNIT[fitting[0]]:g} m long" if fitting else ""
        raise InputError(
            f"mesh {path}: in unit {unit!r} it is {size:g} m long, expected {1000 * SMALLEST:g} mm to {LARGEST:g} m; "
            f"is the unit right?{hint}"
        )
    return unit


def coarse_mesh(mesh: Mesh, faces: int = COARSE_FACES) -> tuple[FloatArray, NDArray[np.int64]]:
    """Vertices (V, 3) and about `faces` faces (F, 3) at most, of the same shape; the colours' seams are dropped.

    Quadric error decimation: Garland and Heckbert, SIGGRAPH 1997.
    """
    vertices, which = np.unique(mesh.vertices, axis=0, return_inverse=True)
    corners = which.reshape(-1)[mesh.faces]
    real = (corners != np.roll(corners, 1, axis=1)).all(1)
    coarse = (vertices.astype(np.float64), corners[real].astype(np.int64))
    if real.sum() > faces:
        points, corners = fast_simplification.simplify(vertices, corners[real].astype(np.int32), target_count=faces)
        coarse = (points.astype(np.float64), corners.astype(np.int64))
    return coarse


def farthest_points(points: FloatArray, count: int, first: int = 0) -> FloatArray:
    """(count, 3) of the points (P, 3): number `first`, then always the one farthest from those before it."""
    chosen = [first]
    distance = np.full(len(points), np.inf)
    while len(chosen) < count:
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
        chosen.append(int(distance.argmax()))
    return points[chosen]


def object_model(
    mesh: Mesh, name: str, obj_id: int, symmetries: FloatArray | None = None, points: int = 1024, keypoints: int = 16
) -> ObjectModel:
    """What the runtime knows of a mesh: diameter, bounds, points and keypoints on the surface, a coarse shape.

    symmetries: (S, 4, 4) without the identity; none by default
    points: how many points are sampled
    keypoints: how many farthest-point samples
    """
    surface = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    sampled, _ = trimesh.sample.sample_surface(surface, points, seed=0)
    hull = np.asarray(surface.convex_hull.vertices, np.float64)
    diameter = max(float(np.linalg.norm(hull - corner, axis=1).max()) for corner in hull)
    bounds = np.stack([mesh.vertices.min(0), mesh.vertices.max(0)]).astype(np.float64)
    outermost = int(np.linalg.norm(sampled - bounds.mean(0), axis=1).argmax())
    corners = farthest_points(sampled, keypoints, outermost)
    symmetries = np.zeros((0, 4, 4)) if symmetries is None else symmetries
    return ObjectModel(name, obj_id, diameter, bounds, sampled, corners, symmetries, *coarse_mesh(mesh))
