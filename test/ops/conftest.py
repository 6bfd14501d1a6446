"""Correspondences with known poses."""

from typing import NamedTuple

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from pose_regressor.ops.extension import why_missing
from pose_regressor.ops.pnp import compiled

CAMERA = np.array([[600.0, 0, 320], [0, 630, 240], [0, 0, 1]])


class Scene(NamedTuple):
    """points_2d (B, N, 2), points_3d (B, N, 3), camera_matrix (3, 3), rotation (B, 3, 3), translation (B, 3)."""

    points_2d: Tensor
    points_3d: Tensor
    camera_matrix: Tensor
    rotation: Tensor
    translation: Tensor

    @property
    def inputs(self) -> tuple[Tensor, Tensor, Tensor]:
        return self[:3]


def _scene(batch: int, count: int, noise: float = 0.0, shape: str = "general", seed: int = 0) -> Scene:
    """Points of +-1, 3 to 8 away. shape: general, planar, or thin (nearly on a line)."""
    rng = np.random.default_rng(seed)
    points = (
        rng.uniform(-1, 1, (batch, count, 3))
        * {"general": [1, 1, 1], "planar": [1, 1, 0], "thin": [1, 0.05, 0.05]}[shape]
    )
    rotation = Rotation.random(batch, random_state=seed).as_matrix()
    translation = rng.uniform([-1, -1, 3], [1, 1, 8], (batch, 3))
    translation[:, :2] *= 0.3 * translation[:, 2:]
    homogeneous = (points @ rotation.transpose(0, 2, 1) + translation[:, None]) @ CAMERA.T
    pixels = homogeneous[..., :2] / homogeneous[..., 2:] + noise * rng.normal(size=(batch, count, 2))
    return Scene(*(torch.from_numpy(np.ascontiguousarray(v)) for v in (pixels, points, CAMERA, rotation, translation)))


@pytest.fixture
def make_scene():
    """A function of (batch, count, noise, shape, seed)."""
    return _scene


@pytest.fixture(params=["torch", "compiled"])
def either_pnp(request, monkeypatch):
    """The test runs with the torch layer, and with the compiled extension."""
    if request.param == "torch":
        monkeypatch.setattr(compiled, "can_take", lambda inputs: False)
    elif reason := why_missing("pnp_gradients", "cpu"):
        pytest.skip(reason)
