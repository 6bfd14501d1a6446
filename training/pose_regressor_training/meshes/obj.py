"""Reads OBJ: triangles and polygons, with the materials of its MTL files or vertex colours."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from trimesh.visual.texture import unmerge_faces

from pose_regressor.types import FloatArray, InputError
from pose_regressor_training.meshes.materials import Material, read_materials
from pose_regressor_training.meshes.obj_file import ObjFaces, ObjFile
from pose_regressor_training.meshes.part import GREY, Part, color_codes
from pose_regressor_training.meshes.pictures import REMEDY, find_file, repeating, text, texts
from pose_regressor_training.meshes.polygons import triangles

#: Materials below this opacity are said to be drawn opaque.
OPAQUE = 0.95


def read_obj(path: Path, colored: bool = True) -> list[Part]:
    """One part for each material.

    colored: False leaves materials, textures and vertex colours out

    Raises InputError for files that are broken, or name pictures or materials that are not there.
    """
    file = ObjFile(path)
    if not file.faces or not file.counts[b"v"]:
        return []
    table = np.concatenate(file.tables[b"v"])
    vertices = table[:, :3]
    places = np.concatenate(file.tables[b"vt"] or [np.zeros((0, 3))])[:, :2]
    places = np.where(np.isnan(places), [np.nan, 0.0], places)  # `vt u` alone is on the lowest row
    colors = _vertex_colors(file, table) if colored else None
    materials = _materials(file, path) if colored else {}
    parts: list[Part] = []
    for name, faces in file.faces.items():
        found = _material(name, materials)
        parts += _parts(path, vertices, places if colored else places[:0], colors, faces, found)
    if not any(part.texture is not None for part in parts):
        _check_no_picture_is_meant(path, materials, list(file.faces))
    if colored and colors is None:
        _say_what_is_grey(path, file, materials)
    return parts


def _vertex_colors(file: ObjFile, table: FloatArray) -> NDArray[np.uint8] | None:
    """(V, 3) codes of `v x y z r g b`, with a weight before the colour or alpha behind it; None if there are none."""
    whole, path = file.painted, file.path
    if len(whole) == 8 * len(table):
        with suppress(ValueError):
            return np.frombuffer(bytes.fromhex(whole.decode("ascii", "replace")), np.uint8).reshape(-1, 4)[:, 1:]
    seven = ~np.isnan(table[:, 6])
    weighted = seven & bool((table[seven, 3] == 1).all())
    colors = np.where(weighted[:, None], table[:, 4:7], table[:, 3:6])
    without = np.isnan(colors).any(1)
    if without.all():
        return None
    codes = np.full((len(table), 3), GREY, np.uint8)
    codes[~without] = color_codes(colors[~without], path)
    if without.any():
        warnings.warn(
            f"mesh {path}: {without.sum()} of {len(table)} vertices have no colour; they are grey", stacklevel=4
        )
    return codes


def _say_what_is_grey(path: Path, file: ObjFile, materials: dict[bytes, Material]) -> None:
    """Warn of faces that are grey although the file seems to mean more."""
    for name, faces in file.faces.items():
        if _material(name, materials) is not None:
            continue
        if name is not None and file.libraries:
            warnings.warn(
                f"mesh {path}: material {text(name)!r} is in none of its material files; its faces are grey",
                stacklevel=4,
            )
        elif all((place >= 0).all() for place in faces.place):
            warnings.warn(
                f"mesh {path}: has texture coordinates, but no material that names a picture; its faces are grey",
                stacklevel=4,
            )


def _materials(file: ObjFile, path: Path) -> dict[bytes, Material]:
    found: dict[bytes, Material] = {}
    for line in file.libraries:
        whole = find_file(path.parent, line)
        names = [line] if whole else line.split()
        for name in names:
            library = whole or find_file(path.parent, name)
            if library is None:
                raise InputError(
                    f"mesh {path}: its material file {path.parent / text(line if len(names) == 1 else name)} is not "
                    "there; put it beside the mesh, or give --color for a part in one colour"
                )
            for key, material in read_materials(library).items():
                found.setdefault(key, material)
    return found


def _material(name: bytes | None, materials: dict[bytes, Material]) -> Material | None:
    """The material of that name, also if the two files are in different encodings, or add a comment."""
    if name is None:
        return None
    if name in materials:
        return materials[name]
    meanings = set(texts(name))
    for key, material in materials.items():
        if not meanings.isdisjoint(texts(key)):
            return material
    alike = [material for key, material in materials.items() if key.lower() == name.lower()]
    return alike[0] if len(alike) == 1 else materials.get(name.split(b"#")[0].strip())


def _parts(
    path: Path,
    vertices: FloatArray,
    places: FloatArray,
    colors: NDArray[np.uint8] | None,
    faces: ObjFaces,
    material: Material | None,
) -> list[Part]:
    """The faces of one material: those on its picture, and those without texture coordinates."""
    counts, corners = np.concatenate(faces.counts), np.concatenate(faces.vertex)
    place, normal = np.concatenate(faces.place), np.concatenate(faces.normal)
    if len(corners) and not 0 <= corners.min() <= corners.max() < len(vertices):
        worst = corners.max() + 1 if corners.min() >= 0 else corners.min() + 1
        raise InputError(f"mesh {path}: a face names vertex {worst} of {len(vertices)}")
    cut = triangles(vertices, counts, corners)
    if not len(cut):
        return []
    texture = material.pixels(path) if material is not None else None
    name = material.name if material is not None else ""
    if material is not None and material.opacity < OPAQUE:
        warnings.warn(
            f"mesh {path}: material {name!r} is transparent (d {material.opacity:g}); it is drawn opaque", stacklevel=5
        )
    if material is None or material.picture is None or texture is None:
        return [_plain(vertices, corners[cut], colors, material, name)]
    if place.max(initial=-1) >= len(places):
        raise InputError(f"mesh {path}: a face names texture coordinate {place.max() + 1} of {len(places)}")
    mapped = (place[cut] >= 0).all(1)
    if not mapped.any():
        raise InputError(
            f"mesh {path}: material {name!r} names the picture {material.picture_name}, but its faces have no texture "
            "coordinates ('vt'): export them (UV unwrap), or give --color for a part in one colour"
        )
    parts = []
    own = cut[mapped]
    extra = [normal[own]] if (normal[own] >= 0).all() else []
    joined, *kept = unmerge_faces(corners[own], place[own], *extra)
    uv = places[kept[1]] * material.picture.scale + material.picture.offset
    beyond = "clamp" if material.picture.clamped else "repeat"
    texture, uv = repeating(texture, uv, (beyond, beyond), path)
    parts.append(Part(vertices[kept[0]], joined, texture, uv, None, name, material.picture_name))
    if not mapped.all():
        plain = _plain(vertices, corners[cut[~mapped]], None, material, name)
        assert plain.colors is not None
        code = bytes(plain.colors[0]).hex()
        warnings.warn(
            f"mesh {path}: {len(plain.faces)} of {len(cut)} triangles of material {name!r} have no texture "
            f"coordinates; they get its plain colour #{code}",
            stacklevel=5,
        )
        parts.append(plain)
    return parts


def _plain(
    vertices: FloatArray,
    faces: NDArray[np.int64],
    colors: NDArray[np.uint8] | None,
    material: Material | None,
    name: str,
) -> Part:
    """Faces without a picture: in the vertices' colours, times that of the material."""
    used, faces = np.unique(faces, return_inverse=True)
    faces = faces.reshape(-1, 3)
    plain = np.full(3, GREY, np.uint8) if material is None else material.color(GREY)
    codes = np.tile(plain, (len(used), 1))
    if colors is not None:
        codes = colors[used]
        if material is not None and material.diffuse is not None:
            codes = (plain / 255 * codes + 0.5).astype(np.uint8)
    return Part(vertices[used], faces, None, None, codes, name)


def _check_no_picture_is_meant(path: Path, materials: dict[bytes, Material], used: Sequence[bytes | None]) -> None:
    """Raises InputError if the material files name pictures, which no face uses."""
    named = [material for material in materials.values() if material.picture]
    if named:
        names = sorted(text(name) for name in used if name is not None)
        raise InputError(
            f"mesh {path}: its material {named[0].name!r} names the picture {named[0].picture_name}, but no face uses "
            f"that material ({'they use ' + ', '.join(map(repr, names)) if names else 'there is no usemtl line'}): add "
            f"'usemtl {named[0].name}' before the faces, or give --color; {REMEDY.split(',')[0]} if it is another one"
        )
