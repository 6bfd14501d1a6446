"""A mesh for the small untrained bundle, and small frames that are drawn from few pictures."""

import numpy as np
import pytest
import trimesh

from pose_regressor_training.calibrate import frames
from pose_regressor_training.meshes.mesh import Mesh
from pose_regressor_training.randomize.config import RandomizeConfig


@pytest.fixture
def brick(tiny_bundle):
    """The mesh of the bundle's object, grey."""
    box = trimesh.creation.box(2 * tiny_bundle.objects[0].bounds[1])
    grey = np.full((8, 3), 99, np.uint8)
    return Mesh(box.vertices.astype(np.float32), box.faces.astype(np.int32), None, None, grey)


@pytest.fixture(autouse=True)
def few_pictures(monkeypatch):
    config = RandomizeConfig.from_dict({"background": {"pictures": 4}, "clutter": {"shapes": 8}})
    monkeypatch.setattr(frames, "RANDOMIZE", config)
    monkeypatch.setattr(frames, "WIDTH", 320)
    monkeypatch.setattr(frames, "HEIGHT", 240)
