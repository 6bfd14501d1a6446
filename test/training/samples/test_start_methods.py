"""Python 3.14 starts processes by a fork server unless told otherwise: workers make the same batches there."""

import subprocess
import sys

SCRIPT = """
import multiprocessing
import sys
from dataclasses import fields

import torch

from pose_regressor.network.config import NetworkConfig
from pose_regressor_training.meshes.mesh import load_mesh, object_model
from pose_regressor_training.randomize.background import BackgroundPart
from pose_regressor_training.randomize.clutter import ClutterPart
from pose_regressor_training.randomize.config import RandomizeConfig
from pose_regressor_training.randomize.scene import SceneSampler
from pose_regressor_training.samples.batches import SceneBatches, SyntheticBatches
from pose_regressor_training.test_objects import make_box

if __name__ == "__main__":
    mesh = load_mesh(make_box(sys.argv[1]), "m")
    config = RandomizeConfig(background=BackgroundPart(pictures=4), clutter=ClutterPart(shapes=4))
    sampler = SceneSampler(config, [object_model(mesh, "box", 1)], seed=3)
    data = SyntheticBatches(SceneBatches(sampler, NetworkConfig(), batch_size=4, seed=3, start=0, stop=3), [mesh])
    alone = list(data)
    for method in ("forkserver", "spawn"):  # test_batches.py forks
        multiprocessing.set_start_method(method, force=True)
        for a, b in zip(alone, data.loader(1), strict=True):
            assert all(torch.equal(getattr(a, field.name), getattr(b, field.name)) for field in fields(a))
        print(method, "the same")
"""


def test_workers_make_the_same_batches(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    command = [sys.executable, str(script), str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.stdout == "forkserver the same\nspawn the same\n", result.stderr
