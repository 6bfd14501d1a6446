"""Scenes as they are drawn: what a switch fixes and what it leaves, exact cameras of windows, who stands where."""

from dataclasses import replace

import numpy as np
import pytest

from pose_regressor.estimation.windows import crop_window, frame_window
from pose_regressor.types import Camera, InputError
from pose_regressor_training.meshes.mesh import load_mesh, object_model
from pose_regressor_training.randomize.background import BackgroundPart
from pose_regressor_training.randomize.config import RandomizeConfig, load_config
from pose_regressor_training.randomize.pictures import PLAIN
from pose_regressor_training.randomize.scene import Drawn, SceneSampler
from pose_regressor_training.randomize.views import FRAME_HEIGHT, FRAME_WIDTH, Kind, WindowSpec, projected_boxes
from pose_regressor_training.scenes import NONE
from pose_regressor_training.test_objects import make_box

SPEC = WindowSpec(size=128, find_scale=0.5, margin=1.4)
COUNT = 200


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return object_model(load_mesh(make_box(tmp_path_factory.mktemp("box")), "m"), "box", 1)


def few_pictures(config: RandomizeConfig) -> RandomizeConfig:
    """And few shapes."""
    clutter = replace(config.clutter, shapes=12)
    return replace(config, background=replace(config.background, pictures=12), clutter=clutter)


def windows(model, config: RandomizeConfig, seed: int = 5) -> Drawn:
    return SceneSampler(few_pictures(config), [model], 1).windows(np.random.default_rng(seed), COUNT, SPEC)


@pytest.fixture(scope="module")
def complete(model):
    return windows(model, RandomizeConfig())


#: What of the scenes each part changes. With the ground go lamps mirrored at it and things that stood on it.
ON_GROUND = {"scenes.ground", "scenes.light", "scenes.mesh", "scenes.cam_from_obj"}
DRAWN_BY = {
    "background": {"scenes.background"} | ON_GROUND,
    "object": {"scenes.material"},
    "light": {"scenes.ambient"} | ON_GROUND,
    "pose": {"views", "scenes.camera_matrix", "shots", "target"} | ON_GROUND,
    "clutter": {"scenes.material"} | ON_GROUND,
    "camera": {"shots"},
}


def flat(drawn: Drawn) -> dict[str, dict[str, np.ndarray]]:
    """The arrays of everything drawn, by what they belong to."""
    groups = {f"scenes.{name}": {name: value} for name, value in vars(drawn.scenes).items()}
    return groups | {"views": vars(drawn.views), "shots": vars(drawn.shots), "target": {"target": drawn.target}}


@pytest.mark.parametrize("part", sorted(DRAWN_BY))
def test_a_switch_leaves_what_the_other_parts_draw(model, complete, part):
    config = RandomizeConfig()
    fixed = windows(model, replace(config, **{part: replace(getattr(config, part), random=False)}))
    before, after = flat(complete), flat(fixed)
    for name in before:
        same = all(np.array_equal(before[name][key], after[name][key]) for key in before[name])
        assert same or name in DRAWN_BY[part], f"{part} changed {name}"
    changed = {
        name for name in before if any(not np.array_equal(before[name][k], after[name][k]) for k in before[name])
    }
    assert changed, f"{part} does nothing"


def test_what_is_fixed_is_the_same_everywhere(model):
    drawn = windows(model, load_config("without_randomization"))
    scenes = drawn.scenes
    for values in (scenes.light, scenes.ambient, scenes.ground["picture"], scenes.material[:, 0], drawn.shots.sigma):
        assert (values == values[:1]).all()
    assert (scenes.background["picture"] == PLAIN).all()
    assert (scenes.mesh[:, 1:] == NONE).all() and (scenes.ground["picture"] == NONE).all()
    np.testing.assert_array_equal(scenes.material["tint"][:, 0], np.broadcast_to(np.eye(3), (COUNT, 3, 3)))
    assert len(np.unique(scenes.cam_from_obj[:, 0, 0, 0])) == COUNT  # poses are as random as ever
    fixed = windows(model, RandomizeConfig(pose=replace(RandomizeConfig().pose, random=False)))
    assert np.ptp(fixed.views.cam_from_obj[fixed.views.kind == Kind.LOOK], axis=0).max() < 1e-12


