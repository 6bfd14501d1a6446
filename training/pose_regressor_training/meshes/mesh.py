"""Meshes as the renderer needs them: metres, triangles, one source of colour."""

from __future__ import annotations

import hashlib
import re
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import fast_simplification
import numpy as np
import trimesh
from numpy.typing import NDArray

from pose_regressor.types import FloatArray, InputError, ObjectModel
from pose_regressor_training.meshes.atlas import one_texture
from pose_regressor_training.meshes.extent import diameter
from pose_regressor_training.meshes.files import read_mesh_file
from pose_regressor_training.meshes.part import taken_in_words
from pose_regressor_training.meshes.topology import places

METRES_PER_UNIT = {"m": 1.0, "mm": 1e-3, "cm": 1e-2, "in": 25.4e-3}
#: Longest edge of an object, in metres.
SMALLEST, LARGEST = 0.005, 5.0
#: Thinner than this share of its length, a mesh is a sheet.
FLAT = 1e-6
#: Triangles of the shape in a bundle: enough for an outline, few enough to draw in every frame.
COARSE_FACES = 300
#: Vertices of meshes of more faces are joined first, in this many cells along the longest edge: a third of the time.
MANY_FACES, CELLS = 300_000, 200
#: So many times the wanted faces are few enough; cells are halved until there are so few.
ENOUGH, FEWEST_CELLS = 1.1, 10


