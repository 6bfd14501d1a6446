"""How triangles are connected: places, closed and convex meshes."""

import numpy as np
import pytest
import trimesh

from pose_regressor_training.meshes import extent
from pose_regressor_training.meshes.mesh import Mesh
from pose_regressor_training.meshes.topology import places
from pose_regressor_training.raytracer.bank import mesh_arrays


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_places_of_vertices(kind):
    """Against numpy's unique rows; -0 and 0 are one place."""
    rng = np.random.default_rng(0)
    points = (rng.integers(-2, 3, (500, 3)) * rng.choice([1e-30, -0.0, 1, 1e30], (500, 1))).astype(kind)
    first, which = places(points)
    rows, expected, inverse = np.unique(points + 0, axis=0, return_index=True, return_inverse=True)
    np.testing.assert_array_equal(points[first], rows)
    np.testing.assert_array_equal(first, expected)
    np.testing.assert_array_equal(which, inverse.reshape(-1))


def test_closed_and_convex():
    def arrays(shape: trimesh.Trimesh):
        colors = np.zeros((len(shape.vertices), 3), np.uint8)
        return mesh_arrays(Mesh(np.float32(shape.vertices), np.int32(shape.faces), None, None, colors))

    box = trimesh.creation.box((0.1, 0.1, 0.1))
    assert arrays(box).closed and arrays(box).convex
    seams = trimesh.Trimesh(box.vertices[box.faces].reshape(-1, 3), np.arange(36).reshape(-1, 3), process=False)
    assert arrays(seams).closed and arrays(seams).convex
    assert not arrays(trimesh.Trimesh(box.vertices, box.faces[1:], process=False)).closed
    assert not arrays(trimesh.Trimesh(box.vertices, box.faces[:, ::-1], process=False)).closed
    ring = arrays(trimesh.creation.annulus(0.02, 0.05, 0.04))
    assert ring.closed and not ring.convex
    assert not arrays(box).faces["is_smooth"].any()
    assert arrays(trimesh.creation.icosphere(subdivisions=3)).faces["is_smooth"].all()


def test_convex_or_not_with_very_many_vertices(monkeypatch):
    """A ball, and one with a dent, whose hulls are those of their outermost vertices."""
    monkeypatch.setattr(extent, "HULL_VERTICES", 20_000)
    ball = trimesh.creation.icosphere(subdivisions=6)
    assert extent.hull_volume(ball.vertices) == pytest.approx(4 / 3 * np.pi, rel=4e-3)
    dented = ball.vertices.copy()
    dented[:, 2] = np.where(dented[:, 2] > 0.8, 1.6 - dented[:, 2], dented[:, 2])
    colors = np.zeros((len(ball.vertices), 3), np.uint8)
    for vertices, convex in ((ball.vertices, True), (dented, False)):
        arrays = mesh_arrays(Mesh(np.float32(vertices * 0.1), np.int32(ball.faces), None, None, colors))
        assert arrays.closed and arrays.convex == convex
