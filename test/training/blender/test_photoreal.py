"""Cycles against the ray tracer: the same scenes give the same outlines and, under the same simple light, the same
colours. Needs a Python with bpy: this one, or the one that POSE_REGRESSOR_BLENDER_PYTHON names."""

import importlib.util
import os
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from pose_regressor.types import InputError
from pose_regressor_training.blender.photoreal import PYTHON_VARIABLE, Photoreal, render_file
from pose_regressor_training.blender.stage import Settings, Stage, load_stage, prop_of, save_stage
from pose_regressor_training.meshes.mesh import Mesh, load_mesh
from pose_regressor_training.randomize.surface import plain_materials
from pose_regressor_training.raytracer.renderer import Raytracer
from pose_regressor_training.scenes import BACKGROUND, GROUND, LIGHT, LIGHTS, NONE, Scenes
from pose_regressor_training.test_objects import make_box

HAS_BPY = importlib.util.find_spec("bpy") is not None
blender = pytest.mark.skipif(
    not HAS_BPY and PYTHON_VARIABLE not in os.environ, reason=f"no bpy here, and {PYTHON_VARIABLE} names no Python"
)
HEIGHT, WIDTH = 72, 96
BOX, BALL = 0, 1
TOWARDS_LAMP = np.array([0.48, -0.6, -0.64])


@pytest.fixture(scope="module")
def meshes(tmp_path_factory):
    box = load_mesh(make_box(tmp_path_factory.mktemp("box")), "m")
    angle = np.linspace(0, np.pi, 17)
    ring = np.linspace(0, 2 * np.pi, 33)[:-1]
    points = np.stack(
        np.broadcast_arrays(
            np.sin(angle[:, None]) * np.cos(ring), np.sin(angle[:, None]) * np.sin(ring), np.cos(angle[:, None])
        ),
        axis=-1,
    )
    index = np.arange(17 * 32).reshape(17, 32)
    quads = np.stack([index[:-1], index[1:], np.roll(index[1:], -1, 1), np.roll(index[:-1], -1, 1)], -1).reshape(-1, 4)
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    points = points.reshape(-1, 3)
    faces = faces[
        np.linalg.norm(np.cross(*(points[faces[:, [1, 2]]] - points[faces[:, [0]]]).transpose(1, 0, 2)), axis=1) > 1e-9
    ]
    colors = (255 * (0.5 + 0.4 * points)).astype(np.uint8)
    return [box, Mesh((0.08 * points).astype(np.float32), faces.astype(np.int32), None, None, colors)]


@pytest.fixture(scope="module")
def pictures():
    """Large squares of four colours."""
    rows, columns = np.indices((64, 64)) // 16
    colors = np.array([[200, 40, 40], [40, 160, 60], [60, 60, 220], [230, 220, 120]], np.uint8)
    return colors[(rows + 2 * columns) % 4][None]


def turned(x: float, y: float) -> np.ndarray:
    sx, cx, sy, cy = np.sin(x), np.cos(x), np.sin(y), np.cos(y)
    return np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]]) @ np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])


def scene(fy: float = 1.0, ground: bool = False) -> Scenes:
    """A box and a ball side by side, without touching, under a lamp and light from all around; seen off the middle."""
    pose = np.broadcast_to(np.eye(4), (1, 2, 4, 4)).copy()
    pose[0, 0, :3, :3], pose[0, 0, :3, 3] = turned(0.6, 0.5), (-0.12, 0.0, 0.7)
    pose[0, 1, :3, 3] = 0.13, 0.01, 0.75
    light = np.zeros((1, LIGHTS), LIGHT)
    light["direction"] = 0, 0, -1
    light["direction"][0, 0], light["color"][0, 0], light["shadow"][0, 0] = TOWARDS_LAMP, (0.5, 0.45, 0.4), 1
    light["radius"] = 0.001
    ambient = np.zeros((1, 9, 3), np.float32)
    ambient[0, 0] = 0.35, 0.4, 0.45
    ambient[0, 1:4] = 0.05, -0.06, 0.03
    ambient[0, 6] = 0.02
    plane = np.zeros(1, GROUND)
    plane["picture"] = 0 if ground else NONE
    plane["plane"], plane["picture_scale"], plane["tint"] = (0.0, -0.8, -0.6, 0.62), 3.0, (0.9, 0.8, 0.7)
    background = np.zeros(1, BACKGROUND)
    background["picture"] = NONE
    camera = np.array([[[110.0, 0, 44.0], [0, 110.0 * fy, 33.5], [0, 0, 1]]])
    return Scenes(
        camera_matrix=camera,
        mesh=np.array([[BOX, BALL]], np.int32),
        cam_from_obj=pose,
        material=plain_materials((1, 2)),
        light=light,
        ambient=ambient,
        ground=plane,
        background=background,
    )


def finer(scenes: Scenes, factor: int) -> Scenes:
    """The same view in pixels `factor` times as small; pixel centres are whole numbers before and after."""
    scaling = np.diag([factor, factor, 1.0])
    scaling[:2, 2] = (factor - 1) / 2
    return replace(scenes, camera_matrix=scaling @ scenes.camera_matrix)


def pooled(image: torch.Tensor, factor: int) -> torch.Tensor:
    """Means of blocks of pixels: (B, factor H, factor W, C) -> (B, H, W, C)."""
    return torch.nn.functional.avg_pool2d(image.permute(0, 3, 1, 2), factor).permute(0, 2, 3, 1)


