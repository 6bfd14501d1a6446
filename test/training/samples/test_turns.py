"""Windows turned by a quarter, against projections of their labels and NumPy's rotation of their pixels."""

from dataclasses import fields

import numpy as np
import pytest
import torch

from pose_regressor.network.config import DENSE_STRIDE, NetworkConfig
from pose_regressor_training.meshes.mesh import load_mesh, object_model
from pose_regressor_training.randomize.background import BackgroundPart
from pose_regressor_training.randomize.clutter import ClutterPart
from pose_regressor_training.randomize.config import RandomizeConfig
from pose_regressor_training.randomize.scene import SceneSampler
from pose_regressor_training.samples.batches import Batch, SceneBatches, SyntheticBatches
from pose_regressor_training.samples.turns import turned
from pose_regressor_training.test_objects import make_box

SIZE, COUNT = 64, 12


@pytest.fixture(scope="module")
def mesh(tmp_path_factory):
    return load_mesh(make_box(tmp_path_factory.mktemp("box")), "m")


@pytest.fixture(scope="module")
def batch(mesh):
    config = RandomizeConfig(background=BackgroundPart(pictures=8), clutter=ClutterPart(shapes=8))
    sampler = SceneSampler(config, [object_model(mesh, "box", 1)], 3)
    return next(iter(SyntheticBatches(SceneBatches(sampler, NetworkConfig(crop_size=SIZE), COUNT, 3, 0, 1), [mesh])))


def projected(batch: Batch, points: torch.Tensor) -> torch.Tensor:
    """Pixels of object points (B, 3, N): (B, 2, N)."""
    seen = batch.camera_matrix.double() @ (batch.cam_from_obj[:, :3, :3].double() @ points.double())
    seen = seen + batch.camera_matrix.double() @ batch.cam_from_obj[:, :3, 3:].double()
    return seen[:, :2] / seen[:, 2:]


def test_labels_of_turned_windows_are_exact(batch, mesh):
    points = torch.tensor(object_model(mesh, "box", 1).points).T.expand(COUNT, -1, -1)
    cells = torch.arange(0, SIZE, DENSE_STRIDE)
    at = torch.stack(torch.meshgrid(cells, cells, indexing="xy")).flatten(1).double()
    assert batch.mask.sum() > 1000
    for _ in range(4):
        pixels = projected(batch, batch.coordinates.flatten(2))
        off = (pixels - at).norm(dim=1)[batch.mask.flatten(1)]
        assert off.max() < 0.02
        corners = projected(batch, points)
        box = torch.cat([corners.amin(2), corners.amax(2)], 1)
        torch.testing.assert_close(batch.box.double(), box, atol=0.02, rtol=1e-4)
        batch = turned(batch)


def test_pixels_move_with_the_labels(batch):
    image = np.rot90(batch.image.numpy(), axes=(2, 3))[:, :, DENSE_STRIDE - 1 :]
    result = turned(batch).image.numpy()
    assert (result[:, :, : SIZE - DENSE_STRIDE + 1] == image).all()
    assert (result[:, :, SIZE - DENSE_STRIDE + 1 :] == image[:, :, -1:]).all()


def test_four_quarters_are_a_whole_turn(batch):
    whole = batch
    for _ in range(4):
        whole = turned(whole)
    for f in fields(Batch):
        if f.name != "image":  # its last rows and columns are gone
            torch.testing.assert_close(getattr(whole, f.name), getattr(batch, f.name), atol=1e-3, rtol=1e-6)
    inner = slice(0, SIZE - DENSE_STRIDE + 1)
    assert (whole.image[:, :, inner, inner] == batch.image[:, :, inner, inner]).all()
