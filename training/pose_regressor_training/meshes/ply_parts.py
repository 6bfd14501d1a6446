"""What a PLY file's elements mean: triangles on pictures, or with colours of their vertices or faces."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pose_regressor.types import FloatArray, InputError
from pose_regressor_training.meshes.part import GREY, Part, color_codes
from pose_regressor_training.meshes.pictures import REMEDY, find_file, open_picture, text
from pose_regressor_training.meshes.ply import Element, Header, Lists, read_elements, read_header
from pose_regressor_training.meshes.polygons import strip_triangles, triangles

#: Names of texture coordinates, in the order in which they are looked for.
UV_NAMES = (
    ("s", "t"),
    ("u", "v"),
    ("texture_u", "texture_v"),
    ("texcoord_u", "texcoord_v"),
    ("texcoord_s", "texcoord_t"),
    ("s0", "t0"),
    ("u0", "v0"),
    ("tu", "tv"),
    ("uv_u", "uv_v"),
)
COLOR_NAMES = (("red", "green", "blue"), ("diffuse_red", "diffuse_green", "diffuse_blue"), ("r", "g", "b"))
#: Other names that seem to mean colours.
COLOR_LIKE = "colou?r|rgb|red|green|blue|gr[ae]y|intensity|luminance|material"
CORNER_NAMES = ("vertex_indices", "vertex_index")


def read_ply(path: Path, colored: bool = True) -> list[Part]:
    """One part for each picture, or one part.

    colored: False leaves pictures and colours out

    Raises InputError for files that are broken, or name pictures that are not there.
    """
    header = read_header(path)
    elements = read_elements(path, header)
    vertex = elements.get("vertex", Element("vertex", 0))
    if not vertex.count or not all(axis in vertex.values for axis in "xyz"):
        raise InputError(f"mesh {path}: expected vertices with x, y and z")
    vertices = np.stack([vertex.values[axis] for axis in "xyz"], 1).astype(np.float64)
    face = elements.get("face", Element("face", 0))
    cut, corners, polygon = _cut(elements, face, vertices, path)
    if not len(cut):
        return []
    if not colored:
        return [Part(vertices, corners[cut], None, None, np.full(vertices.shape, GREY, np.uint8))]
    uv = _uv(vertex, face, cut, corners, polygon, path)
    names = _pictures(header)
    if names:
        if uv is None:
            raise InputError(
                f"mesh {path}: names the picture {text(names[0])}, but has no texture coordinates that are known here "
                f"({', '.join('/'.join(pair) for pair in UV_NAMES[:4])} of vertices, texcoord of faces): export them, "
                "or give --color for a part in one colour"
            )
        return _textured(path, names, vertices, corners[cut], uv, _numbers(vertex, face, corners[cut], polygon))
    colors, of_faces = _colors(vertex, path), _face_colors(face, elements, path)
    if of_faces is not None and (colors is None or (colors == colors[0]).all()):
        own = np.repeat(of_faces[polygon], 3, 0)
        return [_unshared(vertices, corners[cut], own, np.ones(len(cut), bool))]
    if colors is not None:
        return [Part(vertices, corners[cut], None, None, colors)]
    _say_why_it_is_grey(path, uv is not None, vertex, face)
    return [Part(vertices, corners[cut], None, None, np.full(vertices.shape, GREY, np.uint8))]


def _say_why_it_is_grey(path: Path, has_uv: bool, vertex: Element, face: Element) -> None:
    """Warn if the file seems to mean more than a grey mesh."""
    unknown = [own.name for own in (*vertex.properties, *face.properties) if re.search(COLOR_LIKE, own.name)]
    if has_uv:
        warnings.warn(
            f"mesh {path}: has texture coordinates, but names no picture and has no colours, so it is grey; add the "
            "line 'comment TextureFile NAME' to its header",
            stacklevel=5,
        )
    elif unknown:
        warnings.warn(
            f"mesh {path}: its properties {', '.join(unknown)[:80]} are not known as colours here, so it is grey; "
            "expected red, green, blue",
            stacklevel=5,
        )


def _cut(
    elements: dict[str, Element], face: Element, vertices: FloatArray, path: Path
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Triangles (T, 3) as positions in the list of corners (C,), that list, and the polygon of each triangle (T,)."""
    lists = next((face.lists[name] for name in CORNER_NAMES if name in face.lists), None)
    if lists is None and "tristrips" in elements:
        return _strips(elements["tristrips"], len(vertices), path)
    if lists is None:
        return np.zeros((0, 3), np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64)
    corners = _in_range(lists.values.astype(np.int64), len(vertices), path)
    cut = triangles(vertices, lists.lengths, corners)
    return cut, corners, np.repeat(np.arange(len(lists.lengths)), lists.lengths)[cut[:, 0]]


def _strips(element: Element, count: int, path: Path) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Strips of triangles, as Stanford's scans have them: -1 begins a new one."""
    lists = next((element.lists[name] for name in CORNER_NAMES if name in element.lists), None)
    if lists is None:
        return np.zeros((0, 3), np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64)
    ends = np.cumsum(lists.lengths)[:-1]
    found = []
    for strip in np.split(lists.values.astype(np.int64), ends):
        pieces = np.split(strip, np.flatnonzero(strip < 0))
        found += [strip_triangles(piece[piece >= 0]) for piece in pieces]
    corners = _in_range(np.concatenate(found).reshape(-1), count, path)
    cut = np.arange(len(corners)).reshape(-1, 3)
    return cut, corners, np.zeros(len(cut), np.int64)