def test_same_seed_same_scenes_and_another_seed_others(model, complete):
    again, other = windows(model, RandomizeConfig()), windows(model, RandomizeConfig(), seed=6)
    for name, values in flat(again).items():
        for key, value in values.items():
            np.testing.assert_array_equal(value, flat(complete)[name][key])
    assert not np.array_equal(other.scenes.cam_from_obj, complete.scenes.cam_from_obj)


def projected(points: np.ndarray, cam_from_obj: np.ndarray, camera_matrix: np.ndarray) -> np.ndarray:
    pixels = (points @ cam_from_obj[:3, :3].T + cam_from_obj[:3, 3]) @ camera_matrix.T
    return pixels[:, :2] / pixels[:, 2:]


def test_windows_are_exact_cuts_of_the_camera_s_frame(complete, model):
    """A point lands where the frame's own camera puts it, moved with the window; half a pixel included."""
    views = complete.views
    for i in range(COUNT):
        x0, y0, x1, y1 = views.frame[i]
        scale = (x1 - x0) / FRAME_WIDTH
        assert (y1 - y0) / FRAME_HEIGHT == pytest.approx(scale)
        focal = views.camera_matrix[i, 0, 0] / scale
        camera = np.array([[focal, 0, FRAME_WIDTH / 2 - 0.5], [0, focal, FRAME_HEIGHT / 2 - 0.5], [0, 0, 1]])
        in_frame = projected(model.points[:20], views.cam_from_obj[i, 0], camera)
        in_window = projected(model.points[:20], views.cam_from_obj[i, 0], views.camera_matrix[i])
        np.testing.assert_allclose(in_window, (in_frame + 0.5) * scale + (x0, y0), atol=1e-9)
        assert views.detail[i] == pytest.approx(min(1, 1 / scale))


def test_without_jitter_windows_are_those_of_the_runtime(model):
    pose = replace(RandomizeConfig().pose, crop_scale=0.0, crop_shift=0.0, find_scale=0.0)
    views = windows(model, RandomizeConfig(pose=pose)).views
    image = np.zeros((FRAME_HEIGHT, FRAME_WIDTH, 3), np.uint8)
    for i in np.flatnonzero(views.kind != Kind.EMPTY):
        scale = (views.frame[i, 2] - views.frame[i, 0]) / FRAME_WIDTH
        focal = views.camera_matrix[i, 0, 0] / scale
        camera = Camera(
            FRAME_WIDTH, FRAME_HEIGHT, np.array([[focal, 0, 319.5], [0, focal, 239.5], [0, 0, 1]], np.float64)
        )
        if views.kind[i] == Kind.LOOK:
            box = projected_boxes(model.points, views.cam_from_obj[i, 0], camera.matrix)
            expected = crop_window(image, camera, box, SPEC.margin, SPEC.size).camera_matrix
            np.testing.assert_allclose(views.camera_matrix[i], expected, rtol=1e-9, atol=1e-7)
        else:
            expected = frame_window(image, camera, round(SPEC.find_scale * FRAME_WIDTH)).camera_matrix
            np.testing.assert_allclose(views.camera_matrix[i, [0, 1], [0, 1]], expected[[0, 1], [0, 1]])


def test_ranges_of_poses_hold(model, complete):
    views = complete.views
    shares = np.bincount(views.kind, minlength=3) / COUNT
    np.testing.assert_allclose(shares, [0.74, 0.16, 0.1], atol=0.08)
    looks = views.kind == Kind.LOOK
    scale = (views.frame[:, 2] - views.frame[:, 0]) / FRAME_WIDTH
    centre = views.cam_from_obj[:, 0, :3, :3] @ model.bounds.mean(0) + views.cam_from_obj[:, 0, :3, 3]
    apparent = views.camera_matrix[:, 0, 0] / scale * model.diameter / centre[:, 2]
    assert (apparent[looks] > 49).all() and (apparent[looks] < 321).all()
    assert (centre[:, 2] >= 1.5 * model.diameter - 1e-9).all()
    # Uniform over SO(3): the mean rotation is zero and every entry has variance 1/3.
    rotations = views.cam_from_obj[:, 0, :3, :3]
    np.testing.assert_allclose(rotations.mean(0), 0, atol=0.15)
    np.testing.assert_allclose(rotations.var(0), 1 / 3, atol=0.1)
    np.testing.assert_allclose(rotations @ np.swapaxes(rotations, 1, 2), np.broadcast_to(np.eye(3), (COUNT, 3, 3)),
                               atol=1e-12)  # fmt: skip


