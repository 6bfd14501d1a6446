"""A dataset with a simulated depth sensor: the same images, and depth as the sensor measures it beside the true one."""

from dataclasses import replace

import numpy as np
import pytest

from pose_regressor.sources import open_source
from pose_regressor.types import InputError
from pose_regressor_training.generate.plan import Shard
from pose_regressor_training.generate.run import MANIFEST, generate
from test.training.generate.test_generate import assert_same, contents


@pytest.fixture(scope="module")
def measured(tmp_path_factory, job, task_of):
    folder = tmp_path_factory.mktemp("measured") / "dataset"
    generate(task_of(folder, replace(job, sensor="structured_light")))
    return folder


def test_all_else_is_the_same_as_without_a_sensor(dataset, measured):
    one, two = contents(dataset), contents(measured)
    added = {name for name in two if "/depth_sensor/" in name}
    assert {name.replace("/depth_sensor/", "/depth/") for name in added} == {name for name in one if "/depth/" in name}
    assert two.keys() - added == one.keys()
    assert [name for name in one if one[name] != two[name]] == [MANIFEST]


def test_depth_is_near_the_true_one_and_has_the_sensors_steps_and_holes(measured):
    differences, holes = [], []
    for scene in sorted((measured / "train_synt").iterdir()):
        frames = open_source(scene, depth="auto"), open_source(scene, depth=str(scene / "depth_sensor"))
        for true, seen in zip(*frames, strict=True):
            there = true.depth > 0
            assert not seen.depth[~there].any()
            holes.append((seen.depth[there] == 0).mean() if there.any() else 0)
            both = there & (seen.depth > 0)
            differences.append(np.abs(seen.depth - true.depth)[both] / true.depth[both])
    error = np.concatenate(differences)
    assert 0.0005 < np.median(error) < 0.02
    assert 0.05 < np.mean(holes) < 0.6


def test_interrupted_and_shared_out_it_is_the_same(measured, job, tmp_path, task_of):
    def interrupt(done):
        if done == 8:
            raise KeyboardInterrupt

    task = task_of(tmp_path / "set", replace(job, sensor="structured_light"))
    with pytest.raises(KeyboardInterrupt):
        generate(replace(task, shard=Shard(1, 2)), interrupt)
    generate(replace(task, shard=Shard(2, 2), workers=2))
    generate(replace(task, shard=Shard(1, 2), resume=True))
    assert_same(measured, task.folder)


def test_the_sensor_belongs_to_the_dataset(dataset, job, task_of):
    with pytest.raises(InputError, match='sensor was null and is now "stereo"'):
        generate(task_of(dataset, replace(job, sensor="stereo"), resume=True))
    with pytest.raises(InputError, match=r"sensor 'radar': expected one of none, structured_light, stereo, time_of"):
        replace(job, sensor="radar")
