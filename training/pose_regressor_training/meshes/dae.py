"""Reads COLLADA (.dae), as robots' URDF files name it, with its unit and its up axis."""

from __future__ import annotations

import io
import urllib.parse
import warnings
from pathlib import Path
from typing import Any

import collada
import numpy as np
from numpy.typing import NDArray

from pose_regressor.types import FloatArray, InputError
from pose_regressor_training.meshes.part import GREY, Part, color_codes
from pose_regressor_training.meshes.pictures import REMEDY, find_file, open_picture, repeating
from pose_regressor_training.meshes.polygons import triangles

#: To the frame of ROS, z up (COLLADA 1.4.1, up_axis: right, up and inwards of each).
Z_UP_FROM = {
    "X_UP": np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]]),
    "Y_UP": np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]),
    "Z_UP": np.eye(3),
}
#: Metres of units whose length is missing: COLLADA demands it, some programs write the name alone.
METRES = {"meter": 1.0, "decimeter": 0.1, "centimeter": 0.01, "millimeter": 0.001, "foot": 0.3048, "inch": 0.0254}
#: What is seen beyond the edges of a texture.
WRAPS = {"CLAMP": "clamp", "BORDER": "clamp", "MIRROR": "mirror"}
#: Elements that pycollada passes over, with what they are, and what helps.
PASSED_OVER = {
    "instance_controller": ("a skeleton or a morph that moves its vertices", "apply it (Blender: Modifiers, Apply)"),
    "ph": ("polygons with holes", "export triangles"),
    "skew": ("a node with a skew", "apply its transformation"),
}


def read_dae(path: Path, colored: bool = True) -> tuple[list[Part], float]:
    """The parts in the file's unit with z up, and metres a unit.

    colored: False leaves materials, pictures and vertex colours out

    Raises InputError for files that are broken, or name pictures that are not there.
    """
    data = path.read_bytes()
    if b"<!ENTITY" in data:
        raise InputError(f"mesh {path}: cannot be read: expected COLLADA without entities of its own")
    ignored = [collada.common.DaeUnsupportedError] if colored else [collada.common.DaeError]
    try:
        file = collada.Collada(io.BytesIO(data), ignore=ignored)
    except collada.common.DaeError as error:
        raise _cannot_be_read(path, error) from error
    metres = _check_whole(path, file)
    if file.scene is None:
        raise InputError(f"mesh {path}: expected a scene that shows its geometries, found none: export it with one")
    turn = Z_UP_FROM.get(str(file.assetInfo.upaxis), Z_UP_FROM["Y_UP"])
    parts: list[Part] = []
    for bound in file.scene.objects("geometry"):
        for primitive in bound.original.primitives:
            nodes = bound.materialnodebysymbol
            parts += _primitive(path, primitive, turn, np.asarray(bound.matrix, np.float64), nodes, colored)
    return parts, metres


def _check_whole(path: Path, file: collada.Collada) -> float:
    """Metres of the file's unit. Raises InputError if pycollada passes over a part of the file's shape."""
    root = file.xmlnode.getroot()
    found: dict[str, list[Any]] = {}
    for element in root.iter():
        found.setdefault(str(element.tag).rpartition("}")[2], []).append(element)
    for name, (what, remedy) in PASSED_OVER.items():
        if name in found:
            raise InputError(f"mesh {path}: has {what} ({name}), which is not read here: {remedy}")
    for error in file.errors:  # those that were ignored
        if "geometry" in str(error).lower():
            raise _cannot_be_read(path, error)
    (unit, axis), *others = [_unit_and_axis(path, asset) for asset in found.get("asset", [])] or [(None, None)]
    first = (unit or 1.0, axis or "Y_UP")
    for metres, up in others:
        if (metres or first[0], up or first[1]) != first:
            raise InputError(f"mesh {path}: its parts have units or up axes of their own: export it with one for all")
    return first[0]


def _unit_and_axis(path: Path, asset: Any) -> tuple[float | None, str | None]:
    """Metres of a unit and the up axis that an asset states; None for what it leaves out."""
    inside = {str(element.tag).rpartition("}")[2]: element for element in asset}
    unit, up = inside.get("unit"), inside.get("up_axis")
    return None if unit is None else _metres(path, unit), None if up is None else str(up.text).strip()


def _metres(path: Path, unit: Any) -> float:
    stated = unit.get("meter")
    name = str(unit.get("name", "meter")).strip().lower().replace("metre", "meter")
    metres = METRES.get(name.removesuffix("s"), np.nan) if stated is None else float(stated)
    if not 0 < metres < np.inf:
        got = repr(name)[:40] if stated is None else f"{metres:g}"
        raise InputError(f"mesh {path}: expected a unit of so many metres, got {got}")
    return metres


def _cannot_be_read(path: Path, error: Exception) -> InputError:
    reason = " ".join(str(error).split())[:160]
    return InputError(f"mesh {path}: cannot be read: {reason}: export it as COLLADA 1.4.1, or as GLB")


