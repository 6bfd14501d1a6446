"""Reads glTF 2.0 (.gltf and .glb): the meshes of its scene with their materials."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from pose_regressor.color import srgb_from_linear, srgb_table
from pose_regressor.types import FloatArray, InputError
from pose_regressor_training.meshes.bake import multiplied
from pose_regressor_training.meshes.gltf_file import GltfFile
from pose_regressor_training.meshes.gltf_shape import morphed, skinned
from pose_regressor_training.meshes.part import GREY, Part, check_pictures_used, shares
from pose_regressor_training.meshes.pictures import wrapped
from pose_regressor_training.meshes.polygons import strip_triangles

TRIANGLES, STRIP, FAN = 4, 5, 6
WEBP, SPECULAR = "EXT_texture_webp", "KHR_materials_pbrSpecularGlossiness"
#: What is beyond a picture, by the code in its sampler.
WRAPPING = {10497: "repeat", 33071: "clamp", 33648: "mirror"}
#: Nodes below each other, at most.
DEEPEST = 200


def read_gltf(path: Path, colored: bool = True) -> list[Part]:
    """One part for each primitive of each node's mesh, in metres, placed by the nodes.

    colored: False leaves materials and vertex colours out

    Raises InputError for files that are broken or need extensions that are not known here.
    """
    file = GltfFile(path)
    worlds = _worlds(file)
    parts: list[Part] = []
    for number, matrix in worlds.items():
        node = file.item("nodes", number)
        if "mesh" in node:
            parts += _mesh(file, node, matrix, worlds, colored)
    if not file.content.get("nodes"):
        for mesh in range(len(file.content.get("meshes", []))):
            parts += _mesh(file, {"mesh": mesh}, np.eye(4), {}, colored)
    if colored:
        named = [m for m in file.content.get("materials", []) if _base(m)[1] is not None]
        check_pictures_used(path, [str(material.get("name", "")) for material in named], parts)
    return parts


def _worlds(file: GltfFile) -> dict[int, FloatArray]:
    """(4, 4) place of each node in the scene that is shown first."""
    nodes = file.content.get("nodes", [])
    if not nodes:
        return {}
    if scenes := file.content.get("scenes"):
        roots = scenes[file.content.get("scene", 0)].get("nodes", [])
    else:
        below = {child for node in nodes for child in node.get("children", [])}
        roots = [index for index in range(len(nodes)) if index not in below]
    placed: dict[int, FloatArray] = {}
    waiting = [(root, np.eye(4), 0) for root in reversed(roots)]
    while waiting:
        index, parent, depth = waiting.pop()
        if index in placed or depth > DEEPEST:
            raise InputError(f"mesh {file.path}: cannot be read: its nodes form no tree")
        node = file.item("nodes", index)
        if "EXT_mesh_gpu_instancing" in node.get("extensions", {}):
            file.refuse("EXT_mesh_gpu_instancing")
        matrix = placed[index] = parent @ _matrix(node)
        waiting += [(child, matrix, depth + 1) for child in reversed(node.get("children", []))]
    return placed


def _matrix(node: dict[str, Any]) -> FloatArray:
    """(4, 4) of a node within its parent."""
    if "matrix" in node:
        return np.array(node["matrix"], np.float64).reshape(4, 4).T
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_quat(np.array(node.get("rotation", (0, 0, 0, 1)), np.float64)).as_matrix()
    matrix[:3, :3] *= np.array(node.get("scale", (1, 1, 1)), np.float64).reshape(3)
    matrix[:3, 3] = node.get("translation", (0, 0, 0))
    return matrix


def _mesh(
    file: GltfFile, node: dict[str, Any], matrix: FloatArray, worlds: dict[int, FloatArray], colored: bool
) -> list[Part]:
    """The parts of the node's mesh. matrix: (4, 4) of the node; worlds: of all nodes."""
    mesh = file.item("meshes", node["mesh"])
    skin = file.item("skins", node["skin"]) if "skin" in node else None

    def placed(vertices: FloatArray, primitive: dict[str, Any]) -> tuple[FloatArray, bool]:
        vertices = morphed(file, vertices, primitive, mesh, node)
        if skin is not None:
            return skinned(file, vertices, primitive["attributes"], skin, worlds)
        return vertices @ matrix[:3, :3].T + matrix[:3, 3], bool(np.linalg.det(matrix[:3, :3]) < 0)

    return [part for primitive in mesh["primitives"] for part in _primitive(file, primitive, placed, colored)]


