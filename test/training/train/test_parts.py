"""Schedule, average, configuration and objects, each against what it is to be."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
import yaml

from pose_regressor.types import InputError
from pose_regressor_training.randomize.config import load_config
from pose_regressor_training.randomize.shipped import PRESETS, shipped
from pose_regressor_training.test_objects import make_knob
from pose_regressor_training.train.average import Average
from pose_regressor_training.train.config import TrainConfig, documentation, load_preset
from pose_regressor_training.train.objects import read_beside, read_objects
from pose_regressor_training.train.schedule import pace


def test_one_cycle_is_torchs():
    config = TrainConfig(samples=320, batch_size=8, schedule="one_cycle", warmup=0.3, learning_rate=0.01)
    optimizer = torch.optim.AdamW([torch.zeros(1, requires_grad=True)])
    reference = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=40, pct_start=0.3)
    for step in range(40):
        now = pace(config, step)
        group = optimizer.param_groups[0]
        assert now.learning_rate == pytest.approx(group["lr"]) and now.beta1 == pytest.approx(group["betas"][0])
        optimizer.step()
        reference.step()


def test_cosine_rises_straight_and_falls_to_nothing():
    config = TrainConfig(samples=1000, batch_size=1, warmup=0.1, learning_rate=2.0)
    rates = np.array([pace(config, step).learning_rate for step in range(1000)])
    np.testing.assert_allclose(rates[:100], np.linspace(0, 2, 100, endpoint=False))
    middle = 1 + math.cos(math.pi / 2)
    assert rates[550] == pytest.approx(middle) and rates[-1] < 1e-5 and (np.diff(rates[100:]) <= 0).all()


def test_average_is_the_weighted_mean_of_all_steps():
    network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    average, seen = Average(network, 0.8), [network[0].weight.detach().clone()]
    for step in range(40):
        with torch.no_grad():
            network[0].weight += torch.randn(2, 2, generator=torch.Generator().manual_seed(step))
            network[1].num_batches_tracked += 1
        average.update(step)
        seen.append(network[0].weight.detach().clone())
    decay = np.minimum(0.8, (1 + np.arange(40)) / (10 + np.arange(40)))
    assert (decay == 0.8).sum() == 5
    left = np.append(np.cumprod(decay[::-1])[::-1], 1)  # of what was there before each step, at the end
    shares = np.append(left[0], (1 - decay) * left[1:])
    assert shares.sum() == pytest.approx(1)
    expected = sum(float(share) * value for share, value in zip(shares, seen, strict=True))
    torch.testing.assert_close(average.network[0].weight, expected)
    assert average.network[1].num_batches_tracked == 40 and not average.network.training


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"sampels": 3}, "sampels: no such key, expected one of samples"),
        ({"samples": 0}, "samples: expected a whole number from 1"),
        ({"batch_size": 2.5}, "batch_size: expected a whole number"),
        ({"learning_rate": 0}, "learning_rate: expected a number of at least"),
        ({"workers": -1}, "workers: expected a whole number"),
        ({"schedule": "steps"}, "schedule: expected one of cosine, one_cycle"),
        ({"precision": "fp16"}, "precision: expected one of bf16, fp32"),
        ({"losses": {"mesk": 1}}, "losses.mesk: no such key"),
        ({"losses": {"mask": -1}}, "losses.mask: expected a number of at least 0"),
        ({"losses": 3}, "losses: expected a mapping"),
        ({"network": {"wide": 8}}, "network.wide: no such key"),
        ({"network": {"width": 9}}, "network.width: expected a multiple of 8 from 8 to 1024"),
        ({"randomize": {"lihgt": {}}}, "lihgt: no such key"),
        ({"randomize": "nowhere"}, "nowhere: no such file, nor one of the shipped ones"),
        (3, "expected a mapping"),
    ],
)
def test_bad_settings_are_named(values, words):
    with pytest.raises(InputError) as error:
        TrainConfig.from_dict(values)
    assert words in str(error.value)


def test_configurations_say_the_same_when_they_are_read_back():
    config = TrainConfig.from_dict(
        {"losses": {"mask": 0}, "network": {"width": 16}, "randomize": "fixed_light", "samples": 7}
    )
    text = yaml.safe_dump(config.to_dict())
    assert TrainConfig.from_dict(yaml.safe_load(text)) == config and config.randomize.light.random is False


def test_the_documentation_has_every_key():
    page = Path(__file__).resolve().parents[3] / "docs" / "training.md"
    assert documentation() in page.read_text(encoding="utf-8")


def test_presets(tmp_path):
    assert shipped(PRESETS) == ["best", "cpu", "gpu", "quick"]
    for name in shipped(PRESETS):
        load_preset(name)
    own = tmp_path / "own_preset.yaml"
    own.write_text("randomize: upright")
    upright = load_preset(own, {"randomize": {"background": {"pictures": 200}}}).randomize
    assert upright.pose == load_config("upright").pose and upright.background.pictures == 200
    changed = load_preset("cpu", {"seed": 4, "losses": {"pose": 0}, "network": {"width": 16}})
    assert (changed.seed, changed.losses.pose, changed.network.width) == (4, 0, 16)
    assert changed.network.blocks == load_preset("cpu").network.blocks
    (tmp_path / "own.yaml").write_text("sampels: 3\n")
    with pytest.raises(InputError, match=r"own\.yaml: training: sampels: no such key"):
        load_preset(tmp_path / "own.yaml")
    with pytest.raises(InputError, match=r"preset fast: no such file.*best, cpu, gpu, quick"):
        load_preset("fast")


def test_objects_of_one_name_or_id(box_file, tmp_path):
    other = tmp_path / "box.obj"
    other.write_text("never read")
    with pytest.raises(InputError, match=r"box.obj and .*box.obj: expected objects of different names.*--name"):
        read_objects([box_file, other])
    with pytest.raises(InputError, match=r"different ids, both have 3"):
        read_objects([box_file, other], names=["a", "b"], obj_ids=[3, 3])
    with pytest.raises(InputError, match="--unit: expected one for each of the 3 meshes, got 2"):
        read_objects([box_file] * 3, units=["m", "mm"], names=["a", "b", "c"])
    with pytest.raises(InputError, match="expected at least one mesh"):
        read_objects([])


def test_objects_with_names_ids_units_and_symmetries(box_file, tmp_path):
    knob = make_knob(tmp_path)
    numbered = knob.with_name("obj_000012.obj")
    numbered.write_text(knob.read_text())
    one, two = read_objects([box_file, numbered], ["m"])
    assert (one.model.name, one.model.obj_id, two.model.name, two.model.obj_id) == ("box", 1, "obj_000012", 12)
    assert len(one.model.symmetries) == 0 and len(two.model.symmetries) == 3
    assert "3 symmetries" in two.in_words() and "160 x 110 x 60 mm" in one.in_words()


def test_what_stands_beside_may_have_any_names_and_units_of_its_own(tmp_path):
    metres, millimetres = tmp_path / "thing.ply", tmp_path / "thing_mm.ply"
    solid = trimesh.creation.box((0.16, 0.11, 0.06))
    solid.export(metres)
    solid.apply_scale(1000).export(millimetres)
    things = read_beside([metres, millimetres, metres], ["m", "mm", "m"])
    assert [thing.model.name for thing in things] == ["thing_1", "thing_2", "thing_3"]
    assert [thing.model.diameter for thing in things] == pytest.approx([(0.16**2 + 0.11**2 + 0.06**2) ** 0.5] * 3)
    with pytest.raises(InputError, match=r"--beside-unit: expected one for each of the 3 meshes, got 2"):
        read_beside([metres] * 3, ["m", "mm"])
    with pytest.raises(InputError, match=r"none\.ply"):
        read_beside([tmp_path / "none.ply"])