def _primitive(
    path: Path, primitive: Any, turn: FloatArray, matrix: FloatArray, nodes: dict[str, Any], colored: bool
) -> list[Part]:
    """A list of triangles or polygons with one material; lines are left out."""
    if primitive.vertex is None or not isinstance(
        primitive, (collada.triangleset.TriangleSet, collada.polylist.Polylist)
    ):
        return []
    index = np.asarray(primitive.vertex_index, np.int64).reshape(-1)
    counts = np.asarray(getattr(primitive, "vcounts", np.full(len(index) // 3, 3)), np.int64)
    vertices = np.asarray(primitive.vertex, np.float64)
    if int(counts.sum()) != len(index) or (len(index) and not 0 <= index.min() <= index.max() < len(vertices)):
        raise InputError(f"mesh {path}: a face names a vertex that is not there")
    cut = triangles(vertices, counts, index)
    if not len(cut):
        return []
    vertices = (vertices @ matrix[:3, :3].T + matrix[:3, 3]) @ turn.T
    corners, faces = vertices[index[cut]].reshape(-1, 3), np.arange(3 * len(cut)).reshape(-1, 3)
    if np.linalg.det(matrix[:3, :3]) < 0:
        faces = faces[:, ::-1]
    if not colored:
        return [Part(corners, faces, None, None, np.full(corners.shape, GREY, np.uint8))]
    node = nodes.get(primitive.material)
    material = None if node is None else node.target
    name = "" if material is None else str(material.name or material.id or "")
    diffuse = None if material is None else _diffuse(material.effect)
    if isinstance(diffuse, collada.material.Map):
        picture, title = _picture(path, diffuse, name)
        uv = _uv(path, primitive, node, diffuse, title, name, len(index))[cut].reshape(-1, 2)
        picture, uv = repeating(picture, uv, _beyond_edges(diffuse.sampler.xmlnode), path)
        return [Part(corners, faces, picture, uv, None, name, title)]
    colors = _vertex_colors(path, primitive, cut)
    if colors is None:
        if material is None and primitive.material is not None:
            warnings.warn(
                f"mesh {path}: {len(cut)} triangles are to have the material {primitive.material!r}, which is bound to "
                "none of the file's; they are grey",
                stacklevel=4,
            )
        plain = np.full(3, GREY, np.uint8)
        if diffuse is not None:
            plain = color_codes(np.clip(np.array(diffuse[:3], np.float64), 0, 1), path)
        colors = np.tile(plain, (len(corners), 1))
    return [Part(corners, faces, None, None, colors, name)]


def _diffuse(effect: Any) -> Any:
    """A Map, a colour, or None. What only shines (a constant shader) counts as its colour."""
    if effect.diffuse is None or (effect.shadingtype == "constant" and effect.emission is not None):
        return effect.emission
    return effect.diffuse


def _beyond_edges(sampler: Any) -> tuple[str, str]:
    """What is seen beyond the edges of a texture, along u and v."""
    said = {str(element.tag).rpartition("}")[2]: str(element.text).strip() for element in sampler.iter()}
    return WRAPS.get(said.get("wrap_s", ""), "repeat"), WRAPS.get(said.get("wrap_t", ""), "repeat")


def _picture(path: Path, diffuse: Any, name: str) -> tuple[NDArray[np.uint8], str]:
    image = diffuse.sampler.surface.image
    reference = image.path or image.xmlnode.findtext(".//{*}ref") or ""  # the latter in COLLADA 1.5
    title = urllib.parse.unquote(str(reference)).strip().removeprefix("file://")
    file = find_file(path.parent, title.encode()) or find_file(path.parent.parent, title.encode())
    if file is None:
        raise InputError(f"mesh {path}: its texture {path.parent / title} is not there (material {name!r}); {REMEDY}")
    return open_picture(file, path, str(file)), title


def _uv(path: Path, primitive: Any, node: Any, diffuse: Any, title: str, name: str, count: int) -> FloatArray:
    """(C, 2) of the list's corners: the set that the material's input names, else the first."""
    sets = primitive.texcoordset
    if not len(sets):
        raise InputError(
            f"mesh {path}: material {name!r} names the picture {title}, but its triangles have no texture coordinates: "
            "export them (UVs), or give --color for a part in one colour"
        )
    chosen = 0
    wanted = [number for symbol, _, number in node.inputs if symbol == diffuse.texcoord]
    sources = [source[3] for source in primitive.sources["TEXCOORD"]]  # the number of each set, as a text
    if wanted and wanted[0] in sources:
        chosen = sources.index(wanted[0])
    elif wanted and str(wanted[0]).isdigit() and str(wanted[0]) in map(str, sources):
        chosen = list(map(str, sources)).index(str(wanted[0]))
    places = np.asarray(primitive.texcoord_indexset[chosen], np.int64).reshape(-1)
    table = np.asarray(sets[chosen], np.float64)
    if len(places) != count or (len(places) and not 0 <= places.min() <= places.max() < len(table)):
        raise InputError(f"mesh {path}: a face names a texture coordinate that is not there")
    return table[places, :2]


def _vertex_colors(path: Path, primitive: Any, cut: NDArray[np.int64]) -> NDArray[np.uint8] | None:
    sources = primitive.sources.get("COLOR") or []
    if not sources:
        return None
    offset, *_, source = sources[0]
    places = np.asarray(primitive.index, np.int64).reshape(-1, primitive.index.shape[-1])[:, offset]
    table = np.asarray(source.data, np.float64)
    if table.ndim != 2 or table.shape[1] < 3 or not 0 <= places.min() <= places.max() < len(table):
        warnings.warn(f"mesh {path}: its vertex colours cannot be read; they are left out", stacklevel=5)
        return None
    return color_codes(table[places][cut].reshape(-1, table.shape[1])[:, :3], path)
