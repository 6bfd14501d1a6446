"""Where glTF's nodes, skeletons and morph targets put the vertices of a mesh."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from pose_regressor.types import FloatArray, InputError
from pose_regressor_training.meshes.gltf_file import GltfFile

#: Nodes below each other, at most.
DEEPEST = 200
#: Sets of four joints a vertex, at most.
MOST_SETS = 4


def placed_nodes(file: GltfFile) -> list[tuple[FloatArray, dict[str, Any]]]:
    """(4, 4) place and content of each node with a mesh, in the scene that is shown first."""
    nodes = file.content.get("nodes", [])
    if not nodes:
        return [(np.eye(4), {"mesh": mesh}) for mesh in range(len(file.content.get("meshes", [])))]
    if scenes := file.content.get("scenes"):
        roots = scenes[file.content.get("scene", 0)].get("nodes", [])
    else:
        below = {child for node in nodes for child in node.get("children", [])}
        roots = [index for index in range(len(nodes)) if index not in below]
    placed, seen = [], set()
    waiting = [(root, np.eye(4), 0) for root in reversed(roots)]
    while waiting:
        index, parent, depth = waiting.pop()
        if index in seen or depth > DEEPEST:
            raise _no_tree(file)
        seen.add(index)
        node = file.item("nodes", index)
        if "EXT_mesh_gpu_instancing" in node.get("extensions", {}):
            file.refuse("EXT_mesh_gpu_instancing")
        matrix = parent @ _matrix(node)
        if "mesh" in node:
            placed.append((matrix, node))
        waiting += [(child, matrix, depth + 1) for child in reversed(node.get("children", []))]
    return placed


def _no_tree(file: GltfFile) -> InputError:
    return InputError(f"mesh {file.path}: cannot be read: its nodes form no tree")


def _matrix(node: dict[str, Any]) -> FloatArray:
    """(4, 4) of a node within its parent."""
    if "matrix" in node:
        return np.array(node["matrix"], np.float64).reshape(4, 4).T
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_quat(np.array(node.get("rotation", (0, 0, 0, 1)), np.float64)).as_matrix()
    matrix[:3, :3] *= np.array(node.get("scale", (1, 1, 1)), np.float64).reshape(3)
    matrix[:3, 3] = node.get("translation", (0, 0, 0))
    return matrix


def morphed(file: GltfFile, node: dict[str, Any], primitive: dict[str, Any], vertices: FloatArray) -> FloatArray:
    """The vertices (V, 3) moved by the primitive's morph targets, as the file weights them at rest."""
    targets = primitive.get("targets", [])
    weights = node.get("weights", file.item("meshes", node["mesh"]).get("weights", []))
    for target, weight in zip(targets, weights, strict=False):
        if weight and "POSITION" in target:
            offset = file.columns(target["POSITION"], 3)
            if len(offset) != len(vertices):
                raise InputError(f"mesh {file.path}: a morph target has {len(offset)} vertices of {len(vertices)}")
            vertices = vertices + float(weight) * offset
    return vertices


def skinned(
    file: GltfFile, node: dict[str, Any], attributes: dict[str, Any], vertices: FloatArray
) -> tuple[FloatArray, bool] | None:
    """The vertices (V, 3) where the skeleton's joints put them, and whether these mirror them.

    None if the node has no skeleton.

    A skeleton alone places its mesh: the node's own place does not count (glTF 2.0, 3.7.3.1).
    """
    if "skin" not in node or "JOINTS_0" not in attributes:
        return None
    skin = file.item("skins", node["skin"])
    joints = skin["joints"]
    matrices = _world_matrices(file, joints)
    if "inverseBindMatrices" in skin:
        inverse = file.columns(skin["inverseBindMatrices"], 16).astype(np.float64)
        if len(inverse) < len(joints):
            raise InputError(f"mesh {file.path}: a skin has {len(joints)} joints, but {len(inverse)} bind matrices")
        matrices = matrices @ inverse[: len(joints)].reshape(-1, 4, 4).transpose(0, 2, 1)
    points = np.concatenate([vertices, np.ones((len(vertices), 1))], 1)
    moved, whole = np.zeros_like(vertices, np.float64), np.zeros(len(vertices))
    for number in range(MOST_SETS):
        if f"JOINTS_{number}" not in attributes:
            break
        index = file.columns(attributes[f"JOINTS_{number}"], 4).astype(np.int64)
        share = file.columns(attributes[f"WEIGHTS_{number}"], 4).astype(np.float64)
        if len(index) != len(vertices) or len(share) != len(vertices) or index.max(initial=0) >= len(joints):
            raise InputError(f"mesh {file.path}: a vertex names a joint that is not there")
        for corner in range(4):
            bones = matrices[index[:, corner], :3]
            moved += share[:, corner, None] * np.einsum("vij,vj->vi", bones, points)
            whole += share[:, corner]
    if not (whole > 0).all():
        raise InputError(f"mesh {file.path}: a vertex has no joint that moves it")
    return moved / whole[:, None], bool((np.linalg.det(matrices[:, :3, :3]) < 0).all())


def _world_matrices(file: GltfFile, nodes: list[Any]) -> FloatArray:
    """(N, 4, 4) places of nodes in the scene."""
    everything = file.content.get("nodes", [])
    parents = {child: index for index, node in enumerate(everything) for child in node.get("children", [])}
    found = []
    for index in nodes:
        matrix, depth = _matrix(file.item("nodes", index)), 0
        while index in parents:
            index, depth = parents[index], depth + 1
            if depth > DEEPEST:
                raise _no_tree(file)
            matrix = _matrix(everything[index]) @ matrix
        found.append(matrix)
    return np.array(found).reshape(-1, 4, 4)
