"""The randomization's YAML: what is read, what is refused and in which words, and what is shipped."""

from dataclasses import fields
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import yaml

from pose_regressor.types import InputError
from pose_regressor_training.cli.options import ConfigOption
from pose_regressor_training.randomize.clutter import ClutterPart
from pose_regressor_training.randomize.config import PARTS, RandomizeConfig, documentation, load_config
from pose_regressor_training.randomize.draw import pick, unit_vectors
from pose_regressor_training.randomize.light import LightPart
from pose_regressor_training.randomize.shipped import CONFIGS, shipped

DOCS = Path(__file__).resolve().parents[3] / "docs"


def written(tmp_path, text: str) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return path


def test_the_shipped_rows_only_switch_parts_off():
    rows = [name for name in shipped(CONFIGS) if name not in ("photoreal", "plain", "table", "upright")]
    off = {name: {part for part in PARTS if not getattr(load_config(name), part).random} for name in rows}
    assert off == {
        "complete": set(),
        "fixed_light": {"light"},
        "real_background": {"background"},
        "fixed_object": {"object"},
        "without_randomization": {"background", "object", "light", "clutter", "camera"},
    }
    for name in rows:
        assert load_config(name).to_dict() == {part: {"random": False} for part in PARTS if part in off[name]}


def test_the_commands_help_names_all_that_are_shipped():
    named = get_args(ConfigOption)[1].help.partition("(")[2].partition(")")[0]
    assert sorted(named.split(", ")) == shipped(CONFIGS)


def test_what_is_upright_is_not_seen_every_way_up(tmp_path):
    assert load_config("complete").pose.every_way_up and not load_config("upright").pose.every_way_up
    lying = written(tmp_path, "pose: {rotation: view_sphere, roll: [-180, 180]}")
    assert load_config(lying).pose.every_way_up


def test_a_file_says_what_differs(tmp_path):
    path = written(tmp_path, "light: {exposure: [0.5, 2], lamps: [0, 1]}\npose:\n  rotation: view_sphere\n")
    config = load_config(path)
    assert config.light.exposure == (0.5, 2.0) and config.light.lamps == (0.0, 1.0)
    assert config.pose.rotation == "view_sphere" and config.camera == RandomizeConfig().camera
    again = written(tmp_path, yaml.safe_dump(config.to_dict()))
    assert load_config(again) == config
    assert load_config(written(tmp_path, "")) == RandomizeConfig()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("light: {exposure: [2, 1]}", r"light.exposure: expected \[low, high\] of at least 0.001, got \[2, 1\]"),
        ("light: {exposure: [-1, 1]}", r"light.exposure: expected \[low, high\] of at least 0.001, got \[-1, 1\]"),
        ("light: {exposure: 2}", r"light.exposure: expected \[low, high\] of at least 0.001, got 2"),
        ("light: {exposure: [1, .nan]}", r"light.exposure: expected \[low, high\] of at least 0.001, got \[1, nan\]"),
        ("light: {shadows: 1.5}", "light.shadows: expected a number from 0 to 1, got 1.5"),
        ("light: {exposre: [1, 2]}", "light.exposre: no such key, expected one of random, exposure, "),
        ("ligth: {}", "ligth: no such key, expected one of background, object, light, pose, clutter, camera"),
        ("light: bright", "light: expected a mapping, got 'bright'"),
        ("[1, 2]", r"randomization: expected a mapping of parts, got \[1, 2\]"),
        ("camera: {random: maybe}", "camera.random: expected true or false, got 'maybe'"),
        ("pose: {rotation: sideways}", "pose.rotation: expected one of so3, view_sphere, got 'sideways'"),
        ("pose: {kinds: [0, 0, 0]}", r"pose.kinds: expected 3 numbers of at least 0, not all 0, got \[0, 0, 0\]"),
        ("clutter: {front: [1, 1, 1, 1, 1]}", r"clutter.front: expected 1 to 4 numbers of at least 0, not all 0"),
        ("clutter: {shapes: 2.5}", "clutter.shapes: expected a whole number from 1 to 100000, got 2.5"),
        ("background: {folder: /no/such/folder}", "background.folder: expected an existing folder, got"),
        ("light: [", "expected YAML"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_key(tmp_path, text, words):
    path = written(tmp_path, text)
    with pytest.raises(InputError, match=f"^{path}: {words}"):
        load_config(path)


def test_an_unknown_name_lists_the_shipped_ones():
    with pytest.raises(InputError, match=r"nowhere.yaml: no such file, nor one of the shipped ones \(complete, fixed_"):
        load_config("nowhere.yaml")
    with pytest.raises(InputError, match=r"^clutter.ground: expected a number from 0 to 1, got 7"):
        ClutterPart(ground=7)


def test_every_default_passes_its_own_check():
    for kind in PARTS.values():
        again = kind(**{f.name: getattr(kind(), f.name) for f in fields(kind)})
        assert again == kind()


def test_the_documented_table_is_the_code_s():
    assert documentation() in (DOCS / "generator.md").read_text(encoding="utf-8")


def test_drawing_in_proportion():
    rng = np.random.default_rng(0)
    counts = np.bincount(pick(rng, (1, 0, 3), 40_000), minlength=3) / 40_000
    np.testing.assert_allclose(counts, [0.25, 0, 0.75], atol=0.01)
    directions = unit_vectors(rng, (20_000,))
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1)
    # Uniform over the sphere: every coordinate is uniform in [-1, 1] (Archimedes), of variance 1/3.
    np.testing.assert_allclose(directions.mean(0), 0, atol=0.02)
    np.testing.assert_allclose(directions.var(0), 1 / 3, atol=0.01)
    assert LightPart().random
