"""Photographs behind the object: which squares are cut from them, and what is refused in which words."""

from dataclasses import fields, replace

import cv2
import numpy as np
import pytest

from pose_regressor.types import InputError, ObjectModel
from pose_regressor_training.meshes.mesh import Mesh, object_model
from pose_regressor_training.meshes.primitives import cuboid
from pose_regressor_training.randomize.background import BackgroundPart
from pose_regressor_training.randomize.clutter import ClutterPart
from pose_regressor_training.randomize.config import RandomizeConfig, with_photographs
from pose_regressor_training.randomize.photographs import MOST, SHARE, SQUARES, squares, squares_each
from pose_regressor_training.randomize.scene import SceneSampler
from pose_regressor_training.randomize.views import WindowSpec

WIDTH, HEIGHT = 240, 160


def write(path, picture=None):
    """A photograph whose red is the column and whose green is the row."""
    if picture is None:
        row, column = np.indices((HEIGHT, WIDTH))
        picture = np.stack([np.zeros_like(row), row, column], -1).astype(np.uint8)  # BGR
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), picture)


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "photos" / "place.png")
    write(tmp_path / "photos" / "below" / "other.JPG", np.full((90, 60, 3), 200, np.uint8))
    return tmp_path / "photos"


@pytest.fixture(scope="module")
def model() -> ObjectModel:
    vertices, polygons = cuboid((0.16, 0.11, 0.06))
    faces = np.array([[face[0], face[i], face[i + 1]] for face in polygons for i in (1, 2)], np.int32)
    colors = np.full((len(vertices), 3), 200, np.uint8)
    return object_model(Mesh(vertices.astype(np.float32), faces, None, None, colors), "block", 1)


def test_squares_lie_within_the_photograph_and_have_all_sizes(folder):
    cut = list(squares(folder, 64, 40, seed=3))
    assert len(cut) == 80 and all(square.shape == (64, 64, 3) for square in cut)
    own = np.array(cut[40:]).astype(np.float64)  # `below` comes first
    assert (own[..., 2] < 3).all()
    # Columns and rows rise by the same amount: the square is not distorted, mirrored or turned.
    across, down = np.ptp(own[..., 0].mean(1), axis=1), np.ptp(own[..., 1].mean(2), axis=1)
    np.testing.assert_allclose(across, down, atol=1.5)
    edge = across * 64 / 63
    np.testing.assert_allclose(own[0, :, :, 0].mean(), (WIDTH - 1) / 2, atol=1)
    np.testing.assert_allclose(edge[0], HEIGHT, atol=3)
    assert (edge > SHARE[0] * HEIGHT - 3).all() and edge.min() < 0.45 * HEIGHT and np.ptp(own[:, 0, 0, 0]) > 60


def test_squares_depend_on_the_seed_alone(folder):
    first, again, other = (np.array(list(squares(folder, 32, 5, seed))) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first[[0, 5]] == other[[0, 5]]).all() and (first[6:] != other[6:]).any()


def test_few_photographs_give_more_squares_each(folder, monkeypatch):
    assert squares_each(folder) == MOST
    monkeypatch.setattr("pose_regressor_training.randomize.photographs.SQUARES", 6)
    assert squares_each(folder) == 3
    monkeypatch.setattr("pose_regressor_training.randomize.photographs.SQUARES", 1)
    assert squares_each(folder) == 1
    assert SQUARES >= MOST


def test_photographs_change_nothing_but_the_backgrounds(folder, model):
    plain = RandomizeConfig(background=BackgroundPart(pictures=5), clutter=ClutterPart(shapes=3))
    config = with_photographs(plain, folder)
    assert with_photographs(plain, None) == plain
    assert config == replace(plain, background=replace(plain.background, folder=folder, squares=MOST))
    spec = WindowSpec(64, 0.5, 1.4)
    before, after = (
        SceneSampler(each, [model], 7, picture_size=32).windows(np.random.default_rng(0), 60, spec).scenes
        for each in (plain, config)
    )
    for name in (f.name for f in fields(before) if f.name != "background"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
    taken = after.background["picture"] > 5
    assert 0.3 < taken.mean() < 0.7 and len(set(after.background["picture"][taken])) > 8
    assert (before.background["picture"] <= 5).all()


def test_what_cannot_be_used_is_said_with_its_path(folder, tmp_path):
    config = RandomizeConfig()
    with pytest.raises(InputError, match=r"^--photos .*nowhere: expected an existing folder of photographs$"):
        with_photographs(config, tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"^.*empty: expected photographs \(.jpeg, .jpg, .png\), found none$"):
        with_photographs(config, tmp_path / "empty")
    whole = (folder / "below" / "other.JPG").read_bytes()
    broken = folder / "broken.jpg"
    for content in (b"", b"<html>", whole[: len(whole) // 2]):
        broken.write_bytes(content)
        with pytest.raises(InputError, match=r"^.*broken.jpg: cannot be read as a picture: .*; remove it from the"):
            with_photographs(config, folder)