@dataclass(frozen=True, eq=False)
class Mesh:
    """A triangle mesh, coloured by a texture or by vertex colours.

    vertices: (V, 3) metres
    faces: (F, 3)
    texture: (H, W, 3) uint8 RGB
    uv: (F, 3, 2) corners on the texture, v upwards as in OBJ
    vertex_colors: (V, 3) uint8 RGB, instead of a texture
    taken: in words, what was taken of the file's parts and colours; empty for a mesh of another origin
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    texture: NDArray[np.uint8] | None
    uv: NDArray[np.float32] | None
    vertex_colors: NDArray[np.uint8] | None
    taken: str = ""

    def in_words(self) -> str:
        """Size, triangles, and what was taken of the file, such as: 80 x 60 x 40 mm, 12 triangles, 1 part: ..."""
        size = " x ".join(f"{1000 * edge:.4g}" for edge in np.ptp(self.vertices, axis=0))
        triangles = f"{len(self.faces):,} triangle" + "s" * (len(self.faces) != 1)
        return f"{size} mm, {triangles}" + f", {self.taken}" * bool(self.taken)

    def digest(self) -> str:
        """A hash of the whole content: meshes that differ in anything have different ones."""
        digest = hashlib.sha256()
        for array in (self.vertices, self.faces, self.texture, self.uv, self.vertex_colors):
            digest.update(b"none" if array is None else np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:16]


def load_mesh(path: str | Path, unit: str | None = None, color: str | None = None) -> Mesh:
    """Read a mesh with its textures or vertex colours; grey if the file has no colours.

    unit: of the file, one of METRES_PER_UNIT. By default, glTF is in metres, as its standard says, and COLLADA in the
        unit that it states; for other files the unit is guessed from the size, with a warning.
    color: such as ``#b4141e``, instead of the file's colours: files of plain parts rarely hold the printed colour

    Raises InputError for a file that cannot be read or rendered.
    """
    path = Path(path)
    paint = None if color is None else _rgb(color)
    if unit is not None and unit not in METRES_PER_UNIT:
        raise InputError(f"mesh {path}: unit {unit!r} is not known, expected m, mm, cm or in")
    file = read_mesh_file(path, colored=paint is None)
    parts = file.parts
    first = np.cumsum([0, *(len(part.vertices) for part in parts)])
    vertices = np.concatenate([part.vertices for part in parts])
    faces = np.concatenate([part.faces + start for part, start in zip(parts, first, strict=False)])
    vertices = vertices * _metres(path, unit, file.metres, float(np.ptp(vertices[faces.ravel()], axis=0).max()))
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
    faces = faces[real]
    is_used = np.zeros(len(vertices), bool)
    is_used[faces] = True
    used, faces = np.flatnonzero(is_used), (np.cumsum(is_used) - 1)[faces]
    uv = None if uv is None else uv[real].astype(np.float32)
    colors = None if colors is None else colors[used]
    if paint is not None:
        texture, uv, colors = None, None, np.tile(paint, (len(used), 1))
    mesh = Mesh(vertices[used].astype(np.float32), faces.reshape(-1, 3).astype(np.int32), texture, uv, colors)
    return replace(mesh, taken=taken_in_words(parts, area, color))


def _rgb(color: str) -> NDArray[np.uint8]:
    if not re.fullmatch("#[0-9a-fA-F]{6}", color):
        raise InputError(
            f"color {color!r}: expected # and six hexadecimal digits, such as '#b4141e' for red, green, blue"
        )
    return np.frombuffer(bytes.fromhex(color[1:]), np.uint8)


def _metres(path: Path, unit: str | None, stated: float | None, extent: float) -> float:
    """Metres of one of the file's units, checked against the longest edge of the mesh in the file's numbers.

    unit: as given, stated: metres that the format or the file states
    """
    if unit is not None:
        metres, name = METRES_PER_UNIT[unit], f"in unit {unit!r}"
    elif stated is not None:
        metres, name = stated, f"in its own unit of {stated:g} m"
    else:
        guessed = "m" if extent <= LARGEST else "mm"
        metres, name = METRES_PER_UNIT[guessed], f"in unit {guessed!r}"
        if SMALLEST <= extent * metres <= LARGEST:
            warnings.warn(
                f"mesh {path}: no unit is given; taken for {guessed}, which makes it {extent * metres:.4g} m long; "
                f"--unit {', '.join(METRES_PER_UNIT)} states it",
                stacklevel=3,
            )
    size = extent * metres
    if not SMALLEST <= size <= LARGEST:
        fitting = [other for other, scale in METRES_PER_UNIT.items() if SMALLEST <= extent * scale <= LARGEST]
        would = [f"in {other!r} it would be {extent * METRES_PER_UNIT[other]:.4g} m long" for other in fitting]
        hint = f"; {', '.join(would)}" if would else ""
        raise InputError(
            f"mesh {path}: {name} it is {size:g} m long, expected {1000 * SMALLEST:g} mm to {LARGEST:g} m; "
            f"is the unit right?{hint}"
        )
    return metres


def check_solid(mesh: Mesh, what: str = "mesh") -> None:
    """Raises InputError for a sheet without thickness: what is seen of it edge on is not in the file."""
    centred = np.ascontiguousarray((mesh.vertices - mesh.vertices.mean(0, dtype=np.float64)).T)
    _, axes = np.linalg.eigh(centred @ centred.T)
    thickness, width, length = np.ptp(axes.T @ centred, axis=1)
    if thickness < FLAT * length:
        raise InputError(
            f"{what}: is flat: {1000 * length:.4g} x {1000 * width:.4g} mm without a thickness, expected a body: "
            "give it one (Blender: Solidify, 0.2 mm for a printed sheet)"
        )


def coarse_mesh(mesh: Mesh, faces: int = COARSE_FACES) -> tuple[FloatArray, NDArray[np.int64]]:
    """Vertices (V, 3) and about `faces` faces (F, 3) at most, of the same shape; the colours' seams are dropped.

    Quadric error decimation: Garland and Heckbert, SIGGRAPH 1997. It gets stuck at the poles of large round parts; then
    vertices that are close together are joined, and it goes on.
    """
    first, which = places(mesh.vertices)
    vertices, cells = mesh.vertices[first], CELLS
    corners: NDArray[np.integer] = which[mesh.faces]
    if len(corners) > MANY_FACES:
        vertices, corners = _clustered(vertices, corners, cells)
    while True:
        corners = corners[(corners != np.roll(corners, 1, axis=1)).all(1)]
        if len(corners) > faces:
            vertices, corners = fast_simplification.simplify(vertices, corners.astype(np.int32), target_count=faces)
        if len(corners) <= ENOUGH * faces or cells < FEWEST_CELLS:
            return vertices.astype(np.float64), corners.astype(np.int64)
        cells //= 2
        vertices, corners = _clustered(vertices, corners, cells)


def _clustered(
    vertices: NDArray[np.float32], faces: NDArray[np.integer], cells: int
) -> tuple[NDArray[np.float32], NDArray[np.integer]]:
    """All vertices (V, 3) in a cell become their mean. faces: (F, 3); cells: along the longest edge."""
    low, extent = vertices.min(0), np.ptp(vertices, axis=0).max()
    cell = ((vertices - low) * (cells / extent)).astype(np.int64)
    _, owner = np.unique((cell[:, 0] * (cells + 1) + cell[:, 1]) * (cells + 1) + cell[:, 2], return_inverse=True)
    count = np.bincount(owner)
    mean = np.stack([np.bincount(owner, column) / count for column in vertices.T.astype(np.float64)], 1)
    return mean.astype(np.float32), owner.reshape(-1)[faces]


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

    Raises InputError for a flat mesh.
    """
    check_solid(mesh, f"object {name}")
    surface = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    sampled, _ = trimesh.sample.sample_surface(surface, points, seed=0)
    bounds = np.stack([mesh.vertices.min(0), mesh.vertices.max(0)]).astype(np.float64)
    outermost = int(np.linalg.norm(sampled - bounds.mean(0), axis=1).argmax())
    corners = farthest_points(sampled, keypoints, outermost)
    symmetries = np.zeros((0, 4, 4)) if symmetries is None else symmetries
    extent = diameter(mesh.vertices, mesh.faces)
    return ObjectModel(name, obj_id, extent, bounds, sampled, corners, symmetries, *coarse_mesh(mesh))
