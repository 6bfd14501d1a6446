"""Symmetries found from meshes: solids whose groups are known, colours that break them, and what BOP says of LM-O."""

import json

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from pose_regressor.types import InputError
from pose_regressor_training.bop.models_info import ModelInfo, read_models_info, write_models_info
from pose_regressor_training.meshes.mesh import Mesh, load_mesh
from pose_regressor_training.meshes.symmetry import ContinuousSymmetry, Symmetries, find_symmetries
from pose_regressor_training.test_objects import make_box, make_knob, make_symmetric, make_toy

#: Where the solids stand in their own frame: nothing is aligned with anything.
FRAME = np.eye(4)
FRAME[:3, :3] = Rotation.from_rotvec([0.3, -0.5, 0.9]).as_matrix()
FRAME[:3, 3] = 0.01, 0.02, -0.03
AXES = FRAME[:3, :3].T  # rows: the solid's own axes


def mesh_of(solid, color=None):
    """color: (N, 3) places in the solid's own frame -> (N, 3) RGB."""
    faces = solid.faces
    vertices = solid.vertices
    colors = np.full((len(vertices), 3), 160, np.uint8)
    if color is not None:
        vertices, colors = vertices[faces].reshape(-1, 3), np.repeat(color(solid.triangles_center), 3, axis=0)
        faces = np.arange(len(vertices)).reshape(-1, 3)
    placed = vertices @ FRAME[:3, :3].T + FRAME[:3, 3]
    return Mesh(placed.astype(np.float32), faces.astype(np.int32), None, None, colors.astype(np.uint8))


def angles(symmetries):
    return sorted(np.degrees(Rotation.from_matrix(symmetries.discrete[:, :3, :3]).magnitude()).round(3).tolist())


def assert_closed(symmetries):
    """Every product of two is one of them: a group, to rounding."""
    members = np.concatenate([np.eye(4)[None], symmetries.discrete])
    for a in members:
        for b in members:
            assert np.abs(members - a @ b).max((1, 2)).min() < 1e-9


CREATE = trimesh.creation
FINITE = {
    "cuboid": (CREATE.box((0.1, 0.06, 0.04)), [180] * 3),
    "square bar": (CREATE.box((0.05, 0.05, 0.1)), [90] * 2 + [180] * 5),
    "cube": (CREATE.box((0.1, 0.1, 0.1)), [90] * 6 + [120] * 8 + [180] * 9),
    "octagonal bar": (CREATE.cylinder(0.05, 0.06, sections=8), [45] * 2 + [90] * 2 + [135] * 2 + [180] * 9),
    "hexagonal nut": (CREATE.annulus(0.02, 0.05, 0.03, sections=6), [60] * 2 + [120] * 2 + [180] * 7),
    "tetrahedron": (
        trimesh.convex.convex_hull(0.05 * np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1.0]])),
        [120] * 8 + [180] * 3,
    ),
}


@pytest.mark.parametrize("name", FINITE)
def test_finite_groups(name):
    solid, expected = FINITE[name]
    found = find_symmetries(mesh_of(solid))
    assert not found.continuous
    np.testing.assert_allclose(angles(found), expected, atol=1e-3)
    assert_closed(found)
    centre = np.append(FRAME[:3, 3], 1)
    np.testing.assert_allclose(found.discrete @ centre, np.tile(centre, (len(expected), 1)), atol=2e-4)
    corners = solid.vertices @ FRAME[:3, :3].T + FRAME[:3, 3]
    for motion in found.discrete:
        distance = np.linalg.norm((corners @ motion[:3, :3].T + motion[:3, 3])[:, None] - corners, axis=-1).min(1)
        assert distance.max() < 5e-4


@pytest.mark.parametrize(
    ("solid", "flips"),
    [(CREATE.cylinder(0.03, 0.1, sections=64), 1), (CREATE.cone(0.03, 0.1, sections=64), 0)],
    ids=["cylinder", "cone"],
)
def test_solids_of_revolution(solid, flips):
    found = find_symmetries(mesh_of(solid))
    assert len(found.continuous) == 1 and len(found.discrete) == flips
    axis = found.continuous[0]
    assert abs(axis.axis @ AXES[2]) > np.cos(np.radians(0.2))
    off = FRAME[:3, 3] - axis.offset
    assert np.linalg.norm(off - (off @ axis.axis) * axis.axis) < 3e-4
    assert angles(found) == [180] * flips
    motions = found.discretised()
    assert len(motions) == 315 * (1 + flips) - 1
    rim = 0.03 * AXES[0] + FRAME[:3, 3]
    images = motions[:314, :3, :3] @ rim + motions[:314, :3, 3]
    steps = np.linalg.norm(np.diff(images, axis=0), axis=1)
    assert steps.max() <= 0.01 * np.hypot(0.06, 0.1)


def test_ball_has_three_axes_that_stand_for_all_rotations():
    found = find_symmetries(mesh_of(CREATE.icosphere(3, 0.05)))
    np.testing.assert_allclose([axis.axis for axis in found.continuous], np.eye(3))
    np.testing.assert_allclose([axis.offset for axis in found.continuous], np.tile(FRAME[:3, 3], (3, 1)), atol=2e-4)
    rotations = Rotation.from_matrix(found.discretised()[:, :3, :3])
    nearest = [(turn.inv() * rotations).magnitude().min() for turn in Rotation.random(50, random_state=0)]
    assert np.degrees(max(nearest)) < 16


def half_and_half(axis):
    return lambda places: np.where(places[:, [axis]] > 0, (200, 30, 30), (40, 60, 200))


