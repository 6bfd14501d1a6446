"""Round parts with very many triangles, as CAD exports them: all that is made of them stays small and exact enough."""

import struct

import numpy as np
import pytest
import trimesh

from pose_regressor_training.meshes.mesh import Mesh, coarse_mesh, load_mesh


def mesh_of(shape):
    grey = np.full((len(shape.vertices), 3), 160, np.uint8)
    return Mesh(np.float32(shape.vertices), np.int32(shape.faces), None, None, grey)


@pytest.mark.parametrize("rings", [200, 300])
def test_the_coarse_shape_of_a_round_part_with_poles_has_few_faces(rings):
    """Decimation gets stuck there: at 11,602 faces of 158,400, and at 20,528 of half a million."""
    ball = trimesh.creation.uv_sphere(0.05, count=[rings, 2 * rings])
    vertices, faces = coarse_mesh(mesh_of(ball))
    assert 200 < len(faces) <= 330
    np.testing.assert_allclose(np.linalg.norm(vertices, axis=1), 0.05, rtol=0.06)
    coarse = trimesh.Trimesh(vertices, faces)
    assert coarse.is_watertight and coarse.volume == pytest.approx(ball.volume, rel=0.03)


def test_triangles_of_an_stl_share_their_vertices(tmp_path):
    """-0 and 0 are one place."""
    shape = trimesh.creation.icosphere(subdivisions=4, radius=50)
    corners = np.float32(shape.triangles)
    corners[corners == 0] = np.where(np.arange((corners == 0).sum()) % 2, np.float32(0), np.float32(-0.0))
    data = bytes(80) + struct.pack("<I", len(corners))
    (tmp_path / "a.stl").write_bytes(data + b"".join(struct.pack("<12fH", 0, 0, 0, *c.ravel(), 0) for c in corners))
    mesh = load_mesh(tmp_path / "a.stl", "mm")
    assert len(mesh.vertices) == len(shape.vertices)
    np.testing.assert_array_equal(mesh.vertices[mesh.faces], np.float32(corners.astype(float) / 1000))
