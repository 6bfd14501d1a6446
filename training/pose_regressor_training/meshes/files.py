"""Reads mesh files of all kinds into parts, each with one kind of colour."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path

from pose_regressor.types import InputError
from pose_regressor_training.meshes.dae import read_dae
from pose_regressor_training.meshes.gltf import read_gltf
from pose_regressor_training.meshes.obj import read_obj
from pose_regressor_training.meshes.part import Part, checked
from pose_regressor_training.meshes.pictures import stand_in
from pose_regressor_training.meshes.ply import read_header
from pose_regressor_training.meshes.ply_parts import read_ply
from pose_regressor_training.meshes.stl_off import read_off, read_stl, stl_count

GLTF = (".glb", ".gltf")
FORMATS = (".obj", ".ply", *GLTF, ".stl", ".off", ".dae")
#: What helps if a file is of another kind.
OTHERS = {
    ".step": "open it in FreeCAD and export the part as OBJ or STL",
    ".stp": "open it in FreeCAD and export the part as OBJ or STL",
    ".iges": "open it in FreeCAD and export the part as OBJ or STL",
    ".igs": "open it in FreeCAD and export the part as OBJ or STL",
    ".3mf": "open it in a slicer or in Blender and export it as OBJ or STL",
    ".fbx": "open it in Blender and export it as GLB",
    ".blend": "open it in Blender and export it as GLB",
    ".usd": "open it in Blender and export it as GLB",
    ".usdz": "open it in Blender and export it as GLB",
    ".3ds": "open it in Blender and export it as GLB",
    ".mtl": "give the OBJ that names this material file",
    **dict.fromkeys((".zip", ".zae", ".gz", ".7z", ".rar", ".tar", ".tgz", ".xz", ".bz2", ".zst"), "unpack it first"),
}
#: How files begin whatever their names end in.
BEGINNINGS = {b"glTF": ".glb", b"ply\n": ".ply", b"ply\r": ".ply"}
#: Meshes with more triangles are refused before they are read: they would take minutes and gigabytes.
MAX_TRIANGLES = 2_000_000
#: No line of a triangle is shorter, so small files need no counting.
SHORTEST_FACE = len("f 1 2 3\n")


@dataclass(frozen=True, eq=False)
class MeshFile:
    """What a mesh file holds.

    parts: of the mesh, in the file's unit
    metres: length of the file's unit; None if the format does not state it
    """

    parts: list[Part]
    metres: float | None


def read_mesh_file(path: Path, colored: bool = True) -> MeshFile:
    """Every geometry of the file with its material, placed as the file's scene places it.

    colored: False leaves pictures and colours out, so that missing ones do no harm

    Raises InputError, of one line with the remedy, for files that are broken, or name what is not there.
    """
    if not path.is_file():
        raise InputError(f"mesh {path}: no such file")
    with path.open("rb") as file:
        start = file.read(64)
    if reason := stand_in(start):
        raise InputError(f"mesh {path}: {reason}")
    kind = BEGINNINGS.get(start[:4], path.suffix.lower())
    if kind not in FORMATS:
        remedy = OTHERS.get(kind, "open it in Blender and export it as GLB, or in FreeCAD and export it as STL")
        raise InputError(f"mesh {path}: expected a file that ends in {', '.join(FORMATS)}; {remedy}")
    try:
        _check_count(_count_triangles(path, kind), path)
        read = _read(path, kind, colored)
    except InputError:
        raise
    except Exception as error:  # JSON and XML may hold anything anywhere, and readers trip over it in many ways
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise InputError(f"mesh {path}: cannot be read: {reason}") from error
    parts = [part for part in read.parts if len(part.faces)]
    if not parts:
        raise InputError(
            f"mesh {path}: expected triangles, found none (points alone need a surface first, as MeshLab makes it)"
        )
    _check_count(sum(len(part.faces) for part in parts), path)
    return MeshFile([checked(part, path) for part in parts], read.metres)


def _read(path: Path, kind: str, colored: bool) -> MeshFile:
    if kind in GLTF:
        return MeshFile(read_gltf(path, colored), 1.0)
    if kind == ".dae":
        return MeshFile(*read_dae(path, colored))
    if kind == ".obj":
        return MeshFile(read_obj(path, colored), None)
    if kind == ".ply":
        return MeshFile(read_ply(path, colored), None)
    return MeshFile(read_stl(path, colored) if kind == ".stl" else read_off(path), None)


def _check_count(count: int, path: Path) -> None:
    if count > MAX_TRIANGLES:
        raise InputError(
            f"mesh {path}: {count:,} triangles, expected at most {MAX_TRIANGLES:,}: simplify it first (Blender's "
            "Decimate, MeshLab's quadric edge collapse)"
        )


def _count_triangles(path: Path, kind: str) -> int:
    """Number of faces that the file states, found without reading all of it; 0 if it does not state one."""
    size = path.stat().st_size
    if kind == ".ply":
        return sum(element.count for element in read_header(path).elements if element.name == "face")
    if kind in GLTF:
        return _count_gltf(path)
    if kind == ".stl":
        count = stl_count(path)
        return size // 200 if count is None else min(count, size // 50)
    if size < MAX_TRIANGLES * SHORTEST_FACE:
        return 0
    with path.open("rb") as file:
        return sum(line.startswith((b"f ", b"f\t", b"3 ", b"4 ")) for line in file)


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