def _primitive(
    file: GltfFile,
    primitive: dict[str, Any],
    placed: Callable[[FloatArray, dict[str, Any]], tuple[FloatArray, bool]],
    colored: bool,
) -> list[Part]:
    """The primitive as one part or several.

    placed: gives the vertices (V, 3) in the scene, and whether they are mirrored
    """
    mode = primitive.get("mode", TRIANGLES)
    if mode not in (TRIANGLES, STRIP, FAN):
        return []  # points and lines
    attributes = primitive["attributes"]
    _check_compression(file, primitive)
    if "POSITION" not in attributes:
        return []
    vertices = file.columns(attributes["POSITION"], 3).astype(np.float64)
    order = file.accessor(primitive["indices"])[:, 0] if "indices" in primitive else np.arange(len(vertices))
    faces = _faces(order.astype(np.int64), mode)
    if not len(faces):
        return []
    if faces.max() >= len(vertices) or faces.min() < 0:
        raise InputError(f"mesh {file.path}: a face names vertex {faces.max()} of {len(vertices)}")
    vertices, mirrored = placed(vertices, primitive)
    if mirrored:
        faces = faces[:, ::-1]  # a mirror turns faces inside out
    if not colored:
        return [Part(vertices, faces, None, None, np.full((len(vertices), 3), GREY, np.uint8))]
    material = file.item("materials", primitive["material"]) if "material" in primitive else None
    light = _vertex_light(file, attributes, len(vertices))
    return _painted(file, vertices, faces, material, attributes, light)


def _check_compression(file: GltfFile, primitive: dict[str, Any]) -> None:
    """Raises InputError for compressed geometry without a plain copy beside it."""
    for name in primitive.get("extensions", {}):
        if "compression" in name:
            plain = file.item("accessors", primitive["attributes"].get("POSITION"))
            if "bufferView" not in plain:
                file.refuse(name)


