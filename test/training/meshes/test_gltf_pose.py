"""Skeletons and morph targets of glTF: where they put the vertices at rest."""

import base64

import numpy as np
import pytest

from pose_regressor.types import InputError
from pose_regressor_training.meshes.mesh import load_mesh


@pytest.fixture
def load(box, tmp_path):
    def load(edit):
        (tmp_path / "box.glb").write_bytes(box.glb(edit))
        return load_mesh(tmp_path / "box.glb")

    return load


def add(content, values, component, kind):
    """A new accessor with a buffer of its own. Returns its number."""
    data = values.tobytes()
    content["buffers"].append({"byteLength": len(data), "uri": f"data:;base64,{base64.b64encode(data).decode()}"})
    content["bufferViews"].append({"buffer": len(content["buffers"]) - 1, "byteLength": len(data)})
    view = len(content["bufferViews"]) - 1
    content["accessors"].append({"bufferView": view, "componentType": component, "count": len(values), "type": kind})
    return len(content["accessors"]) - 1


def skeleton(content, joints=((0, 0, 0, 0),) * 24, weights=((1, 0, 0, 0),) * 24, inverse=True):
    """The mesh's node is far off. A bone below a bone is turned by 90 degrees about x, and twice as large as when it
    was bound."""
    half = np.sqrt(0.5)
    content["nodes"] = [
        {"mesh": 0, "skin": 0, "translation": [5, 6, 7], "scale": [9, 9, 9]},
        {"scale": [0.5, 0.5, 0.5], "children": [2]},
        {"rotation": [half, 0, 0, half], "translation": [1, 2, 3]},
    ]
    content["scenes"] = [{"nodes": [0, 1]}]
    attributes = content["meshes"][0]["primitives"][0]["attributes"]
    attributes["JOINTS_0"] = add(content, np.array(joints, "u1"), 5121, "VEC4")
    attributes["WEIGHTS_0"] = add(content, np.array(weights, "f4"), 5126, "VEC4")
    content["skins"] = [{"joints": [2, 1]}]
    if inverse:
        scale = np.diag([4.0, 4, 4, 1]).astype("f4")
        content["skins"][0]["inverseBindMatrices"] = add(
            content, np.stack([scale.T, scale.T]).reshape(2, 16), 5126, "MAT4"
        )


def test_a_skeleton_places_its_mesh(box, load):
    """Turned about x, y becomes z and z becomes -y."""
    mesh = load(skeleton)
    box.check(mesh, box.colors[[0, 1, 5, 4, 2, 3]], size=(0.16, 0.08, 0.12))
    np.testing.assert_allclose(mesh.vertices.mean(0), (0.5, 1, 1.5), atol=1e-6)
    mesh = load(lambda content: skeleton(content, inverse=False))
    box.check(mesh, box.colors[[0, 1, 5, 4, 2, 3]], size=(0.04, 0.02, 0.03))


def test_a_skeleton_that_mirrors_its_mesh(box, load):
    """Its faces still show outwards: x is turned over, y becomes z and z becomes -y."""

    def mirror(content):
        skeleton(content)
        content["nodes"][1]["scale"] = [-0.5, 0.5, 0.5]

    box.check(load(mirror), box.colors[[1, 0, 5, 4, 2, 3]], size=(0.16, 0.08, 0.12))


def test_several_joints_share_a_vertex(box, load):
    """Half by the turned bone, half by its parent: weights that do not add up to one count by their shares."""
    joints, weights = ((0, 1, 0, 0),) * 24, ((2, 2, 0, 0),) * 24
    mesh = load(lambda content: skeleton(content, joints, weights))
    turned = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    expected = box.vertices / 1000 @ (np.eye(3) + turned).T + np.array((0.25, 0.5, 0.75))
    distance = np.linalg.norm(mesh.vertices[:, None] - expected, axis=2)
    assert distance.min(0).max() < 1e-6 and distance.min(1).max() < 1e-6


def test_morph_targets_at_rest(box, load):
    def morph(content):
        content["meshes"][0]["weights"] = [0.5, 0]
        content["meshes"][0]["primitives"][0]["targets"] = [{"POSITION": 0}, {"POSITION": 0}]

    def of_the_node(content):
        morph(content)
        content["nodes"][0]["weights"] = [0, 1]

    box.check(load(morph), size=(0.12, 0.09, 0.06))
    box.check(load(of_the_node), size=(0.16, 0.12, 0.08))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda content: skeleton(content, joints=((7, 0, 0, 0),) * 24), "names a joint that is not there"),
        (lambda content: skeleton(content, joints=((0, 0, 0, 0),) * 23), "names a joint that is not there"),
        (lambda content: skeleton(content, weights=((0, 0, 0, 0),) * 24), "has no joint that moves it"),
        (
            lambda content: (skeleton(content), content["skins"][0].update(joints=[2, 1, 1])),
            "3 joints, but 2 ",
        ),
        (lambda content: (skeleton(content), content["nodes"][1].update(children=[1, 2])), "form no tree"),
        (lambda content: (skeleton(content), content["skins"][0].update(joints=[99])), "cannot be read"),
    ],
)
def test_broken_skeletons(load, edit, message):
    with pytest.raises(InputError, match=message) as caught:
        load(edit)
    assert "\n" not in str(caught.value)
