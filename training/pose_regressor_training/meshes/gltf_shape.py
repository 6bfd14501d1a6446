"""The shape of a glTF mesh as it is shown: its morph targets, then its skin or the place of its node."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_regressor.types import FloatArray, InputError
from pose_regressor_training.meshes.gltf_file import GltfFile


def morphed(
    file: GltfFile, vertices: FloatArray, primitive: dict[str, Any], mesh: dict[str, Any], node: dict[str, Any]
) -> FloatArray:
    """The vertices (V, 3), moved by the morph targets with the node's weights, else the mesh's."""
    weights = np.array(node.get("weights", mesh.get("weights", [])), np.float64).reshape(-1)
    for weight, target in zip(weights, primitive.get("targets", []), strict=False):
        if weight and "POSITION" in target:
            offset = file.columns(target["POSITION"], 3)
            if len(offset) != len(vertices):
                raise InputError(f"mesh {file.path}: a morph target has {len(offset)} of {len(vertices)} vertices")
            vertices = vertices + weight * offset
    return vertices


def skinned(
    file: GltfFile,
    vertices: FloatArray,
    attributes: dict[str, Any],
    skin: dict[str, Any],
    worlds: dict[int, FloatArray],
) -> tuple[FloatArray, bool]:
    """The vertices (V, 3) in the scene, as the skin's joints place them, and whether they are mirrored.

    A vertex goes to the sum of weight x joint x inverse bind matrix, applied to it. The node of the mesh does not
    matter (glTF 2.0, 3.7.3.3).

    worlds: (4, 4) of each node in the scene
    """
    joints = skin["joints"]
    if not joints or not all(joint in worlds for joint in joints):
        raise InputError(f"mesh {file.path}: a joint of its skin is not in the scene")
    bones = np.stack([worlds[joint] for joint in joints])
    if "inverseBindMatrices" in skin:
        inverse = file.columns(skin["inverseBindMatrices"], 16).astype(np.float64).reshape(-1, 4, 4).swapaxes(1, 2)
        if len(inverse) < len(joints):
            raise InputError(f"mesh {file.path}: its skin has {len(inverse)} matrices for {len(joints)} joints")
        bones = bones @ inverse[: len(joints)]
    chosen, shares = _influences(file, attributes, len(vertices), len(joints))
    placed = np.zeros_like(vertices)
    for joint, share in zip(chosen.T, shares.T, strict=True):
        bone = bones[joint]
        placed += share[:, None] * (np.einsum("vij,vj->vi", bone[:, :3, :3], vertices) + bone[:, :3, 3])
    return placed, bool(np.linalg.det(bones[chosen[0, 0], :3, :3]) < 0)


def _influences(
    file: GltfFile, attributes: dict[str, Any], count: int, joints: int
) -> tuple[NDArray[np.int64], FloatArray]:
    """(V, K) joints of each vertex, and their weights, whose sum is 1."""
    sets = [k for k in range(4) if f"JOINTS_{k}" in attributes and f"WEIGHTS_{k}" in attributes]
    if not sets:
        raise InputError(f"mesh {file.path}: its node names a skin, but its vertices have no JOINTS_0 and WEIGHTS_0")
    chosen = np.concatenate([file.columns(attributes[f"JOINTS_{k}"], 4) for k in sets], 1).astype(np.int64)
    shares = np.concatenate([file.columns(attributes[f"WEIGHTS_{k}"], 4) for k in sets], 1).astype(np.float64)
    total = shares.sum(1, keepdims=True)
    if len(chosen) != count or len(shares) != count or not (total > 0).all() or not np.isfinite(total).all():
        raise InputError(f"mesh {file.path}: expected joints and weights for each of {count} vertices")
    chosen[shares == 0] = 0
    if count and not 0 <= chosen.min() <= chosen.max() < joints:
        raise InputError(f"mesh {file.path}: a vertex names joint {chosen.max()} of {joints}")
    return chosen, shares / total