def test_colours_break_what_the_shape_allows():
    drum = CREATE.cylinder(0.03, 0.08, sections=32).subdivide().subdivide()
    ends = find_symmetries(mesh_of(drum, half_and_half(2)))
    assert len(ends.continuous) == 1 and len(ends.discrete) == 0
    sides = find_symmetries(mesh_of(drum, half_and_half(0)))  # a half turn about the line through both colours is left
    assert not sides.continuous and angles(sides) == [180]
    axis = Rotation.from_matrix(sides.discrete[0, :3, :3]).as_rotvec() / np.pi
    assert abs(axis @ AXES[0]) > np.cos(np.radians(2))

    cube = CREATE.box((0.1, 0.1, 0.1)).subdivide().subdivide()
    palette = np.array([(200, 30, 30), (30, 160, 60), (40, 60, 200)])
    opposite = find_symmetries(mesh_of(cube, lambda places: palette[np.abs(places).argmax(1)]))
    assert angles(opposite) == [180] * 3
    signs = np.array([(0, 0, 0), (250, 250, 250)])
    six = find_symmetries(
        mesh_of(cube, lambda places: (
            palette[np.abs(places).argmax(1)] // 2 + signs[(places.max(1) > -places.min(1)).astype(int)] // 2)
        )
    )  # fmt: skip
    assert not six


def test_our_own_objects(tmp_path):
    toy, box, knob, bottle = (
        find_symmetries(load_mesh(make(tmp_path), "m")) for make in (make_toy, make_box, make_knob, make_symmetric)
    )
    assert not toy and not box
    assert angles(knob) == [90, 90, 180] and not knob.continuous
    assert_closed(knob)
    np.testing.assert_allclose(knob.discrete[:, :3, 1], np.tile((0, 1, 0), (3, 1)), atol=5e-3)
    assert len(bottle.discrete) == 0
    np.testing.assert_allclose(np.abs([axis.axis for axis in bottle.continuous]), [(0, 1, 0)], atol=1e-3)


@pytest.mark.shared
@pytest.mark.slow
def test_scans_of_linemod_occluded(shared_data):
    official = read_models_info(shared_data / "lmo" / "models" / "models_info.json")
    for obj_id, info in official.items():
        mesh = load_mesh(shared_data / "lmo" / "models" / f"obj_{obj_id:06d}.ply", "mm")
        found = find_symmetries(mesh)
        assert len(found.discrete) == len(info.symmetries.discrete) and not found.continuous, obj_id
        for ours, theirs in zip(found.discrete, info.symmetries.discrete, strict=True):
            apart = mesh.vertices @ (ours - theirs)[:3, :3].T + (ours - theirs)[:3, 3]
            assert np.linalg.norm(apart, axis=1).max() < 0.05 * info.diameter


@pytest.mark.shared
def test_texture_of_the_printed_cube_decides(shared_data):
    mesh = load_mesh(shared_data / "cube" / "model" / "cube.obj", "m")
    assert not find_symmetries(mesh)
    plain = Mesh(mesh.vertices, mesh.faces, None, None, np.full((len(mesh.vertices), 3), 128, np.uint8))
    assert len(find_symmetries(plain).discrete) == 23


def test_models_info_round_trip(tmp_path):
    quarter = np.eye(4)
    quarter[:3, :3] = Rotation.from_rotvec([0, 0, np.pi]).as_matrix()
    quarter[:3, 3] = 0.002, -0.001, 0
    bounds = np.array([[-0.05, -0.03, -0.02], [0.05, 0.03, 0.02]])
    axis = ContinuousSymmetry(np.array([0, 0.6, 0.8]), np.array([0.001, 0, 0]))
    infos = {
        7: ModelInfo(0.123, bounds, Symmetries(quarter[None], (axis,))),
        2: ModelInfo(0.2, bounds, Symmetries(np.zeros((0, 4, 4)))),
    }
    path = tmp_path / "models_info.json"
    write_models_info(path, infos)
    content = json.loads(path.read_text())
    assert list(content) == ["2", "7"]
    assert content["7"]["symmetries_discrete"][0][3] == 2 and content["7"]["size_x"] == 100
    assert set(content["2"]) == {"diameter", *(f"{key}_{axis}" for key in ("min", "size") for axis in "xyz")}
    read = read_models_info(path)
    assert set(read) == {2, 7} and not read[2].symmetries
    np.testing.assert_allclose(read[7].bounds, bounds)
    assert read[7].diameter == pytest.approx(0.123)
    np.testing.assert_allclose(read[7].symmetries.discrete[0], quarter, atol=1e-9)
    np.testing.assert_allclose(read[7].symmetries.continuous[0].axis, axis.axis)
    np.testing.assert_allclose(read[7].symmetries.continuous[0].offset, axis.offset)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"diameter": "big"}, "numbers in 'diameter'"),
        ({"size_x": 0}, "positive"),
        ({"symmetries_discrete": [[1] * 16]}, "rigid motions"),
        ({"symmetries_discrete": [[-1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]]}, "rigid motions"),
        ({"symmetries_discrete": [[1, 0]]}, "16 finite"),
        ({"symmetries_continuous": [{"axis": [0, 0, 0]}]}, "axis with a length"),
        ({"symmetries_continuous": [{"offset": [0, 0, 0]}]}, "key 'axis'"),
    ],
)
def test_models_info_that_is_none(tmp_path, change, words):
    entry = {"diameter": 10} | {f"{key}_{axis}": 1 for key in ("min", "size") for axis in "xyz"}
    path = tmp_path / "models_info.json"
    path.write_text(json.dumps({"1": entry}))
    assert read_models_info(path)[1].diameter == pytest.approx(0.01)
    path.write_text(json.dumps({"1": entry | change}))
    with pytest.raises(InputError, match=f"models_info.json: object 1.*{words}"):
        read_models_info(path)