def test_view_sphere_keeps_the_object_upright(model):
    pose = replace(RandomizeConfig().pose, rotation="view_sphere", elevation=(20, 60), roll=(0, 0))
    rotation = windows(model, RandomizeConfig(pose=pose)).views.cam_from_obj[:, 0, :3, :3]
    seen_from = -rotation[:, 2]  # the camera's forward axis in the object's frame, reversed
    elevation = np.degrees(np.arcsin(seen_from[:, 2]))
    assert elevation.min() > 20 - 1e-9 and elevation.max() < 60 + 1e-9
    np.testing.assert_allclose(rotation[:, 0, 2], 0, atol=1e-12)  # level: the image's x axis is horizontal
    assert (rotation[:, 1, 2] < 0).all()  # up in the object is up in the image


def test_nothing_is_under_the_ground_or_within_an_object(model):
    config = RandomizeConfig(clutter=replace(RandomizeConfig().clutter, ground=1.0, around=(0, 0, 0, 1), limbs=0.0))
    sampler = SceneSampler(few_pictures(config), [model], 1)
    scenes = sampler.windows(np.random.default_rng(0), COUNT, SPEC).scenes
    meshes = sampler.meshes(sampler.shapes.meshes[:1])  # a stand-in for the object, whose place counts
    grounded = np.flatnonzero(scenes.ground["picture"] != NONE)
    assert len(grounded) > COUNT / 2
    touching = 0
    for i in grounded:
        plane = scenes.ground["plane"][i].astype(np.float64)
        assert plane[3] > 0  # the camera is above
        assert (scenes.light["direction"][i] @ plane[:3] > -1e-6).all()
        own = model.points @ scenes.cam_from_obj[i, 0, :3, :3].T + scenes.cam_from_obj[i, 0, :3, 3]
        assert abs((own @ plane[:3] + plane[3]).min()) < 1e-6
        centre = scenes.cam_from_obj[i, 0, :3, :3] @ model.bounds.mean(0) + scenes.cam_from_obj[i, 0, :3, 3]
        for place in np.flatnonzero(scenes.mesh[i, 1:] != NONE) + 1:
            points = meshes[scenes.mesh[i, place]].vertices @ scenes.cam_from_obj[i, place, :3, :3].T
            points = points + scenes.cam_from_obj[i, place, :3, 3]
            height = (points @ plane[:3] + plane[3]).min() / model.diameter
            assert height > -0.05  # as fine as 48 points of a hull know it
            touching += abs(height) < 0.05
            if scenes.mesh[i, 0] != NONE:
                assert np.linalg.norm(points - centre, axis=1).min() > 0.4 * model.diameter
    assert touching > len(grounded)


def test_frames_hold_several_objects_apart(model):
    small = replace(model, name="small", diameter=model.diameter / 2, bounds=model.bounds / 2, points=model.points / 2)
    sampler = SceneSampler(few_pictures(RandomizeConfig()), [model, small], 1)
    drawn = sampler.frames(np.random.default_rng(0), 40, 320, 240, (2, 6))
    there = drawn.scenes.mesh[:, :6] != NONE
    assert there.sum() > 40 * 3 and (there.sum(1) <= 6).all()
    np.testing.assert_array_equal(drawn.target[:, :6][there], drawn.scenes.mesh[:, :6][there])
    assert set(drawn.target[:, :6][there]) == {0, 1}
    others = drawn.target[:, 6:]
    np.testing.assert_array_equal(others[others != NONE], drawn.scenes.mesh[:, 6:][others != NONE])
    assert (others != NONE).any()
    centres = np.stack([model.bounds.mean(0), small.bounds.mean(0)])
    diameter = np.array([model.diameter, small.diameter])
    pose = drawn.scenes.cam_from_obj
    for i in range(40):
        at = np.flatnonzero(drawn.target[i] != NONE)
        which = drawn.target[i, at]
        centre = (pose[i, at, :3, :3] @ centres[which][..., None])[..., 0] + pose[i, at, :3, 3]
        np.testing.assert_allclose(np.linalg.det(pose[i, at, :3, :3]), 1)
        apart = np.linalg.norm(centre[:, None] - centre[None], axis=-1)
        least = (diameter[which][:, None] + diameter[which][None]) / 2
        # What was put around keeps off the objects; two of it may touch.
        first = at < 6
        own = apart[np.ix_(first, first)] + np.diag(np.full(first.sum(), np.inf))
        assert (own > least[np.ix_(first, first)] - 1e-9).all()
        assert (apart[np.ix_(first, ~first)] > least[np.ix_(first, ~first)] - 1e-9).all()
    fixed = np.array([[300.0, 0, 160], [0, 301, 120], [0, 0, 1]])
    drawn = sampler.frames(np.random.default_rng(0), 3, 320, 240, (1, 1), fixed)
    np.testing.assert_array_equal(drawn.scenes.camera_matrix, np.broadcast_to(fixed, (3, 3, 3)))


