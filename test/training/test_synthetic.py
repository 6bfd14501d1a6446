"""The generator's pictures and labels, against ray casts by trimesh and against the runtime that reads them."""

import numpy as np
import pytest
import torch
import trimesh

from pose_regressor.geometry.rotation import random_rotation
from pose_regressor.model.config import NetworkConfig
from pose_regressor.model.decode import correspondences, decode_pnp, decode_regression
from pose_regressor.model.heads import BoxOutput, PoseOutput
from pose_regressor_training.losses import box_terms, pose_terms
from pose_regressor_training.metrics import add, add_s, rotation_error
from pose_regressor_training.objects import make_box
from pose_regressor_training.randomize.views import Kind
from pose_regressor_training.render.mesh import load_mesh, object_model
from pose_regressor_training.render.single import Raytracer
from pose_regressor_training.render.single_kernel import LOOK_DTYPE
from pose_regressor_training.synthetic import SyntheticBatches


@pytest.fixture(scope="module")
def mesh(tmp_path_factory):
    return load_mesh(make_box(tmp_path_factory.mktemp("box")), "m")


@pytest.fixture(scope="module")
def model(mesh):
    return object_model(mesh, "box", 1)


@pytest.fixture(scope="module")
def data(mesh, model):
    return SyntheticBatches(mesh, model, NetworkConfig(), batch_size=32, seed=3, start=0, stop=4)


def test_depth_and_colour_agree_with_ray_casts(mesh):
    pose = np.eye(4)
    pose[:3, :3] = random_rotation(1, torch.Generator().manual_seed(5))[0].numpy()
    pose[:3, 3] = [0.01, -0.02, 0.5]
    camera = np.array([[260.0, 0, 47.5], [0, 255, 40.2], [0, 0, 1]])
    look = np.zeros(1, LOOK_DTYPE)
    look["tint"], look["ambient"] = np.eye(3), 1.0
    views = Raytracer(mesh).render(pose[None], camera[None], look, height=80, width=96)
    rows, columns = np.indices((80, 96))
    rays = np.stack([columns, rows, np.ones_like(rows)], -1).reshape(-1, 3) @ np.linalg.inv(camera).T
    scene = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    origin = np.tile(-pose[:3, :3].T @ pose[:3, 3], (len(rays), 1))
    points, index, face = scene.ray.intersects_location(origin, rays @ pose[:3, :3], multiple_hits=False)
    depth = np.zeros(len(rays))
    depth[index] = (points @ pose[:3, :3].T + pose[:3, 3])[:, 2]
    hit = views.depth[0].ravel() > 0
    assert (hit != (depth > 0)).sum() <= 2  # rays that graze an edge
    both = hit & (depth > 0)
    assert both.sum() > 500
    np.testing.assert_allclose(views.depth[0].ravel()[both], depth[both], atol=1e-4)
    barycentric = trimesh.triangles.points_to_barycentric(scene.triangles[face], points)
    uv = np.einsum("ni,nij->nj", barycentric, mesh.uv[face])
    height, width = mesh.texture.shape[:2]
    rows, columns = ((1 - uv[:, 1]) * height).astype(int), (uv[:, 0] * width).astype(int)
    texel = mesh.texture[rows.clip(0, height - 1), columns.clip(0, width - 1)]
    # One texel against the renderer's average over a pixel: equal but for the edges within the print.
    difference = np.abs(views.color[0].reshape(-1, 3)[index] - texel / 255)
    assert np.median(difference) < 0.02


def test_same_seed_same_batches_on_any_number_of_workers(data):
    alone = list(data)
    shared = list(torch.utils.data.DataLoader(data, batch_size=None, num_workers=2))
    for a, b in zip(alone, shared, strict=True):
        assert torch.equal(a.image, b.image) and torch.equal(a.cam_from_obj, b.cam_from_obj)


def test_labels_decode_to_the_true_pose(data, model):
    """What a perfect network would say, read by the runtime's decoder, is the pose that was rendered."""
    batch = next(iter(data))
    checked = 0
    for i in torch.nonzero(batch.kind == Kind.LOOK).flatten().tolist():
        if batch.mask[i].sum() < 100:
            continue
        low, high = torch.tensor(model.bounds).float()
        coordinates = (batch.coordinates[i] - ((low + high) / 2)[:, None, None]) / ((high - low) / 2)[:, None, None]
        found = correspondences(coordinates.numpy()[None], batch.mask[i].float().numpy()[None] - 0.5, model)
        result = decode_pnp(found, batch.camera_matrix[i].double().numpy(), 128)
        assert result is not None
        assert add(result.cam_from_obj, batch.cam_from_obj[i].numpy(), model.points) < 0.002 * model.diameter
        checked += 1
    assert checked >= 15


def test_losses_vanish_at_the_truth(data, model):
    batch = next(iter(data))
    bounds = torch.tensor(model.bounds).float()
    centre, half = bounds.mean(0), (bounds[1] - bounds[0]) / 2
    at = batch.cam_from_obj[:, :3, :3] @ centre + batch.cam_from_obj[:, :3, 3]
    from pose_regressor.geometry.rotation import rotation_to_ray, sixd_from_matrix

    allocentric = rotation_to_ray(at).mT @ batch.cam_from_obj[:, :3, :3]
    pixel = (batch.camera_matrix @ at[..., None])[..., 0]
    shift = (pixel[:, :2] / pixel[:, 2:] - 63.5) / 128
    focal = (batch.camera_matrix[:, 0, 0] * batch.camera_matrix[:, 1, 1]).sqrt()
    location = torch.cat([shift, (focal * model.diameter / (at[:, 2] * 128)).log()[:, None]], 1)
    truth = PoseOutput(
        ((batch.coordinates - centre[:, None, None]) / half[:, None, None])[:, None],
        ((batch.mask.float() - 0.5) * 100)[:, None],
        sixd_from_matrix(allocentric)[:, None],
        location[:, None],
    )
    terms = pose_terms(truth, batch, bounds, torch.tensor(model.keypoints).float(), model.diameter)
    assert all(float(value) < 1e-4 for value in terms.values()), terms
    decoded = decode_regression(truth.rotation_6d[:, 0], location, batch.camera_matrix, 128, model)
    torch.testing.assert_close(decoded, batch.cam_from_obj, atol=2e-4, rtol=1e-3)

    box = (batch.box[:, :2] + batch.box[:, 2:]) / 2 / 8
    rows, columns = torch.meshgrid(torch.arange(16), torch.arange(16), indexing="ij")
    offset = box[:, :, None, None] - torch.stack([columns, rows])
    size = ((batch.box[:, 2:] - batch.box[:, :2]) / 8).log()[:, :, None, None].expand(-1, -1, 16, 16)
    present = (batch.kind == Kind.LOOK) | (batch.kind == Kind.FIND)
    peak = (torch.stack([columns, rows]) == box.round()[:, :, None, None]).all(1) & present[:, None, None]
    logits = torch.where(peak, 20.0, -20.0)[:, None]
    boxes = BoxOutput(logits, torch.cat([offset, size], 1)[:, None])
    assert all(float(value) < 1e-3 for value in box_terms(boxes, batch).values())
    decoded_boxes = boxes.decode()[:, 0][peak]
    torch.testing.assert_close(decoded_boxes, batch.box[peak.any(2).any(1)], atol=1e-2, rtol=1e-3)


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
