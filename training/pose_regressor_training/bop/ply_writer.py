"""Meshes as BOP's models: PLY in millimetres with normals, and vertex colours or a texture in a file of its own."""

from __future__ import annotations

import io

import cv2
import numpy as np
import trimesh
from numpy.typing import NDArray

from pose_regressor.files.bop import MILLIMETRES_PER_METRE
from pose_regressor_training.meshes.mesh import Mesh


def ply_files(mesh: Mesh, name: str) -> dict[str, bytes]:
    """Content by file name: NAME.ply (text) and, for a textured mesh, NAME.png.

    PLY readers know texture coordinates of vertices only. So corners that share a vertex but not its place in the
    texture become vertices of their own.
    """
    vertices, faces = mesh.vertices.astype(np.float64), mesh.faces
    normals = np.asarray(trimesh.Trimesh(vertices, faces, process=False).vertex_normals)
    kinds = ["float x", "float y", "float z", "float nx", "float ny", "float nz"]
    files = {}
    if mesh.texture is not None and mesh.uv is not None:
        corners = np.column_stack([faces.reshape(-1), mesh.uv.reshape(-1, 2)])
        unique, index = np.unique(corners, axis=0, return_inverse=True)
        own, faces = unique[:, 0].astype(int), index.reshape(-1, 3).astype(np.int32)
        vertices, normals, extra = vertices[own], normals[own], unique[:, 1:]
        kinds += ["float texture_u", "float texture_v"]
        formats = ["%.6f"] * 2
        ok, encoded = cv2.imencode(".png", mesh.texture[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
        assert ok, "OpenCV could not encode a PNG in memory"
        files[f"{name}.png"] = encoded.tobytes()
    else:
        assert mesh.vertex_colors is not None
        extra = mesh.vertex_colors.astype(np.float64)
        kinds += ["uchar red", "uchar green", "uchar blue"]
        formats = ["%d"] * 3
    texture = [f"comment TextureFile {name}.png"] if files else []
    header = ["ply", "format ascii 1.0", *texture, f"element vertex {len(vertices)}",
              *(f"property {kind}" for kind in kinds), f"element face {len(faces)}",
              "property list uchar int vertex_indices", "end_header"]  # fmt: skip
    columns = np.column_stack([vertices * MILLIMETRES_PER_METRE, normals, extra])
    body = _text(columns, ["%.5f"] * 3 + ["%.6f"] * 3 + formats)
    body += _text(np.column_stack([np.full(len(faces), 3), faces]), ["%d"] * 4)
    return {f"{name}.ply": ("\n".join(header) + "\n").encode() + body} | files


def _text(table: NDArray, formats: list[str]) -> bytes:
    buffer = io.BytesIO()
    np.savetxt(buffer, table, fmt=formats)
    return buffer.getvalue()
