"""A training of seconds: one small object, few pictures and shapes, a tiny network."""

import pickle

import pytest

from pose_regressor_training.calibrate import calibrate, frames, metrics, quantize
from pose_regressor_training.meshes import surface_colors
from pose_regressor_training.processes.torchrun import World
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
    "randomize": {"background": {"pictures": 4}, "clutter": {"shapes": 4}},
}


@pytest.fixture(scope="session", autouse=True)
def coarse_colors():
    """Of the points on an object's surface, which a training only hands on to its bundle."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(surface_colors, "DENSE", 3000)
        yield


@pytest.fixture(scope="session")
def box_file(tmp_path_factory):
    return make_box(tmp_path_factory.mktemp("box"))


@pytest.fixture(scope="session")
def objects(box_file, coarse_colors):
    return read_objects([box_file], ["m"])


@pytest.fixture(scope="session")
def objects_file(objects, tmp_path_factory):
    """The same for other processes, which read them sooner than they would make them."""
    path = tmp_path_factory.mktemp("objects") / "objects.pickle"
    path.write_bytes(pickle.dumps(objects))
    return path


@pytest.fixture(scope="session")
def make_training(objects):
    """A function of a state file and changes to TINY to a training."""

    def make(state, objects=objects, **changes) -> Training:
        return Training(objects, TrainConfig.from_dict(TINY | changes), state, world=World())

    return make


@pytest.fixture
def few_pictures_to_evaluate_on(monkeypatch):
    monkeypatch.setattr(frames, "RANDOMIZE", RandomizeConfig.from_dict(TINY["randomize"]))
    monkeypatch.setattr(frames, "WIDTH", 320)
    monkeypatch.setattr(frames, "HEIGHT", 240)
    for module in (calibrate, metrics, quantize):
        monkeypatch.setattr(module, "FRAMES", 4)
