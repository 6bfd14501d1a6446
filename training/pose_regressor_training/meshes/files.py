"""Reads mesh files of all kinds into parts, each with one kind of colour."""

from __future__ import annotations

import json
import re
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import trimesh
from numpy.typing import NDArray

from pose_regressor.color import srgb_from_linear
from pose_regressor.types import InputError

GLTF = (".glb", ".gltf")
FORMATS = (".obj", ".ply", *GLTF, ".stl", ".off")
#: Meshes with more triangles are refused before they are read: they would take minutes and gigabytes.
MAX_TRIANGLES = 2_000_000
#: Colour of a mesh without colours, sRGB.
GREY = 160
#: No line of a triangle is shorter, so small files need no counting.
SHORTEST_FACE = len("f 1 2 3\n")


@dataclass(frozen=True, eq=False)
class Part:
    """A part of a mesh, with a texture or with vertex colours. Colours are uint8 sRGB.

    vertices: (V, 3) in the file's unit
    faces: (F, 3)
    texture: (H, W, 3)
    uv: (V, 2) vertices on the texture, v upwards
    colors: (V, 3), instead of a texture
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int64]
    texture: NDArray[np.uint8] | None
    uv: NDArray[np.float64] | None
    colors: NDArray[np.uint8] | None


def read_parts(path: Path) -> list[Part]:
    """Every geometry of the file with its material, placed as the file's scene places it. Raises InputError for
    other files.
    """
    if not path.is_file():
        raise InputError(f"mesh {path}: no such file")
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"mesh {path}: expected a file that ends in {', '.join(FORMATS)}")
    try:
        count = _count_triangles(path)
        if count > MAX_TRIANGLES:
            raise InputError(
                f"mesh {path}: {count:,} triangles, expected at most {MAX_TRIANGLES:,}: simplify it first (Blender's "
                "Decimate, MeshLab's quadric edge collapse)"
            )
        _check_named_files(path)
        scene = trimesh.load(path, force="scene", process=False)
        meshes = [placed for node in scene.graph.nodes_geometry if (placed := _placed(scene, node))]
    except InputError:
        raise
    except Exception as error:  # trimesh's readers raise whatever their parsers raise
        raise InputError(f"mesh {path}: cannot be read: {' '.join(str(error).split())}") from error
    if not meshes:
        raise InputError(f"mesh {path}: expected triangles, found none")
    return [_part(mesh, colors, path) for mesh, colors in meshes]


def _placed(scene: trimesh.Scene, node: str) -> tuple[trimesh.Trimesh, NDArray | None] | None:
    """A node's mesh in its place, with the vertex colours that it has beside a material; None if the node has no
    mesh.
    """
    matrix, name = scene.graph[node]
    mesh = scene.geometry[name]
    if not isinstance(mesh, trimesh.Trimesh) or not len(mesh.faces):
        return None
    # Readers of OBJ and glTF keep them in different places, one of which a copy loses.
    colors = [
        a["color"] for a in (mesh.vertex_attributes, getattr(mesh.visual, "vertex_attributes", {})) if "color" in a
    ]
    return mesh.copy().apply_transform(matrix), next(iter(colors), None)


def _part(mesh: trimesh.Trimesh, beside: NDArray | None, path: Path) -> Part:
    """beside: vertex colours that the geometry has beside a material."""
    vertices, faces = np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int64)
    if vertices.shape[1:] != (3,) or faces.shape[1:] != (3,):
        raise InputError(f"mesh {path}: expected vertices of three coordinates and triangles")
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise InputError(f"mesh {path}: a face names vertex {faces.max()} of {len(vertices)}")
    if not np.isfinite(vertices).all():
        raise InputError(f"mesh {path}: expected finite vertices, found NaN or infinity")
    visual = mesh.visual
    if isinstance(visual, trimesh.visual.TextureVisuals):
        texture = _texture(visual.material, path)
        if texture is None or visual.uv is None:
            plain = np.tile(_plain_color(visual.material), (len(vertices), 1))
            if beside is not None and len(beside) == len(vertices):
                plain = (plain / 255 * _codes(beside, path) + 0.5).astype(np.uint8)
            return Part(vertices, faces, None, None, plain)
        uv = np.asarray(visual.uv, np.float64)[:, :2]
        if len(uv) != len(vertices) or not np.isfinite(uv).all():
            raise InputError(f"mesh {path}: expected finite texture coordinates, one a vertex")
        return Part(vertices, faces, texture, uv, None)
    if visual.kind == "face":
        colors = np.repeat(np.asarray(visual.face_colors, np.uint8)[:, :3], 3, 0)
        return Part(vertices[faces].reshape(-1, 3), np.arange(3 * len(faces)).reshape(-1, 3), None, None, colors)
    if visual.kind == "vertex":
        return Part(vertices, faces, None, None, _codes(visual.vertex_colors, path))
    return Part(vertices, faces, None, None, np.full((len(vertices), 3), GREY, np.uint8))


def _codes(colors: NDArray, path: Path) -> NDArray[np.uint8]:
    """(V, 3) sRGB of vertex colours of any type. glTF's are linear, all others are sRGB."""
    values = np.asarray(colors)[:, :3]
    share = values / np.iinfo(values.dtype).max if values.dtype.kind in "ui" else np.clip(values, 0, 1)
    return srgb_from_linear(share) if path.suffix.lower() in GLTF else (255 * share + 0.5).astype(np.uint8)