def _faces(order: NDArray[np.int64], mode: int) -> NDArray[np.int64]:
    if mode == STRIP:
        return strip_triangles(order)
    if mode == FAN and len(order) > 2:
        return np.stack([order[1:-1], order[2:], np.full(len(order) - 2, order[0])], 1)
    return order[: len(order) // 3 * 3].reshape(-1, 3)


def _vertex_light(file: GltfFile, attributes: dict[str, Any], count: int) -> FloatArray | None:
    """(V, 3) linear colours of the vertices; None if all are white."""
    if "COLOR_0" not in attributes:
        return None
    values = file.columns(attributes["COLOR_0"], 3)
    if len(values) != count:
        raise InputError(f"mesh {file.path}: expected a colour for each of {count} vertices, got {len(values)}")
    light = shares(values, file.path)
    return None if (light > 0.999).all() else light


def _painted(
    file: GltfFile,
    vertices: FloatArray,
    faces: NDArray[np.int64],
    material: dict[str, Any] | None,
    attributes: dict[str, Any],
    light: FloatArray | None,
) -> list[Part]:
    """The part with its picture or plain colour, times the colours of its vertices."""
    name = str((material or {}).get("name", ""))
    factor, texture = _base(material or {})
    if texture is None:
        if material is None and light is None:
            return [Part(vertices, faces, None, None, np.full((len(vertices), 3), GREY, np.uint8))]
        whole = np.ones_like(vertices) if light is None else light
        return [Part(vertices, faces, None, None, srgb_from_linear(whole * factor), name)]
    picture, title = file.picture(_source(file, texture))
    uv = _texture_coordinates(file, texture, attributes, name, len(vertices))
    uv = np.stack([uv[:, 0], 1 - uv[:, 1]], 1)
    picture, uv = wrapped(picture, uv, _wrapping(file, texture), file.path)
    part = Part(vertices, faces, _times(picture, factor), uv, None, name, title)
    return [part] if light is None else multiplied(part, light, file.path)


def _base(material: dict[str, Any]) -> tuple[FloatArray, dict[str, Any] | None]:
    """Linear base colour (3,) of a material, and its texture. What only shines counts as its colour."""
    plain = material.get("pbrMetallicRoughness", {})
    factor, texture = plain.get("baseColorFactor", (1, 1, 1, 1)), plain.get("baseColorTexture")
    if specular := material.get("extensions", {}).get(SPECULAR):
        factor, texture = specular.get("diffuseFactor", factor), specular.get("diffuseTexture", texture)
    if texture is None and material.get("emissiveTexture") is not None:
        factor, texture = material.get("emissiveFactor", (1, 1, 1)), material["emissiveTexture"]
        if not np.any(factor):
            factor = (1, 1, 1)
    return np.clip(np.array(factor[:3], np.float64).reshape(3), 0, 1), texture


def _source(file: GltfFile, info: dict[str, Any]) -> Any:
    """The image of a texture. Raises InputError if only an extension knows it."""
    texture = file.item("textures", info["index"])
    extensions = texture.get("extensions", {})
    if "source" in extensions.get(WEBP, {}):
        return extensions[WEBP]["source"]
    if "source" not in texture:
        file.refuse(next(iter(extensions), "for a texture without an image"))
    return texture["source"]


def _wrapping(file: GltfFile, info: dict[str, Any]) -> tuple[str, str]:
    """What is beyond the picture to the sides, and above and below."""
    texture = file.item("textures", info["index"])
    sampler = file.item("samplers", texture["sampler"]) if "sampler" in texture else {}
    return WRAPPING.get(sampler.get("wrapS", 10497), "repeat"), WRAPPING.get(sampler.get("wrapT", 10497), "repeat")


def _texture_coordinates(
    file: GltfFile, info: dict[str, Any], attributes: dict[str, Any], name: str, count: int
) -> FloatArray:
    """(V, 2) on the picture, v downwards, moved by KHR_texture_transform."""
    transform = info.get("extensions", {}).get("KHR_texture_transform", {})
    chosen = f"TEXCOORD_{transform.get('texCoord', info.get('texCoord', 0))}"
    if chosen not in attributes:
        raise InputError(
            f"mesh {file.path}: material {name!r} names a picture, but its triangles have no {chosen}: export texture "
            "coordinates (UVs), or give --color for a part in one colour"
        )
    uv = file.columns(attributes[chosen], 2).astype(np.float64)
    if len(uv) != count or not np.isfinite(uv).all():
        raise InputError(f"mesh {file.path}: expected finite texture coordinates, one a vertex")
    cos, sin = np.cos(transform.get("rotation", 0)), np.sin(transform.get("rotation", 0))
    uv = uv * np.array(transform.get("scale", (1, 1)), np.float64).reshape(2)
    # Counter-clockwise as seen on the picture, whose v points down: as Khronos' own viewer has it.
    uv = uv @ np.array([[cos, -sin], [sin, cos]])
    return uv + np.array(transform.get("offset", (0, 0)), np.float64).reshape(2)


def _times(picture: NDArray[np.uint8], factor: FloatArray) -> NDArray[np.uint8]:
    """The picture's light times a linear colour."""
    if (factor > 0.999).all():
        return picture
    codes = srgb_from_linear(srgb_table()[:, None] * factor)
    return np.stack([codes[:, i][picture[..., i]] for i in range(3)], -1)
