"""Meshes as the renderer wants them: metres, triangles, one colour source."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import trimesh
from numpy.typing import NDArray

from pose_regressor.types import InputError, ObjectModel

METRES_PER_UNIT = {"m": 1.0, "mm": 1e-3}
#: Longer edge of a texture; the crops that the network sees show a fraction of it.
TEXTURE_LIMIT = 1024


@dataclass(frozen=True, eq=False)
class Mesh:
    """vertices (V, 3) metres; faces (F, 3); colour either from a texture (H, W, 3) uint8 RGB with corner coordinates
    uv (F, 3, 2), v upwards as in OBJ, or from vertex_colors (V, 3) uint8.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    texture: NDArray[np.uint8] | None
    uv: NDArray[np.float32] | None
    vertex_colors: NDArray[np.uint8] | None


def load_mesh(path: str | Path, unit: str) -> Mesh:
    """Read a mesh with its texture, its vertex colours or neither (then grey); the file's `unit` is ``m`` or ``mm``."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"mesh {path}: no such file")
    if unit not in METRES_PER_UNIT:
        raise InputError(f"mesh {path}: unit {unit!r} is not known, expected m or mm")
    try:
        loaded = trimesh.load(path, force="mesh", process=False)
    except Exception as error:  # trimesh's readers raise whatever their format's parser raises
        raise InputError(f"mesh {path}: cannot be read: {error}") from error
    if not isinstance(loaded, trimesh.Trimesh) or len(loaded.faces) == 0:
        raise InputError(f"mesh {path}: expected triangles, found none")
    vertices = np.asarray(loaded.vertices, np.float64) * METRES_PER_UNIT[unit]
    if not np.isfinite(vertices).all():
        raise InputError(f"mesh {path}: expected finite vertices, found NaN or infinity")
    extent = np.ptp(vertices, axis=0).max()
    if not 0.005 <= extent <= 5:
        raise InputError(
            f"mesh {path}: in unit {unit!r} it is {extent:g} m long, expected 5 mm to 5 m; is the unit right?"
        )
    texture, uv, colors = None, None, None
    if isinstance(loaded.visual, trimesh.visual.TextureVisuals) and loaded.visual.uv is not None:
        texture = _texture(loaded.visual, path)
        uv = np.asarray(loaded.visual.uv, np.float32)[loaded.faces]
    else:
        colored = isinstance(loaded.visual, trimesh.visual.ColorVisuals) and loaded.visual.defined
        colors = np.asarray(loaded.visual.vertex_colors if colored else np.full((len(vertices), 4), 160), np.uint8)[
            :, :3
        ]
    return Mesh(vertices.astype(np.float32), np.asarray(loaded.faces, np.int32), texture, uv, colors)


def _texture(visual: trimesh.visual.TextureVisuals, path: Path) -> NDArray[np.uint8]:
    material = visual.material
    image = getattr(material, "baseColorTexture", None) or getattr(material, "image", None)
    if image is None:
        raise InputError(f"mesh {path}: its material names no texture image that could be read")
    texture = np.asarray(image.convert("RGB"))
    scale = TEXTURE_LIMIT / max(texture.shape[:2])
    if scale < 1:
        texture = cv2.resize(texture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return texture


def object_model(mesh: Mesh, name: str, obj_id: int, points: int = 1024, keypoints: int = 16) -> ObjectModel:
    """What the runtime needs of a mesh: diameter, bounds, points sampled on the surface, farthest-point keypoints."""
    surface = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    sampled, _ = trimesh.sample.sample_surface(surface, points, seed=0)
    hull = np.asarray(surface.convex_hull.vertices, np.float64)
    diameter = max(float(np.linalg.norm(hull - corner, axis=1).max()) for corner in hull)
    bounds = np.stack([mesh.vertices.min(0), mesh.vertices.max(0)]).astype(np.float64)
    chosen = [int(np.linalg.norm(sampled - bounds.mean(0), axis=1).argmax())]
    distance = np.full(len(sampled), np.inf)
    while len(chosen) < keypoints:
        distance = np.minimum(distance, np.linalg.norm(sampled - sampled[chosen[-1]], axis=1))
        chosen.append(int(distance.argmax()))
    return ObjectModel(name, obj_id, diameter, bounds, sampled, sampled[chosen])
