"""Python 3.14 starts processes by a fork server unless told otherwise: workers make the same batches there."""

import subprocess
import sys

import pytest

SCRIPT = """
import multiprocessing
import sys
from dataclasses import fields

import torch

from pose_regressor.network.config import NetworkConfig
from pose_regressor_training.meshes.mesh import load_mesh, object_model
from pose_regressor_training.randomize.background import BackgroundPart
from pose_regressor_training.randomize.config import RandomizeConfig
from pose_regressor_training.randomize.scene import SceneSampler
from pose_regressor_training.samples.batches import SceneBatches, SyntheticBatches
from pose_regressor_training.test_objects import make_box

if __name__ == "__main__":
    multiprocessing.set_start_method(sys.argv[1])
    mesh = load_mesh(make_box(sys.argv[2]), "m")
    config = RandomizeConfig(background=BackgroundPart(pictures=5))
    sampler = SceneSampler(config, [object_model(mesh, "box", 1)], seed=3)
    data = SyntheticBatches(SceneBatches(sampler, NetworkConfig(), batch_size=4, seed=3, start=0, stop=3), [mesh])
    for a, b in zip(data, data.loader(2), strict=True):
        assert all(torch.equal(getattr(a, field.name), getattr(b, field.name)) for field in fields(a))
    print("the same")
"""


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_workers_make_the_same_batches(tmp_path, method):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    command = [sys.executable, str(script), method, str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.stdout == "the same\n", result.stderr
