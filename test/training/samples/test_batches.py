"""The generator's pictures and labels, against ray casts by trimesh and against the runtime that reads them."""

from dataclasses import fields

import numpy as np
import pytest
import torch

from pose_regressor.estimation.correspondences import correspondences
from pose_regressor.estimation.decode import decode_pnp
from pose_regressor.geometry.errors import add, rotation_error
from pose_regressor.network.config import NetworkConfig
from pose_regressor_training.evaluate.errors import add_s
from pose_regressor_training.meshes.mesh import load_mesh, object_model
from pose_regressor_training.randomize.background import BackgroundPart
from pose_regressor_training.randomize.clutter import ClutterPart
from pose_regressor_training.randomize.config import RandomizeConfig
from pose_regressor_training.randomize.pose import PosePart
from pose_regressor_training.randomize.scene import SceneSampler
from pose_regressor_training.randomize.views import Kind, projected_boxes
from pose_regressor_training.samples.batches import SceneBatches, SyntheticBatches
from pose_regressor_training.samples.generator import Generator
from pose_regressor_training.samples.labels import boxes_of, keypoints, masks, silhouettes
from pose_regressor_training.test_objects import make_box


@pytest.fixture(scope="module")
def mesh(tmp_path_factory):
    return load_mesh(make_box(tmp_path_factory.mktemp("box")), "m")


@pytest.fixture(scope="module")
def model(mesh):
    return object_model(mesh, "box", 1)


@pytest.fixture(scope="module")
def data(mesh, model):
    config = RandomizeConfig(background=BackgroundPart(pictures=8), clutter=ClutterPart(shapes=8))
    sampler = SceneSampler(config, [model], seed=3)
    return SyntheticBatches(SceneBatches(sampler, NetworkConfig(), batch_size=32, seed=3, start=0, stop=4), [mesh])


def test_same_seed_same_batches_on_any_number_of_workers(data):
    alone = list(data)
    assert len(alone) == 4
    for workers in (1, 2):
        shared = list(data.loader(workers))
        for a, b in zip(alone, shared, strict=True):
            for field in fields(a):
                assert torch.equal(getattr(a, field.name), getattr(b, field.name)), (workers, field.name)


def test_scenes_drawn_by_workers_and_rendered_here_are_the_same(data):
    """The way of training on a GPU, with the CPU in its place."""
    drawn = torch.utils.data.DataLoader(data.scenes, batch_size=None, num_workers=2)
    for a, b in zip(data, data._rendered(drawn), strict=True):
        assert torch.equal(a.image, b.image) and torch.equal(a.box, b.box)


def test_labels_decode_to_the_true_pose(data, model):
    """What a perfect network would say, read by the runtime's decoder, is the pose that was rendered."""
    batch = next(iter(data))
    checked = 0
    for i in torch.nonzero(batch.kind == Kind.LOOK).flatten().tolist():
        if batch.mask[i].sum() < 100:
            continue
        low, high = torch.tensor(model.bounds).float()
        coordinates = (batch.coordinates[i] - ((low + high) / 2)[:, None, None]) / ((high - low) / 2)[:, None, None]
        mask = batch.mask[i].float().numpy()[None] - 0.5
        found = correspondences(coordinates.numpy()[None], mask, np.zeros_like(mask), model)
        (result,) = decode_pnp([found], [batch.camera_matrix[i].double().numpy()], 128)
        assert result is not None
        assert add(result.cam_from_obj, batch.cam_from_obj[i].numpy(), model.points) < 0.002 * model.diameter
        checked += 1
    assert checked >= 15


def test_the_object_itself_around(mesh, model):
    """Once more in the picture it is known where, and a window without its object is none where it stands around."""
    config = RandomizeConfig(
        background=BackgroundPart(pictures=8),
        clutter=ClutterPart(around=(0, 0, 0, 0, 0, 0, 1.0), twins=1.0),
        pose=PosePart(kinds=(0.5, 0.0, 0.5)),
    )
    sampler = SceneSampler(config, [model], seed=3)
    scenes = SceneBatches(sampler, NetworkConfig(), 32, 3, 0, 1)
    batch = next(iter(SyntheticBatches(scenes, [mesh])))
    drawn = next(iter(scenes))
    again = batch.other_model == 0
    assert again.sum() > 32 and not (batch.other_model > 0).any()
    assert not (again.any(1) & (batch.kind == Kind.EMPTY)).any()
    without = torch.from_numpy(drawn.views.kind == Kind.EMPTY)
    assert (batch.kind[without & again.any(1)] == Kind.IGNORE).all() and (without & again.any(1)).sum() > 5
    assert (batch.kind[without & ~again.any(1)] == Kind.EMPTY).all()
    rendering = Generator(sampler, [mesh]).taken(drawn, 128, 128).rendering
    checked = 0
    for b, k in again.nonzero().tolist():
        rows, columns = (rendering.thing[b] == k + 1).nonzero().unbind(1)
        if len(rows):
            x0, y0, x1, y1 = batch.other_box[b, k].tolist()
            slack = 1 + 0.05 * max(x1 - x0, y1 - y0)  # of a few points of the hull
            assert x0 - slack < columns.min() and columns.max() < x1 + slack
            assert y0 - slack < rows.min() and rows.max() < y1 + slack
            checked += 1
    assert checked > 10


