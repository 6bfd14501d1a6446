"""The ray tracer against ray casts by trimesh and against closed forms."""

import numpy as np
import pytest
import torch
import trimesh

from pose_regressor.color import srgb_table
from pose_regressor.types import InputError
from pose_regressor_training.experiments.rotations import random_rotation
from pose_regressor_training.meshes.mesh import Mesh
from pose_regressor_training.raytracer import packing
from pose_regressor_training.raytracer.renderer import Raytracer
from pose_regressor_training.scenes import NONE, Scenes, blank_scenes

SIZE = 96
CAMERA = np.array([[150.0, 0, 47.2], [0, 145.0, 46.1], [0, 0, 1]])


def mesh_of(shape: trimesh.Trimesh, color=(255, 255, 255)) -> Mesh:
    colors = np.tile(np.uint8([color]), (len(shape.vertices), 1))
    return Mesh(np.float32(shape.vertices), np.int32(shape.faces), None, None, colors)


def pose(x=0.0, y=0.0, z=0.5, rotation=None) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = np.eye(3) if rotation is None else rotation
    matrix[:3, 3] = x, y, z
    return matrix


def scenes_of(mesh, cam_from_obj, count=1) -> Scenes:
    """`count` times the same scene."""
    scenes = blank_scenes(count, len(mesh))
    scenes.camera_matrix[:] = CAMERA
    scenes.mesh[:], scenes.cam_from_obj[:] = mesh, cam_from_obj
    return scenes


def random_poses(count: int, seed: int, spread: float, depth: float) -> np.ndarray:
    rotation = random_rotation(count, torch.Generator().manual_seed(seed)).numpy()
    place = np.random.default_rng(seed).normal(size=(count, 3)) * spread + (0, 0, depth)
    return np.stack([pose(*at, rotation=turn) for at, turn in zip(place, rotation, strict=True)])


def rays(height=SIZE, width=SIZE, camera=CAMERA) -> np.ndarray:
    """(H, W, 3) with z = 1."""
    rows, columns = np.indices((height, width))
    return np.stack([columns, rows, np.ones_like(rows)], -1) @ np.linalg.inv(camera).T