def _in_range(corners: NDArray[np.int64], count: int, path: Path) -> NDArray[np.int64]:
    if len(corners) and not 0 <= corners.min() <= corners.max() < count:
        worst = corners.max() if corners.min() >= 0 else corners.min()
        raise InputError(f"mesh {path}: a face names vertex {worst} of {count}")
    return corners


def _pictures(header: Header) -> list[bytes]:
    matches = [re.match(rb"(?i)texturefile[ \t:=]+(.+)", comment) for comment in header.comments]
    return [match[1].strip() for match in matches if match]


def _uv(
    vertex: Element, face: Element, cut: NDArray, corners: NDArray, polygon: NDArray, path: Path
) -> NDArray[np.float64] | None:
    """(T, 3, 2) texture coordinates of the triangles' corners, NaN where they have none; None if there are none."""
    wedges = face.lists.get("texcoord")
    if wedges is not None and len(wedges.values):
        return _wedge_uv(wedges, next(face.lists[name] for name in CORNER_NAMES if name in face.lists), cut, polygon)
    for u, v in UV_NAMES:
        if u in vertex.values and v in vertex.values:
            return np.stack([vertex.values[u], vertex.values[v]], 1).astype(np.float64)[corners[cut]]
    return None


def _wedge_uv(wedges: Lists, faces: Lists, cut: NDArray, polygon: NDArray) -> NDArray[np.float64]:
    """Two numbers for each corner of a polygon; other lengths are no coordinates."""
    first, start = np.cumsum(faces.lengths) - faces.lengths, np.cumsum(wedges.lengths) - wedges.lengths
    whole = (wedges.lengths == 2 * faces.lengths)[polygon]
    place = start[polygon][:, None] + 2 * (cut - first[polygon][:, None])
    uv = np.full((*cut.shape, 2), np.nan)
    uv[whole] = wedges.values[place[whole][..., None] + np.arange(2)]
    return uv


def _numbers(vertex: Element, face: Element, faces: NDArray, polygon: NDArray) -> NDArray[np.int64] | None:
    """(T,) number of each triangle's picture, negative for none; None if the file does not say."""
    for name in ("texnumber", "texture_number", "texid"):
        if name in face.values:
            return face.values[name].astype(np.int64)[polygon]
        if name in vertex.values:
            return vertex.values[name].astype(np.int64)[faces[:, 0]]
    return None


def _textured(
    path: Path,
    names: list[bytes],
    vertices: FloatArray,
    faces: NDArray[np.int64],
    uv: NDArray[np.float64],
    numbers: NDArray[np.int64] | None,
) -> list[Part]:
    if numbers is None:
        if len(set(names)) > 1:
            raise InputError(
                f"mesh {path}: names {len(names)} pictures, but no face says which is its own (texnumber): export it "
                "with one picture"
            )
        numbers = np.zeros(len(faces), np.int64)
    if numbers.max() >= len(names):
        raise InputError(f"mesh {path}: a face is on picture {numbers.max()}, but the header names {len(names)}")
    without = (numbers < 0) | ~np.isfinite(uv).all((1, 2))
    if without.all():
        raise InputError(f"mesh {path}: names the picture {text(names[0])}, but no face has texture coordinates")
    parts = []
    for number, name in enumerate(names):
        own = (numbers == number) & ~without
        if not own.any():
            continue
        file = find_file(path.parent, name)
        if file is None:
            raise InputError(f"mesh {path}: its texture {path.parent / text(name)} is not there; {REMEDY}")
        picture = open_picture(file, path, str(file))
        used = np.full((len(vertices), 2), np.nan)
        used[faces[own]] = uv[own]
        if (used[faces[own]] == uv[own]).all():  # a vertex has one place on the picture
            parts.append(Part(vertices, faces[own], picture, np.nan_to_num(used), None, "", text(name)))
        else:
            corners, count = vertices[faces[own]].reshape(-1, 3), 3 * int(own.sum())
            places = np.arange(count).reshape(-1, 3)
            parts.append(Part(corners, places, picture, uv[own].reshape(-1, 2), None, "", text(name)))
    if without.any():
        warnings.warn(
            f"mesh {path}: {without.sum()} of {len(faces)} triangles have no texture coordinates; they are grey",
            stacklevel=5,
        )
        grey = np.full((3 * len(faces), 3), GREY, np.uint8)
        parts.append(_unshared(vertices, faces, grey, without))
    return parts


def _colors(element: Element, path: Path) -> NDArray[np.uint8] | None:
    """(N, 3) colours of vertices or faces."""
    for names in COLOR_NAMES:
        if all(name in element.values for name in names):
            return color_codes(np.stack([element.values[name] for name in names], 1), path)
    return None


def _face_colors(face: Element, elements: dict[str, Element], path: Path) -> NDArray[np.uint8] | None:
    """(N, 3) colours of faces, their own or those of the materials that they name."""
    own = _colors(face, path)
    of_materials = _colors(elements["material"], path) if "material" in elements else None
    if own is not None or of_materials is None or "material_index" not in face.values:
        return own
    index = face.values["material_index"].astype(np.int64)
    if len(index) and index.max() >= len(of_materials):
        raise InputError(f"mesh {path}: a face names material {index.max()} of {len(of_materials)}")
    return np.where(index[:, None] < 0, np.uint8(GREY), of_materials[index])


def _unshared(vertices: FloatArray, faces: NDArray, colors: NDArray[np.uint8], own: NDArray[np.bool_]) -> Part:
    """Chosen faces with three vertices each of their own. colors: (3 T, 3) of all faces' corners."""
    count = 3 * int(own.sum())
    painted = colors.reshape(-1, 3, 3)[own].reshape(-1, 3)
    return Part(vertices[faces[own]].reshape(-1, 3), np.arange(count).reshape(-1, 3), None, None, painted)