def test_a_part_of_every_batch(data):
    """For processes that share the work: together they have the whole."""
    whole = next(iter(data))
    scenes = data.scenes
    parts = [
        next(iter(SyntheticBatches(SceneBatches(scenes.sampler, NetworkConfig(), 32, 3, 0, 1, (i, 3)), data.meshes)))
        for i in range(3)
    ]
    assert [len(part.image) for part in parts] == [11, 11, 10]
    for i, part in enumerate(parts):
        for field in fields(part):
            assert torch.equal(getattr(part, field.name), getattr(whole, field.name)[i::3]), field.name


def test_errors_of_known_poses(model):
    truth = np.eye(4)
    moved = np.eye(4)
    moved[:3, 3] = [0.003, 0, 0.004]
    assert add(moved, truth, model.points) == pytest.approx(0.005)
    assert add_s(moved, truth, model.points) <= 0.005
    turned = np.diag([-1.0, -1, 1, 1])
    assert rotation_error(turned, truth) == pytest.approx(np.pi)
    square = np.array([[x, y, 0.0] for x in (-1, 1) for y in (-1, 1)])
    assert add_s(turned, truth, square) == pytest.approx(0, abs=1e-12) and add(turned, truth, square) > 2


@pytest.fixture(scope="module")
def frames(data, mesh):
    generator = Generator(data.scenes.sampler, [mesh])
    return generator.frames(np.random.default_rng(2), 6, 160, 120, (2, 4))


def test_masks_and_boxes_of_what_is_rendered(frames, model):
    whole, seen = masks(frames.rendering, 4)
    known = silhouettes(frames.rendering, 4)
    there = torch.from_numpy(frames.drawn.target[:, :4] >= 0)
    assert not whole[~there].any() and (known.box[~there] == -1).all()
    assert (seen & ~whole).sum() == 0
    assert torch.equal(known.visible, seen.sum((2, 3))) and (known.fraction <= 1).all()
    partly = (known.fraction > 0.05) & (known.fraction < 0.95)
    assert partly.any(), "nothing hides anything: the test looks at nothing"
    scenes = frames.drawn.scenes
    checked = 0
    for b, place in torch.nonzero(there & (known.pixels > 0)).tolist():
        rows, columns = np.nonzero(whole[b, place].numpy())
        expected = [columns.min(), rows.min(), columns.max(), rows.max()]
        assert known.box[b, place].tolist() == expected
        drawn = projected_boxes(model.points, scenes.cam_from_obj[b, place], scenes.camera_matrix[b])
        if drawn[0] > 1 and drawn[1] > 1 and drawn[2] < 158 and drawn[3] < 118:
            np.testing.assert_allclose(expected, drawn, atol=1.6)  # 1,000 points of the surface miss its corners
            checked += 1
    assert checked >= 3
    assert boxes_of(torch.zeros(2, 5, 6, dtype=torch.bool)).tolist() == [[-1] * 4] * 2


def test_keypoints_are_seen_where_the_surface_is(frames, model):
    scenes, rendering = frames.drawn.scenes, frames.rendering
    there = frames.drawn.target[:, :4] >= 0
    points = torch.tensor(model.keypoints).expand(6, 4, -1, -1)
    pose, camera = torch.from_numpy(scenes.cam_from_obj[:, :4]), torch.from_numpy(scenes.camera_matrix)
    pixels, visible = keypoints(rendering, points, pose, camera, torch.full((6, 4), model.diameter))
    assert not visible[~torch.from_numpy(there)].any()
    seen = 0
    for b, place in np.argwhere(there):
        at = model.keypoints @ scenes.cam_from_obj[b, place, :3, :3].T + scenes.cam_from_obj[b, place, :3, 3]
        expected = at @ scenes.camera_matrix[b].T
        np.testing.assert_allclose(pixels[b, place], expected[:, :2] / expected[:, 2:], atol=1e-9)
        for k in np.flatnonzero(visible[b, place]):
            column, row = pixels[b, place, k].round().long().tolist()
            near = rendering.position[b, max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2].reshape(-1, 3)
            pixel = at[k, 2] / scenes.camera_matrix[b, 0, 0]
            error = np.linalg.norm(near.numpy() - model.keypoints[k], axis=1).min()
            assert error < 0.03 * model.diameter + 2 * pixel
            seen += 1
    assert 20 < seen < 0.8 * there.sum() * len(model.keypoints)  # a box hides the half of its corners


def test_what_is_beside_has_no_channel(mesh, model):
    """Its box is nobody's, and a window in which it stands is an example of the object's absence."""
    config = RandomizeConfig(background=BackgroundPart(pictures=8), clutter=ClutterPart(shapes=8))
    sampler = SceneSampler(config, [model], seed=3, beside=[model])
    scenes = SceneBatches(sampler, NetworkConfig(), batch_size=64, seed=3, start=0, stop=1)
    batch = next(iter(SyntheticBatches(scenes, [mesh, mesh])))
    beside = (next(iter(scenes)).target[:, 1:] == 1).any(1)
    assert beside.sum() > 5 and not (batch.other_model > 0).any()
    assert set(batch.model.tolist()) == {0}