@blender
@pytest.mark.slow
@pytest.mark.parametrize("fy", [1.0, 0.9, 1.15])
def test_outlines_agree(meshes, pictures, fy):
    scenes = scene(fy)
    seen = Photoreal(meshes, pictures, samples=64, bounces=0, threads=1, realistic=False)
    alpha = torch.from_numpy(seen.photographs(scenes, HEIGHT, WIDTH)[..., 3])
    fine = Raytracer(meshes, pictures).render(finer(scenes, 8), 8 * HEIGHT, 8 * WIDTH)
    share = pooled((fine.thing >= 0).float()[..., None], 8)[..., 0]
    assert 0.1 < share.mean() < 0.6
    assert (alpha - share).abs().max() < 0.12  # a fifth of a pixel off would be 0.2 along edges
    for axis in torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij"):
        assert (axis * alpha).sum() / alpha.sum() == pytest.approx(float((axis * share).sum() / share.sum()), abs=0.02)


LOOKS = {
    "plain": (np.eye(3), 0.0, NONE),
    "tinted": (0.6 * np.roll(np.eye(3), 1, 0), 0.05, NONE),
    "picture": (np.eye(3), 0.0, 0),
}


@blender
@pytest.mark.slow
@pytest.mark.parametrize("look", LOOKS)
def test_colours_agree_under_the_same_light(meshes, pictures, look):
    scenes = scene(ground=look == "picture")
    scenes.material["tint"], scenes.material["offset"], scenes.material["picture"] = LOOKS[look]
    scenes.material["picture_scale"] = 12.0
    if look == "picture":  # ground below things hides light from all around from it, so there is none
        scenes.ambient[:] = 0
    photograph = Photoreal(meshes, pictures, samples=64, bounces=0, threads=1, realistic=False)
    got = photograph.render(scenes, HEIGHT, WIDTH)
    fine = Raytracer(meshes, pictures).render(finer(scenes, 4), 4 * HEIGHT, 4 * WIDTH)
    expected = pooled(fine.color, 4)
    assert expected.amax() > 0.3
    difference = (got.color - expected).abs()
    assert difference.mean() < 0.01
    assert difference.amax(-1).flatten().quantile(0.95) < 0.05
    for place in (0, 1):
        own = got.thing == place
        np.testing.assert_allclose(got.color[own].mean(0), expected[own].mean(0), rtol=0.03, atol=0.003)


@blender
@pytest.mark.slow
def test_a_real_place_keeps_the_labels_and_does_not_depend_on_the_batch(meshes, pictures):
    one = scene(ground=True)
    moved = scene(ground=True)
    moved.cam_from_obj[0, 1, 0, 3] += 0.02
    both = Scenes(*(np.concatenate(pair) for pair in zip(vars(moved).values(), vars(one).values(), strict=True)))
    renderer = Photoreal(meshes, pictures, samples=4, threads=1)
    alone, second = renderer.render(one, HEIGHT, WIDTH), renderer.render(both, HEIGHT, WIDTH)
    labels = Raytracer(meshes, pictures).render(one, HEIGHT, WIDTH)
    for name in ("thing", "depth", "normal", "position", "covered"):
        assert torch.equal(getattr(alone, name), getattr(labels, name)), name
    torch.testing.assert_close(second.color[1], alone.color[0], rtol=1e-3, atol=1e-3)
    for place in (0, 1):
        assert alone.color[alone.thing == place].mean() > 0.02
    assert alone.color.isfinite().all()


def test_the_file_of_scenes_is_read_as_it_was_written(meshes, pictures, tmp_path):
    stage = Stage(Settings(48, 64, samples=3, realistic=False), scene(), (prop_of(meshes[BOX]), None), pictures)
    save_stage(tmp_path / "scenes.npz", stage)
    read = load_stage(tmp_path / "scenes.npz")
    assert read.settings == stage.settings
    assert read.props[1] is None
    for name, value in vars(stage.scenes).items():
        np.testing.assert_array_equal(getattr(read.scenes, name), value)
    for name, value in vars(stage.props[0]).items():
        np.testing.assert_array_equal(getattr(read.props[0], name), value)


def test_bad_files_and_bad_pythons_are_named(meshes, pictures, tmp_path):
    (tmp_path / "broken.npz").write_bytes(b"no archive")
    with pytest.raises(InputError, match=r"broken\.npz: expected scenes"):
        load_stage(tmp_path / "broken.npz")
    with pytest.raises(InputError, match=r"missing\.npz: no such file"):
        load_stage(tmp_path / "missing.npz")
    nowhere = Photoreal(meshes, pictures, blender_python=tmp_path / "python")
    with pytest.raises(InputError, match="python: cannot be started: No such file"):
        nowhere.render(scene(), HEIGHT, WIDTH)


@pytest.mark.skipif(HAS_BPY, reason="bpy is here")
def test_a_missing_bpy_is_named(meshes, pictures, tmp_path):
    with pytest.raises(InputError, match="pip install bpy"):
        Photoreal(meshes, pictures, blender_python=sys.executable).render(scene(), HEIGHT, WIDTH)
    with pytest.raises(InputError, match="pip install bpy"):
        render_file(tmp_path / "scenes.npz", tmp_path)
