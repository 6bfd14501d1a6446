"""What the node refuses to start with: models, objects and devices that are not there."""

import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from pose_regressor.middleware.pose.managed import open_tracker
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.network.bundle import Bundle
from pose_regressor.network.config import NetworkConfig
from pose_regressor.network.network import PoseNetwork
from pose_regressor.network.weights import Weights
from pose_regressor.types import Camera, Frame, InputError


@pytest.fixture(scope="module")
def bundle(tmp_path_factory, standin):
    """A small network with random weights that knows the stand-in's crate."""
    torch.manual_seed(0)
    config = NetworkConfig(width=8, blocks=(1, 1, 1, 1), crop_size=64, find_size=96)
    path = tmp_path_factory.mktemp("models") / "crate.safetensors"
    Bundle(Weights.of(PoseNetwork(config, 1).eval()), (standin.CRATE,)).save(path)
    return path


def config(bundle, **parameters):
    return NodeConfig(**{"model": (str(bundle),), "device": "cpu", **parameters})


def test_a_good_one_is_ready(bundle):
    tracker = open_tracker(config(bundle, objects=("crate",)))
    camera = Camera(80, 60, np.array([[80.0, 0, 39.5], [0, 80, 29.5], [0, 0, 1]]))
    assert tracker.update(Frame(np.zeros((60, 80, 3), np.uint8), camera)) == []


def test_unknown_model(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.safetensors: no such model"):
        open_tracker(config(tmp_path / "nowhere.safetensors"))


def test_a_file_that_is_no_bundle(tmp_path):
    path = tmp_path / "rubbish.safetensors"
    path.write_bytes(b"not at all")
    with pytest.raises(InputError, match=r"rubbish\.safetensors"):
        open_tracker(config(path))


def test_another_version_of_the_bundle(bundle, tmp_path):
    path = tmp_path / "future.safetensors"
    with safe_open(bundle, "pt") as file:
        header = json.loads(file.metadata()["pose_regressor"])
    header["version"] = 99
    save_file(load_file(bundle), path, {"pose_regressor": json.dumps(header)})
    with pytest.raises(InputError, match=r"future\.safetensors.*version.*99"):
        open_tracker(config(path))


def test_objects_that_the_bundle_does_not_know(bundle):
    with pytest.raises(InputError, match="objects: 'mug' is in none of the bundles, expected one of crate"):
        open_tracker(config(bundle, objects=("mug",)))


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_cuda_asked_for_and_absent(bundle):
    with pytest.raises(InputError, match="device 'cuda'"):
        open_tracker(config(bundle, device="cuda"))
