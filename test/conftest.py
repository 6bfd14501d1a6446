"""What several tests share: a small untrained bundle, an end for everything that a test starts, and the machine kept
free for the others."""

import contextlib
import gc
import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from child_processes import ended_with_the_block, mark_run

from pose_regressor.network.bundle import Bundle
from pose_regressor.network.config import NetworkConfig
from pose_regressor.network.network import PoseNetwork
from pose_regressor.network.weights import Weights
from pose_regressor.types import ObjectModel

torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"  # and whatever a test starts
# Shells start things in the background with this one ignored, and whatever a test starts would ignore it too.
signal.signal(signal.SIGINT, signal.default_int_handler)


mark_run()
with contextlib.suppress(ImportError):  # it is not among what `colcon test` needs
    from hypothesis import settings

    settings.register_profile("tests", deadline=None)  # a busy machine takes its time
    settings.load_profile("tests")


def pytest_collection_finish():
    """Tests that look for leaks collect garbage. They need not search thousands of tests and all imports each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _processes_end_with_their_test():
    with ended_with_the_block():
        yield


def _object(name: str = "brick", obj_id: int = 1) -> ObjectModel:
    """A 20 x 10 x 6 cm cuboid."""
    half = np.array([0.1, 0.05, 0.03])
    rng = np.random.default_rng(0)
    points = rng.uniform(-half, half, (200, 3))
    return ObjectModel(name, obj_id, 2 * float(np.linalg.norm(half)), np.stack([-half, half]), points, points[:8])


def _bundle(*names: str) -> Bundle:
    torch.manual_seed(0)
    objects = tuple(_object(name, number) for number, name in enumerate(names or ("brick",), start=1))
    network = PoseNetwork(NetworkConfig(width=8, blocks=(1, 1, 1, 1)), len(objects))
    return Bundle(Weights.of(network.eval()), objects, {"seed": 0}, {"score": 0.0})


@pytest.fixture
def make_bundle() -> Callable[..., Bundle]:
    """A function of object names (one "brick" if none) to a small untrained bundle that knows them."""
    return _bundle


@pytest.fixture
def tiny_bundle() -> Bundle:
    return _bundle()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the reference data beside the checkout is not here")
    return folder
