"""Things at rest on a plane: they touch it, they would not fall over, they do not stand in each other."""

from dataclasses import replace

import numpy as np
import pytest
import trimesh
from scipy.spatial import ConvexHull

from pose_regressor_training.meshes.mesh import load_mesh, object_model
from pose_regressor_training.randomize.config import load_config
from pose_regressor_training.randomize.resting import Solids
from pose_regressor_training.randomize.scene import SceneSampler
from pose_regressor_training.scenes import NONE
from pose_regressor_training.test_objects import make_box

BRICK = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * (0.1, 0.06, 0.03)
STONE = np.random.default_rng(4).normal(size=(40, 3)) * (0.05, 0.08, 0.04) + (0.3, -0.1, 0.2)
CONE = trimesh.creation.cone(0.04, 0.12).vertices


@pytest.fixture(scope="module")
def lying():
    """(B, 3 things) on planes of any direction, stretched along their axes; with the planes and the scales."""
    rng = np.random.default_rng(0)
    plane = np.concatenate([rng.normal(size=(100, 3)), np.full((100, 1), 0.9)], axis=1)
    plane[:, :3] /= np.linalg.norm(plane[:, :3], axis=1, keepdims=True)
    pose = np.broadcast_to(np.eye(4), (100, 3, 4, 4)).copy()
    scale = rng.uniform(0.6, 1.4, (100, 3, 3))
    scale[:, :, 1:] = scale[:, :, :1]
    scale[:, 0] = rng.uniform(0.9, 1.1, (100, 3))  # a brick keeps its sides under any stretch
    pose[..., :3, :3] *= scale[..., None, :]
    pose[..., :3, 3] = rng.uniform(-0.3, 0.3, (100, 3, 3)) + (0, 0, 2)
    mesh = np.broadcast_to(np.arange(3, dtype=np.int32), (100, 3))
    moved, free = Solids([BRICK, STONE, CONE]).at_rest(rng, mesh, pose, plane)
    return plane, scale, moved, free


@pytest.mark.parametrize(("place", "points"), list(enumerate([BRICK, STONE, CONE])))
def test_things_touch_the_plane_and_would_not_fall_over(lying, place, points):
    plane, _, moved, _ = lying
    for b in range(len(plane)):
        there = points @ moved[b, place, :3, :3].T + moved[b, place, :3, 3]
        height = there @ plane[b, :3] + plane[b, 3]
        assert abs(height.min()) < 1e-9
        on_it = there[height < 1e-6]
        assert len(on_it) >= 3
        axes = np.linalg.svd(plane[b, None, :3])[2][1:]  # two directions along the plane
        outline = ConvexHull(on_it @ axes.T, qhull_options="QJ")
        middle = axes @ there.mean(0)
        assert (outline.equations[:, :2] @ middle + outline.equations[:, 2] < 1e-6).all()


def test_sizes_stay(lying):
    _, scale, moved, _ = lying
    np.testing.assert_allclose(
        np.swapaxes(moved[..., :3, :3], -1, -2) @ moved[..., :3, :3], scale[..., None] ** 2 * np.eye(3), atol=1e-12
    )
    assert (np.linalg.det(moved[..., :3, :3]) > 0).all()


def test_lower_sides_are_likelier():
    rng = np.random.default_rng(1)
    pose = np.broadcast_to(np.eye(4), (2000, 1, 4, 4))
    plane = np.broadcast_to([0.0, -1.0, 0.0, 1.0], (2000, 4))
    moved, _ = Solids([BRICK]).at_rest(rng, np.zeros((2000, 1), np.int32), pose, plane)
    upright = np.abs(moved[:, 0, 1, :3]).round(6)  # which of the brick's axes is vertical
    share = upright.mean(0)
    np.testing.assert_allclose(share.sum(), 1)
    heights = np.array([0.1, 0.06, 0.03])
    np.testing.assert_allclose(share, heights**-2 / (heights**-2).sum(), atol=0.04)


def test_frames_of_the_photoreal_configuration_are_at_rest(tmp_path):
    mesh = load_mesh(make_box(tmp_path), "m")
    config = load_config("photoreal")
    sampler = SceneSampler(config, [object_model(mesh, "box", 1)], 0)
    drawn = sampler.frames(np.random.default_rng(0), 20, 320, 240, (1, 3))
    meshes = sampler.meshes([mesh])
    scenes = drawn.scenes
    grounded = scenes.ground["picture"] != NONE
    assert grounded.all()
    counted = 0
    for b, place in zip(*np.nonzero((scenes.mesh != NONE) & grounded[:, None]), strict=True):
        pose = scenes.cam_from_obj[b, place]
        points = meshes[scenes.mesh[b, place]].vertices @ pose[:3, :3].T + pose[:3, 3]
        height = points @ scenes.ground["plane"][b, :3] + scenes.ground["plane"][b, 3]
        assert -2e-3 < height.min() < 1e-6  # the box is known by samples of its surface
        assert points[:, 2].min() > 0
        counted += 1
    assert counted > 40
    np.testing.assert_array_equal(scenes.cam_from_obj[:, : drawn.views.model.shape[1]], drawn.views.cam_from_obj)

    still = replace(config, pose=replace(config.pose, resting=0.0))
    other = SceneSampler(still, [object_model(mesh, "box", 1)], 0).frames(
        np.random.default_rng(0), 20, 320, 240, (1, 3)
    )
    np.testing.assert_array_equal(other.scenes.light, scenes.light)
    np.testing.assert_array_equal(other.scenes.ground, scenes.ground)
