"""A training of seconds: one small object, few pictures, a tiny network."""

import pytest

from pose_regressor_training.calibrate import calibrate, frames, metrics
from pose_regressor_training.processes.torchrun import World
from pose_regressor_training.randomize.background import BackgroundPart
from pose_regressor_training.randomize.config import RandomizeConfig
from pose_regressor_training.test_objects import make_box
from pose_regressor_training.train.config import TrainConfig
from pose_regressor_training.train.objects import read_objects
from pose_regressor_training.train.training import Training

TINY = {
    "samples": 64,
    "batch_size": 8,
    "workers": 0,
    "log_every": 3,
    "save_every": 2,
    "network": {"width": 8, "blocks": [1, 1, 1, 1], "crop_size": 64},
    "randomize": {"background": {"pictures": 20}},
}


@pytest.fixture(scope="session")
def box_file(tmp_path_factory):
    return make_box(tmp_path_factory.mktemp("box"))


@pytest.fixture(scope="session")
def objects(box_file):
    return read_objects([box_file], ["m"])


@pytest.fixture(scope="session")
def make_training(objects):
    """A function of a state file and changes to TINY to a training."""

    def make(state, objects=objects, **changes) -> Training:
        return Training(objects, TrainConfig.from_dict(TINY | changes), state, world=World())

    return make


@pytest.fixture
def few_pictures_to_evaluate_on(monkeypatch):
    monkeypatch.setattr(frames, "RANDOMIZE", RandomizeConfig(background=BackgroundPart(pictures=20)))
    for module in (calibrate, metrics):
        monkeypatch.setattr(module, "FRAMES", 8)