def test_photographs_of_a_folder(model, tmp_path):
    import cv2

    folder = tmp_path / "photographs"
    (folder / "below").mkdir(parents=True)
    config = RandomizeConfig(background=BackgroundPart(folder=folder, pictures=3, photographs=1.0))
    with pytest.raises(InputError, match=r"photographs: expected photographs \(.jpeg, .jpg, .png\), found none"):
        SceneSampler(config, [model], 1)
    cv2.imwrite(str(folder / "a.png"), np.full((30, 50, 3), (10, 20, 200), np.uint8))
    cv2.imwrite(str(folder / "below" / "b.jpg"), np.full((50, 30, 3), 90, np.uint8))
    sampler = SceneSampler(config, [model], 1)
    assert len(sampler.pictures.bank) == 1 + 3 + 2
    assert (sampler.pictures.bank[4] == (200, 20, 10)).all()
    drawn = sampler.windows(np.random.default_rng(0), 50, SPEC)
    assert set(drawn.scenes.background["picture"]) == {4, 5}
    assert not np.isin(drawn.scenes.material["picture"], [4, 5]).any()
    off = SceneSampler(replace(config, background=replace(config.background, random=False)), [model], 1)
    background = off.windows(np.random.default_rng(0), 50, SPEC).scenes.background
    assert set(background["picture"]) == {4, 5}
    np.testing.assert_array_equal(background["tint"], np.broadcast_to(np.eye(3), (50, 3, 3)))
    (folder / "c.png").write_bytes(b"rubbish")
    with pytest.raises(InputError, match=r"c.png: cannot be read as a picture"):
        SceneSampler(config, [model], 1)


def test_what_stands_beside_is_never_what_is_looked_for(model):
    small = replace(model, name="small", diameter=model.diameter / 2, bounds=model.bounds / 2, points=model.points / 2)
    sampler = SceneSampler(few_pictures(RandomizeConfig()), [model], 1, beside=[small, small])
    drawn = sampler.windows(np.random.default_rng(0), COUNT, SPEC)
    assert set(drawn.target[:, 0]) == {NONE, 0}
    around = drawn.target[:, 1:]
    assert {1, 2} <= set(around[around != NONE])
    stands = around != NONE
    np.testing.assert_array_equal(around[stands], drawn.scenes.mesh[:, 1:][stands])
    np.testing.assert_allclose(np.linalg.det(drawn.scenes.cam_from_obj[:, 1:, :3, :3][stands]), 1)  # in its own size
    before = stands[:, :3] & (drawn.scenes.cam_from_obj[:, 1:4, 2, 3] < drawn.views.cam_from_obj[:, :1, 2, 3])
    assert before.any()
    frames = sampler.frames(np.random.default_rng(0), 20, 320, 240, (2, 4))
    assert set(frames.target[:, :4].flatten()) == {NONE, 0}


def test_ground_under_what_stands(model):
    config = load_config("table")
    drawn = windows(model, replace(config, clutter=replace(config.clutter, ground=1.0, level=1.0)))
    grounded = drawn.scenes.ground["picture"] != NONE
    assert grounded.mean() > 0.5
    up = drawn.views.cam_from_obj[grounded, 0, :3, 2]
    np.testing.assert_allclose(drawn.scenes.ground["plane"][grounded, :3], up, atol=1e-6)
