"""Skins and morph targets of glTF: the box comes out as it is shown, or in one line."""

import base64

import numpy as np
import pytest

from pose_regressor.types import InputError
from pose_regressor_training.meshes.mesh import load_mesh


@pytest.fixture
def load(box, tmp_path):
    """A function that writes a GLB with that edit and loads it."""

    def load(edit):
        (tmp_path / "box.glb").write_bytes(box.glb(edit))
        return load_mesh(tmp_path / "box.glb")

    return load


def add(content, values, kind):
    """Add an accessor with a buffer of its own. Returns its number."""
    codes = {"f4": 5126, "u1": 5121}
    data = values.astype("<" + kind).tobytes()
    uri = f"data:application/octet-stream;base64,{base64.b64encode(data).decode()}"
    content["buffers"].append({"uri": uri, "byteLength": len(data)})
    content["bufferViews"].append({"buffer": len(content["buffers"]) - 1, "byteLength": len(data)})
    about = {"bufferView": len(content["bufferViews"]) - 1, "componentType": codes[kind], "count": len(values)}
    content["accessors"].append(about | {"type": {3: "VEC3", 4: "VEC4", 16: "MAT4"}[values.shape[1]]})
    return len(content["accessors"]) - 1


def place(turn, offset, scale=1.0):
    """(4, 4) turned about z by `turn`, scaled and moved."""
    matrix = np.eye(4)
    matrix[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    matrix[:3, :3] *= scale
    matrix[:3, 3] = offset
    return matrix


def with_skin(content, joints, bound, weights, sets=1):
    """A node with a skin, far away by its own matrix, which does not count. joints, bound: matrices (4, 4) each."""
    count = content["accessors"][0]["count"]
    attributes = content["meshes"][0]["primitives"][0]["attributes"]
    inverse = np.stack([np.linalg.inv(matrix).T.ravel() for matrix in bound])
    for k in range(sets):
        share = np.tile(weights, (count, 1)) * (k == sets - 1)
        attributes[f"JOINTS_{k}"] = add(content, np.tile([0, 1, 0, 0], (count, 1)), "u1")
        attributes[f"WEIGHTS_{k}"] = add(content, share, "f4")
    content["nodes"] = [{"mesh": 0, "skin": 0, "translation": [9, 9, 9]}, {"children": [2, 3], "scale": [2, 2, 2]}]
    content["nodes"] += [{"matrix": matrix.T.ravel().tolist()} for matrix in joints]
    content["scenes"][0]["nodes"] = [0, 1]
    content["skins"] = [{"joints": [2, 3], "inverseBindMatrices": add(content, inverse, "f4")}]


@pytest.mark.parametrize("sets", [1, 2])
def test_a_skin_is_placed_by_its_joints(box, load, sets):
    """The joints are below a node of twice the size. In the pose of the bind matrices the box is as it is."""
    bound = [place(0.4, (1, 2, 3)), place(-1.2, (0, 0.5, 0))]
    half = [np.diag([0.5, 0.5, 0.5, 1]) @ matrix for matrix in bound]
    box.check(load(lambda content: with_skin(content, half, bound, [0.3, 0.7, 0, 0], sets)))
    box.check(load(lambda content: with_skin(content, bound, bound, [0.3, 0.7, 0, 0], sets)), size=(0.16, 0.12, 0.08))
    flip = [np.diag([-0.5, 0.5, 0.5, 1]) @ matrix for matrix in bound]
    mirrored = box.colors[[1, 0, 2, 3, 4, 5]]
    box.check(load(lambda content: with_skin(content, flip, bound, [0.3, 0.7, 0, 0], sets)), mirrored)


def test_two_joints_share_a_vertex(box, load):
    """One stays, one moves by 60 mm: with weights of 1 to 2 the box moves by 40 mm, and keeps its size."""
    stays, moves = place(0, (0, 0, 0), 0.5), place(0, (0.03, 0, 0), 0.5)

    def edit(content):
        with_skin(content, [stays, moves], [np.eye(4)] * 2, [1, 2, 0, 0])

    mesh = load(edit)
    box.check(mesh)
    np.testing.assert_allclose((mesh.vertices.min(0) + mesh.vertices.max(0)) / 2, (0.04, 0, 0), atol=1e-6)


@pytest.mark.parametrize("owner", ["meshes", "nodes"])
def test_morph_targets(box, load, owner):
    """The target makes the box twice as large with a weight of 0.5."""

    def edit(content):
        corners = box.vertices[box.quads].reshape(-1, 3) / 1000
        targets = [{"NORMAL": 0}, {"POSITION": add(content, 2 * corners, "f4")}]
        content["meshes"][0]["primitives"][0]["targets"] = targets
        content["meshes"][0]["weights"] = [0, 0]
        content[owner][0]["weights"] = [1, 0.5]

    box.check(load(edit), size=(0.16, 0.12, 0.08))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda g: g["skins"][0].update(joints=[2, 99]), "a joint of its skin is not in the scene"),
        (lambda g: g["scenes"][0].update(nodes=[0]), "a joint of its skin is not in the scene"),
        (lambda g: g["skins"][0].update(joints=[2, 3, 1]), "its skin has 2 matrices for 3 joints"),
        (lambda g: g["skins"][0].update(joints=[2]), "a vertex names joint 1 of 1"),
        (lambda g: g["meshes"][0]["primitives"][0]["attributes"].pop("JOINTS_0"), "no JOINTS_0 and WEIGHTS_0"),
        (lambda g: g.update(skins=[]), "cannot be read"),
    ],
)
def test_broken_skins(load, edit, message):
    def broken(content):
        with_skin(content, [np.eye(4)] * 2, [np.eye(4)] * 2, [0.5, 0.5, 0, 0])
        edit(content)

    with pytest.raises(InputError, match=message):
        load(broken)


def test_a_picture_that_no_face_shows(load):
    def edit(content):
        del content["meshes"][0]["primitives"][0]["material"]

    with pytest.raises(
        InputError, match=r"its material 'skin' names a picture, but no face has that material.*--color"
    ):
        load(edit)