def _texture(material: trimesh.visual.material.Material, path: Path) -> NDArray[np.uint8] | None:
    image = getattr(material, "baseColorTexture", None) or getattr(material, "image", None)
    if image is None:
        return None
    try:
        texture = np.asarray(image.convert("RGB"))
    except OSError as error:  # it is read only now, and may be cut off
        raise InputError(f"mesh {path}: a texture image cannot be read: {error}") from error
    factor = getattr(material, "baseColorFactor", None)
    if factor is not None and np.min(factor[:3]) < 255:
        # glTF's factors are linear. A factor of linear light is nearly a power of it on sRGB codes.
        scale = (np.asarray(factor[:3]) / 255) ** (1 / 2.2)
        texture = (texture * scale + 0.5).astype(np.uint8)
    return texture


def _plain_color(material: trimesh.visual.material.Material) -> NDArray[np.uint8]:
    factor = getattr(material, "baseColorFactor", None)
    if factor is not None:
        return srgb_from_linear(np.asarray(factor[:3]) / 255)
    diffuse = getattr(material, "diffuse", None)
    return np.full(3, GREY, np.uint8) if diffuse is None else np.asarray(diffuse[:3], np.uint8)


def _check_named_files(path: Path) -> None:
    """Raises InputError if a material file or picture that the mesh names is missing."""
    if path.suffix.lower() == ".obj":
        for library in _named(path, rb"^mtllib[ \t]+(.+?)\s*$"):
            file = path.parent / library
            if not file.is_file():
                raise InputError(f"mesh {path}: its material file {file} is not there")
            for line in _named(file, rb"^\s*map_Kd[ \t]+(.+?)\s*$"):
                # Options precede the name, which may hold spaces.
                picture = file.parent / line.replace("\\", "/")
                if not picture.is_file() and not (file.parent / line.split()[-1].replace("\\", "/")).is_file():
                    raise InputError(f"mesh {path}: its texture {picture} is not there")
    elif path.suffix.lower() == ".ply":
        for name in re.findall(rb"^comment TextureFile (.+?)\s*$", _ply_header(path), re.MULTILINE):
            picture = path.parent / name.decode(errors="replace")
            if not picture.is_file():
                raise InputError(f"mesh {path}: its texture {picture} is not there")


def _named(path: Path, pattern: bytes) -> list[str]:
    """What the pattern's group matches, line by line: mesh files are long."""
    expression = re.compile(pattern)
    with path.open("rb") as file:
        return [match[1].decode(errors="replace") for match in map(expression.match, file) if match]


def _ply_header(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(1 << 16).split(b"end_header")[0]


def _count_triangles(path: Path) -> int:
    """Number of faces that the file states, found without reading all of it; 0 if it does not state one."""
    kind, size = path.suffix.lower(), path.stat().st_size
    if kind == ".ply":
        found = re.search(rb"^element face (\d+)", _ply_header(path), re.MULTILINE)
        return int(found[1]) if found else 0
    if kind in (".glb", ".gltf"):
        return _count_gltf(path)
    if kind == ".stl":
        return max(0, size - 84) // 50 if size > 84 and _binary_stl(path, size) else size // 200
    if size < MAX_TRIANGLES * SHORTEST_FACE:
        return 0
    with path.open("rb") as file:
        return sum(line.startswith((b"f ", b"3 ", b"4 ")) for line in file)


def _binary_stl(path: Path, size: int) -> bool:
    with path.open("rb") as file:
        header = file.read(84)
    return size == 84 + 50 * struct.unpack("<I", header[80:])[0]


def _count_gltf(path: Path) -> int:
    with path.open("rb") as file:
        start = file.read(20)
        binary = start[:4] == b"glTF"
        text = file.read(struct.unpack("<I", start[12:16])[0]) if binary else start + file.read()
    content = json.loads(text)
    primitives = [primitive for mesh in content.get("meshes", []) for primitive in mesh.get("primitives", [])]
    accessors = content.get("accessors", [])
    names = [p.get("indices", p.get("attributes", {}).get("POSITION")) for p in primitives]
    return sum(accessors[name]["count"] for name in names if name is not None) // 3