def cast(mesh: Mesh, cam_from_obj: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Depth (H, W), infinite where nothing is hit, and the face that is, by trimesh."""
    shape = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    direction = rays().reshape(-1, 3)
    inverse = np.linalg.inv(cam_from_obj)
    origin = np.tile(inverse[:3, 3], (len(direction), 1))
    points, index, face = shape.ray.intersects_location(origin, direction @ inverse[:3, :3].T, multiple_hits=True)
    depth, faces = np.full(len(direction), np.inf), np.zeros(len(direction), int)
    z = (points @ cam_from_obj[:3, :3].T + cam_from_obj[:3, 3])[:, 2]
    for i in np.argsort(-z):
        depth[index[i]], faces[index[i]] = z[i], face[i]
    return depth.reshape(SIZE, SIZE), faces.reshape(SIZE, SIZE)


SHAPES = [
    mesh_of(trimesh.creation.box((0.10, 0.06, 0.08))),
    mesh_of(trimesh.creation.annulus(0.02, 0.05, 0.04, sections=16)),
    mesh_of(trimesh.creation.icosphere(subdivisions=1, radius=0.05)),
    mesh_of(trimesh.Trimesh([[-0.06, -0.06, 0], [0.06, -0.06, 0], [0, 0.08, 0]], [[0, 1, 2]])),
]


@pytest.fixture(scope="module")
def raytracer():
    return Raytracer(SHAPES)


@pytest.mark.parametrize("scan_limit", [0, 1e9], ids=["rays", "scanned"])
@pytest.mark.parametrize("seed", [1, 2])
def test_things_that_hide_each_other_agree_with_ray_casts(raytracer, monkeypatch, scan_limit, seed):
    monkeypatch.setattr(packing, "SCAN_LIMIT", scan_limit)
    mesh = [2, NONE, 0, 3, 1, 0]
    poses = random_poses(len(mesh), seed, 0.04, 0.5)
    rendered = raytracer.render(scenes_of(mesh, poses), SIZE, SIZE)
    alone = {k: cast(SHAPES[m], poses[k]) for k, m in enumerate(mesh) if m != NONE}
    depth = np.stack([alone[k][0] if k in alone else np.full((SIZE, SIZE), np.inf) for k in range(len(mesh))])
    thing = np.where(np.isfinite(depth).any(0), depth.argmin(0), NONE)
    same = rendered.thing[0].numpy() == thing
    assert (~same).sum() <= 3  # rays that graze an edge
    seen = same & (thing != NONE)
    assert len(np.unique(thing[seen])) >= 4 and seen.sum() > 1000
    np.testing.assert_allclose(rendered.depth[0].numpy()[seen], depth.min(0)[seen], atol=1e-5)
    assert (rendered.depth[0].numpy()[same & (thing == NONE)] == 0).all()
    for k, (own, face) in alone.items():
        bit = (rendered.covered[0].numpy() >> k) & 1
        assert (bit != np.isfinite(own)).sum() <= 3
        rows, columns = np.nonzero(np.isfinite(own))
        ours = np.nonzero(bit)
        for a, b in zip((rows, columns), ours, strict=True):
            assert abs(a.min() - b.min()) <= 1 and abs(a.max() - b.max()) <= 1
        mine = seen & (thing == k)
        point = rays()[mine] * depth.min(0)[mine][:, None]
        expected = (point - poses[k, :3, 3]) @ poses[k, :3, :3]
        np.testing.assert_allclose(rendered.position[0].numpy()[mine], expected, atol=1e-5)
        normal = trimesh.Trimesh(SHAPES[mesh[k]].vertices, SHAPES[mesh[k]].faces, process=False).face_normals[
            face[mine]
        ]
        normal = normal @ poses[k, :3, :3].T
        normal *= -np.sign(np.einsum("ni,ni->n", normal, point))[:, None]
        agree = np.einsum("ni,ni->n", normal, rendered.normal[0].numpy()[mine]) > 0.9999
        assert (~agree).sum() <= 0.02 * len(agree)  # along edges, where two faces are met at once


def test_positions_reproject_to_their_pixels(raytracer):
    poses = random_poses(4, 7, 0.04, 0.4)
    rendered = raytracer.render(scenes_of([0, 1, 2, 3], poses), SIZE, SIZE)
    for k in range(4):
        rows, columns = np.nonzero(rendered.thing[0].numpy() == k)
        point = rendered.position[0].numpy()[rows, columns].astype(float) @ poses[k, :3, :3].T + poses[k, :3, 3]
        pixel = point @ CAMERA.T
        np.testing.assert_allclose(pixel[:, :2] / pixel[:, 2:], np.stack([columns, rows], 1), atol=0.01)


def test_covered_is_what_a_rendering_alone_shows(raytracer):
    poses = random_poses(4, 3, 0.03, 0.5)
    together = raytracer.render(scenes_of([0, 1, 2, 3], poses), SIZE, SIZE)
    for k in range(4):
        alone = raytracer.render(scenes_of([k], poses[k]), SIZE, SIZE)
        assert torch.equal(alone.depth > 0, (together.covered >> k) & 1 == 1)


def test_scanned_and_traced_pictures_are_the_same(monkeypatch):
    """Many small triangles, of which each covers a pixel or none: gaps or doubles would show here."""
    fine = mesh_of(trimesh.creation.icosphere(subdivisions=4, radius=0.06), (200, 90, 30))
    raytracer = Raytracer([fine, SHAPES[1]])
    scenes = scenes_of([0, 1], random_poses(2, 5, 0.03, 0.4))
    pictures = []
    for limit in (0, 1e9):
        monkeypatch.setattr(packing, "SCAN_LIMIT", limit)
        pictures.append(raytracer.render(scenes, SIZE, SIZE))
    traced, scanned = pictures
    assert (traced.thing != scanned.thing).sum() <= 1 and (traced.covered != scanned.covered).sum() <= 1
    same = traced.thing == scanned.thing
    torch.testing.assert_close(traced.depth[same], scanned.depth[same], atol=1e-5, rtol=0)
    assert ((traced.color - scanned.color).abs() > 1e-3).any(-1).sum() <= 2


def test_ground_depth_and_what_stands_on_it():
    pictures = np.full((1, 8, 8, 3), 255, np.uint8)
    raytracer = Raytracer(SHAPES, pictures)
    scenes = scenes_of([0], pose(z=0.5))
    normal = np.array([0.1, -0.9, -0.3]) / np.linalg.norm([0.1, -0.9, -0.3])
    scenes.ground["plane"], scenes.ground["picture"] = (*normal, 0.08), 0
    scenes.ground["tint"], scenes.ground["picture_scale"] = (0.5, 0.25, 1.0), 3.0
    rendered = raytracer.render(scenes, SIZE, SIZE)
    with np.errstate(divide="ignore"):
        depth = -0.08 / (rays() @ normal)
    ground = rendered.thing[0].numpy() == 1
    below = (rendered.thing[0].numpy() == NONE) & (depth > 0)
    assert ground.sum() > 1000 and not below.any()
    near = ground & (depth < 5)
    np.testing.assert_allclose(rendered.depth[0].numpy()[near], depth[near], rtol=1e-5)
    np.testing.assert_allclose(rendered.normal[0].numpy()[ground], np.tile(normal, (ground.sum(), 1)), atol=1e-6)
    np.testing.assert_allclose(rendered.color[0].numpy()[ground][:, 1], 0.25, atol=1e-5)
    assert (rendered.position[0].numpy()[ground] == 0).all()
    box, _ = cast(SHAPES[0], pose(z=0.5))
    seen = np.isfinite(box) & ~((depth > 0) & (depth < box))
    assert ((rendered.thing[0].numpy() == 0) != seen).sum() <= 3
    assert (((rendered.covered[0].numpy() & 1) == 1) != np.isfinite(box)).sum() <= 3  # the ground does not count


def test_nothing_behind_around_or_at_all(raytracer):
    empty = raytracer.render(scenes_of([], np.zeros((0, 4, 4))), 20, 30)
    none = raytracer.render(scenes_of([NONE, NONE], np.full((2, 4, 4), np.nan)), 20, 30)
    behind = raytracer.render(scenes_of([0], pose(z=-0.5)), 20, 30)
    for rendered in (empty, none, behind):
        assert rendered.color.shape == (1, 20, 30, 3) and rendered.thing.shape == (1, 20, 30)
        assert (rendered.thing == NONE).all() and not rendered.covered.any() and not rendered.color.any()
        assert not rendered.depth.any() and not rendered.normal.any() and not rendered.position.any()
    inside = raytracer.render(scenes_of([0], pose(z=0.0)), SIZE, SIZE)
    assert (inside.thing == 0).all()
    np.testing.assert_allclose(inside.depth[0].numpy(), cast(SHAPES[0], pose(z=0.0))[0], atol=1e-5)
    # The box reaches from before the camera to behind it, beside the optical axis.
    partly = raytracer.render(scenes_of([0], pose(x=0.06, z=0.02)), SIZE, SIZE)
    expected = np.isfinite(cast(SHAPES[0], pose(x=0.06, z=0.02))[0])
    assert 0 < expected.sum() < SIZE**2
    assert ((partly.thing[0].numpy() == 0) != expected).sum() <= 3
    scenes = scenes_of([0], pose(), count=2)
    no_scene = Scenes(*(getattr(scenes, name)[:0] for name in Scenes.__dataclass_fields__))
    assert raytracer.render(no_scene, 8, 8).color.shape == (0, 8, 8, 3)


def test_scaled_things(raytracer):
    """Distractors may be stretched: the same ray casts hold."""
    matrix = pose(x=0.01, z=0.5, rotation=random_rotation(1, torch.Generator().manual_seed(2))[0].numpy())
    matrix[:3, :3] = matrix[:3, :3] @ np.diag([0.5, 2.0, 1.2])
    rendered = raytracer.render(scenes_of([1], matrix), SIZE, SIZE)
    depth, face = cast(SHAPES[1], matrix)
    seen = (rendered.thing[0].numpy() == 0) & np.isfinite(depth)
    assert ((rendered.thing[0].numpy() == 0) != np.isfinite(depth)).sum() <= 3
    np.testing.assert_allclose(rendered.depth[0].numpy()[seen], depth[seen], atol=1e-5)
    moved = trimesh.Trimesh(SHAPES[1].vertices, SHAPES[1].faces, process=False).apply_transform(matrix)
    cosine = np.einsum("ni,ni->n", rendered.normal[0].numpy()[seen], moved.face_normals[face[seen]])
    assert np.median(np.abs(cosine)) > 0.99999


def test_a_scene_looks_the_same_in_any_batch(raytracer):
    both = scenes_of([0, 2], random_poses(2, 1, 0.02, 0.4), count=2)
    both.light["color"][:, 0], both.light["shadow"], both.light["radius"] = 0.7, 1, 0.3
    both.cam_from_obj[0, 0, 0, 3] += 0.03
    second = Scenes(*(getattr(both, name)[1:] for name in Scenes.__dataclass_fields__))
    a, b = raytracer.render(both, SIZE, SIZE), raytracer.render(second, SIZE, SIZE)
    assert torch.equal(a.color[1], b.color[0]) and not torch.equal(a.color[0], a.color[1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.mesh.fill(7), "expected meshes from -1 to 3, got 7"),
        (lambda s: s.mesh.fill(-2), "expected meshes"),
        (lambda s: s.background["picture"].fill(0), "background: expected pictures"),
        (lambda s: s.material["picture"].fill(3), "material: expected pictures"),
        (lambda s: s.cam_from_obj.fill(np.nan), "finite poses"),
    ],
)
def test_scenes_that_name_what_is_not_there(raytracer, change, message):
    scenes = scenes_of([0], pose())
    change(scenes)
    with pytest.raises(InputError, match=message):
        raytracer.render(scenes, 8, 8)
    with pytest.raises(InputError, match="at most 31 things"):
        raytracer.render(scenes_of([0] * 32, np.tile(np.eye(4), (32, 1, 1))), 8, 8)


def test_pictures_must_be_square():
    with pytest.raises(InputError, match="square"):
        Raytracer([], np.zeros((2, 8, 9, 3), np.uint8))


def test_meshes_without_pictures_and_pictures_without_meshes():
    rendered = Raytracer([], np.full((1, 8, 8, 3), 128, np.uint8))
    scenes = scenes_of([], np.zeros((0, 4, 4)))
    scenes.background["picture"] = 0
    color = rendered.render(scenes, 4, 4).color
    torch.testing.assert_close(color, torch.full((1, 4, 4, 3), float(srgb_table()[128])))
