"""The family of objects: closed bodies with colours, of all kinds and sizes, the same for the same number."""

import numpy as np
import pytest
import trimesh

from pose_regressor_training.family import KINDS, draw_member
from pose_regressor_training.family.bodies import Body, extrusion, lathe
from pose_regressor_training.family.draw import SIZE
from pose_regressor_training.family.paint import labelled, printed
from pose_regressor_training.meshes.topology import is_closed, merged

COUNT = 42


@pytest.fixture(scope="module")
def members():
    return [draw_member(0, number) for number in range(COUNT)]


def solid(body: Body) -> trimesh.Trimesh:
    return trimesh.Trimesh(body.vertices, body.faces, process=False)


def test_each_is_one_closed_body_about_its_middle(members):
    for number, member in enumerate(members):
        mesh = member.mesh
        assert is_closed(merged(mesh.vertices, mesh.faces)), number
        surface = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
        assert surface.volume > 0.01 * np.prod(surface.extents), number
        assert surface.body_count == 1, number
        np.testing.assert_allclose(surface.bounds.mean(0), 0, atol=1e-6)


def test_each_has_one_source_of_colour(members):
    for member in members:
        mesh = member.mesh
        assert (mesh.texture is None) == (mesh.uv is None) != (mesh.vertex_colors is None)
        if mesh.vertex_colors is not None:
            assert mesh.vertex_colors.shape == mesh.vertices.shape and mesh.vertex_colors.dtype == np.uint8
        else:
            assert mesh.uv.shape == (*mesh.faces.shape, 2) and np.isfinite(mesh.uv).all()
            assert mesh.texture.dtype == np.uint8 and mesh.texture.shape[2] == 3


def test_kinds_paints_and_sizes_vary(members):
    assert {member.kind for member in members} == set(KINDS)
    assert len({member.paint for member in members}) == 5
    assert len({member.mesh.digest() for member in members}) == COUNT
    longest = np.array([np.ptp(member.mesh.vertices, axis=0).max() for member in members])
    assert longest.min() >= SIZE[0] - 1e-6 and longest.max() <= SIZE[1] + 1e-6
    assert longest.max() > 4 * longest.min()


def test_the_same_number_is_the_same_object_and_another_seed_another(members):
    for number in (0, 2, 5):
        assert draw_member(0, number).mesh.digest() == members[number].mesh.digest()
        assert draw_member(1, number).mesh.digest() != members[number].mesh.digest()


def test_sheets_with_and_without_holes_are_closed():
    euler = set()
    for seed in range(60):
        body = extrusion(np.random.default_rng(seed))
        assert solid(body).is_watertight and solid(body).volume > 0, seed
        euler.add(solid(body).euler_number)
    assert euler == {0, 2}, "with a hole, and without"


def test_a_label_runs_once_around_and_has_its_whole_height():
    """Its left edge meets its right edge somewhere; there a face goes on to the next repeat of the texture."""
    for seed in range(8):
        rng = np.random.default_rng(seed)
        body = lathe(rng)
        mesh = labelled(rng, body)
        assert np.ptp(mesh.uv[..., 0], axis=1).max() < 0.1, "no face shows the whole label"
        angle = np.arctan2(body.vertices[:, 1], body.vertices[:, 0])[body.faces]
        aside = np.hypot(*body.vertices[:, :2].T)[body.faces] > 1e-6
        turns = (mesh.uv[..., 0] - angle / (2 * np.pi))[aside]
        np.testing.assert_allclose(turns, turns.round(), atol=1e-5)
        assert 0 < mesh.uv[..., 1].min() < 0.02 and 0.98 < mesh.uv[..., 1].max() < 1


def test_prints_of_the_sides_do_not_mix():
    """Each face lies within one of the six tiles of the texture, its margin left out."""
    for seed in range(8):
        rng = np.random.default_rng(seed)
        body = extrusion(rng)
        mesh = printed(rng, body)
        place = mesh.uv * (3, 2)
        tile = np.floor(place.mean(1, keepdims=True))
        assert (np.abs(place - tile - 0.5) < 0.5 - 0.03).all()
        normal = np.round(trimesh.Trimesh(body.vertices, body.faces, process=False).face_normals, 3)
        ends = np.abs(normal[:, 2]) == 1
        up, down = (set(map(tuple, tile[ends & (normal[:, 2] == sign), 0])) for sign in (1, -1))
        assert len(up) == len(down) == 1 and up != down
