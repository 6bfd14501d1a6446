"""Our own test objects: closed, of the size they say, the same each time, and as symmetric as they are meant to be."""

import numpy as np
import pytest
import trimesh

from pose_regressor_training.meshes.mesh import load_mesh
from pose_regressor_training.test_objects import make_box, make_knob, make_symmetric, make_toy

OBJECTS = {
    "box": (make_box, (160, 110, 60)),
    "toy": (make_toy, (111, 85, 45)),
    "symmetric": (make_symmetric, (58, 128, 58)),
    "knob": (make_knob, (104, 62, 104)),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("objects")
    return {name: make(folder / name) for name, (make, _) in OBJECTS.items()}


def closed(path):
    mesh = load_mesh(path, "m")
    surface = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    surface.merge_vertices(merge_tex=True, merge_norm=True)
    return surface


@pytest.mark.parametrize("name", OBJECTS)
def test_is_one_closed_skin_of_the_stated_size(made, name):
    surface = closed(made[name])
    assert surface.is_watertight and surface.is_winding_consistent and surface.volume > 0
    assert surface.body_count == 1
    np.testing.assert_allclose(1000 * surface.extents, OBJECTS[name][1], atol=0.6)
    np.testing.assert_allclose(surface.bounds.mean(0), 0, atol=1e-5)


@pytest.mark.parametrize("name", ["symmetric", "knob"])
def test_same_bytes_each_time(made, name, tmp_path):
    OBJECTS[name][0](tmp_path)
    for file in made[name].parent.iterdir():
        assert (tmp_path / file.name).read_bytes() == file.read_bytes(), file.name


@pytest.mark.parametrize(("name", "angle"), [("symmetric", 1.0), ("knob", np.pi / 2)])
def test_turned_surface_is_the_same_surface(made, name, angle):
    surface = closed(made[name])
    turn = trimesh.transformations.rotation_matrix(angle, (0, 1, 0))[:3, :3]
    _, distance, _ = trimesh.proximity.closest_point(surface, surface.vertices[::20] @ turn.T)
    assert distance.max() < 5e-4
    _, distance, _ = trimesh.proximity.closest_point(surface, surface.vertices[::20] * (1, -1, -1))
    assert distance.max() > 5e-3
