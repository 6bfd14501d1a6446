"""Reads COLLADA (.dae), as robots' URDF files name it, with its unit and its up axis."""

from __future__ import annotations

import io
import re
import urllib.parse
import warnings
from pathlib import Path
from typing import Any

import collada
import numpy as np
from numpy.typing import NDArray

from pose_regressor.types import FloatArray, InputError
from pose_regressor_training.meshes.part import GREY, Part, check_pictures_used, color_codes
from pose_regressor_training.meshes.pictures import REMEDY, find_file, open_picture, wrapped
from pose_regressor_training.meshes.polygons import triangles

#: To the frame of ROS, z up (COLLADA 1.4.1, up_axis: right, up and inwards of each).
Z_UP_FROM = {
    "X_UP": np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]]),
    "Y_UP": np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]),
    "Z_UP": np.eye(3),
}


def read_dae(path: Path, colored: bool = True) -> tuple[list[Part], float]:
    """The parts in the file's unit with z up, and metres a unit.

    colored: False leaves materials, pictures and vertex colours out

    Raises InputError for files that are broken, or name pictures that are not there.
    """
    data = path.read_bytes()
    if b"<!ENTITY" in data:
        raise InputError(f"mesh {path}: cannot be read: expected COLLADA without entities of its own")
    file = _parsed(data, path, colored)
    metres = file.assetInfo.unitmeter
    metres = 1.0 if metres is None else float(metres)
    if not 0 < metres < np.inf:
        raise InputError(f"mesh {path}: expected a unit of so many metres, got {metres:g}")
    turn = Z_UP_FROM.get(str(file.assetInfo.upaxis), Z_UP_FROM["Y_UP"])
    parts: list[Part] = []
    for bound in _scene(file, path).objects("geometry"):
        for primitive in bound.original.primitives:
            node = bound.materialnodebysymbol.get(primitive.material)
            material = node.target if node is not None else file.materials.get(str(primitive.material))
            place = np.asarray(bound.matrix, np.float64)
            parts += _primitive(path, primitive, turn, place, node, material if colored else None, colored)
    if colored:
        named = [m for m in file.materials if isinstance(_diffuse(m.effect), collada.material.Map)]
        check_pictures_used(path, [str(material.name or material.id) for material in named], parts)
    return parts, metres


def _parsed(data: bytes, path: Path, colored: bool) -> Any:
    """The file as pycollada reads it, without what it would pass over, and then lack the shape or a part of it."""
    data = re.sub(rb"<linestrips\b.*?</linestrips>", b"", data, flags=re.S)
    if not colored:
        data = re.sub(
            rb"<(library_images|library_effects|library_materials|bind_material)\b.*?</\1>", b"", data, flags=re.S
        )
    file = collada.Collada(io.BytesIO(data), ignore=[collada.common.DaeUnsupportedError])
    if file.xmlnode.find(f".//{file.tag('polygons')}/{file.tag('ph')}") is not None:
        raise InputError(
            f"mesh {path}: has polygons with holes (<ph>), which are not read here: export it as triangles"
        )
    return file


def _scene(file: Any, path: Path) -> Any:
    """The scene that is shown. Raises InputError if there is none, or a skeleton or a morph shapes something in it."""
    scene = file.scene if file.scene is not None or len(file.scenes) != 1 else file.scenes[0]
    if scene is None:
        raise InputError(f"mesh {path}: expected a scene that is shown (<instance_visual_scene>): export it anew")
    if next(scene.objects("controller"), None) is not None:
        raise InputError(
            f"mesh {path}: has a mesh that a skeleton or a morph shapes (<instance_controller>), which is not read "
            "here: apply it before the export (Blender: Convert to Mesh), or export it as GLB"
        )
    return scene


def _primitive(
    path: Path, primitive: Any, turn: FloatArray, matrix: FloatArray, node: Any, material: Any, colored: bool
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
    name = "" if material is None else str(material.name or material.id or "")
    diffuse = None if material is None else _diffuse(material.effect)
    if isinstance(diffuse, collada.material.Map):
        picture, title = _picture(path, diffuse, name)
        uv = _uv(path, primitive, node, diffuse, title, name, len(index))[cut].reshape(-1, 2)
        picture, uv = wrapped(picture, uv, _wrapping(diffuse), path)
        return [Part(corners, faces, picture, uv, None, name, title)]
    colors = _vertex_colors(path, primitive, cut)
    if colors is None:
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


def _picture(path: Path, diffuse: Any, name: str) -> tuple[NDArray[np.uint8], str]:
    image = diffuse.sampler.surface.image
    references = [element.text for element in image.xmlnode.iter() if element.tag.endswith("}ref")]  # COLLADA 1.5
    title = urllib.parse.unquote(str(image.path or next(iter(references), ""))).strip().removeprefix("file://")
    file = find_file(path.parent, title.encode()) or find_file(path.parent.parent, title.encode())
    if file is None:
        raise InputError(f"mesh {path}: its texture {path.parent / title} is not there (material {name!r}); {REMEDY}")
    return open_picture(file, path, str(file)), title


def _wrapping(diffuse: Any) -> tuple[str, str]:
    """What is beyond the picture to the sides, and above and below."""
    modes = {"CLAMP": "clamp", "BORDER": "clamp", "MIRROR": "mirror"}
    sampler = diffuse.sampler.xmlnode
    texts = [str(sampler.findtext(f".//{{*}}wrap_{axis}")).strip() for axis in "st"]
    return modes.get(texts[0], "repeat"), modes.get(texts[1], "repeat")


def _uv(path: Path, primitive: Any, node: Any, diffuse: Any, title: str, name: str, count: int) -> FloatArray:
    """(C, 2) of the list's corners: the set that the material's input names, else the first."""
    sets = primitive.texcoordset
    if not len(sets):
        raise InputError(
            f"mesh {path}: material {name!r} names the picture {title}, but its triangles have no texture coordinates: "
            "export them (UVs), or give --color for a part in one colour"
        )
    chosen = 0
    wanted = [number for symbol, _, number in (node.inputs if node else ()) if symbol == diffuse.texcoord]
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
