"""Reads glTF 2.0 (.gltf and .glb): the meshes of its scene with their materials."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_regressor.color import srgb_from_linear
from pose_regressor.types import FloatArray, InputError
from pose_regressor_training.meshes.bake import multiplied, tinted
from pose_regressor_training.meshes.gltf_file import GltfFile
from pose_regressor_training.meshes.gltf_pose import morphed, placed_nodes, skinned
from pose_regressor_training.meshes.part import GREY, Part, shares
from pose_regressor_training.meshes.pictures import repeating
from pose_regressor_training.meshes.polygons import strip_triangles

TRIANGLES, STRIP, FAN = 4, 5, 6
WEBP, SPECULAR = "EXT_texture_webp", "KHR_materials_pbrSpecularGlossiness"
#: What is seen beyond the edges of a texture, by the numbers of OpenGL.
WRAPS: dict[Any, str] = {33071: "clamp", 33648: "mirror"}


def read_gltf(path: Path, colored: bool = True) -> list[Part]:
    """One part for each primitive of each node's mesh, in metres, placed by the nodes.

    colored: False leaves materials and vertex colours out

    Raises InputError for files that are broken or need extensions that are not known here.
    """
    file = GltfFile(path)
    parts: list[Part] = []
    for matrix, node in placed_nodes(file):
        for primitive in file.item("meshes", node["mesh"])["primitives"]:
            parts += _primitive(file, primitive, node, matrix, colored)
    if colored and not any(part.texture is not None for part in parts):
        _say_which_picture_is_unused(file)
    return parts


def _say_which_picture_is_unused(file: GltfFile) -> None:
    for material in file.content.get("materials", []):
        if _base(material)[1] is not None:
            name = material.get("name", "")
            warnings.warn(
                f"mesh {file.path}: no triangles have its material {name!r}, which has a picture", stacklevel=5
            )


def _primitive(
    file: GltfFile, primitive: dict[str, Any], node: dict[str, Any], matrix: FloatArray, colored: bool
) -> list[Part]:
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
    vertices = morphed(file, node, primitive, vertices)
    posed = skinned(file, node, attributes, vertices)
    mirrored = bool(np.linalg.det(matrix[:3, :3]) < 0)
    vertices, mirrored = posed or (vertices @ matrix[:3, :3].T + matrix[:3, 3], mirrored)
    if mirrored:
        faces = faces[:, ::-1]  # else they would be inside out
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
    if (alpha := str((material or {}).get("alphaMode", "OPAQUE"))) != "OPAQUE":
        warnings.warn(
            f"mesh {file.path}: material {name!r} may be transparent (alphaMode {alpha[:20]}); it is drawn opaque",
            stacklevel=7,
        )
    picture, title = file.picture(_source(file, texture))
    uv = _texture_coordinates(file, texture, attributes, name, len(vertices))
    uv = np.stack([uv[:, 0], 1 - uv[:, 1]], 1)
    picture, uv = repeating(picture, uv, _beyond_edges(file, texture), file.path)
    part = Part(vertices, faces, tinted(picture, factor), uv, None, name, title)
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


def _beyond_edges(file: GltfFile, info: dict[str, Any]) -> tuple[str, str]:
    """What is seen beyond the edges of a texture, along u and v."""
    texture = file.item("textures", info["index"])
    sampler = file.item("samplers", texture["sampler"]) if "sampler" in texture else {}
    return WRAPS.get(sampler.get("wrapS"), "repeat"), WRAPS.get(sampler.get("wrapT"), "repeat")


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
