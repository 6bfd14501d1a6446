"""Every experiment with BPnP, small: it reaches what its full size is there to show."""

import json
import sys

import cv2
import numpy as np
import pytest
import torch

from pose_regressor_training.experiments import bpnp_calibration, bpnp_heatmaps, bpnp_pose, bpnp_sfm
from pose_regressor_training.experiments.board import corners_3d, find_corners, render_board
from pose_regressor_training.experiments.crops import box, rendered_crops
from pose_regressor_training.experiments.rotations import random_rotation


def test_pose_arrives_from_every_start(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["bpnp_pose", "--quick", "--out", str(tmp_path)])
    bpnp_pose.main()
    rows = json.loads((tmp_path / "bpnp_pose.json").read_text())["rows"]
    assert len(rows) == 4
    for row in rows:
        assert row["arrived_percent"] == 100 and row["rotation_error_deg"] < 0.2
        # Without its second term the loss does not care where the points are, as long as the pose is right.
        assert (row["misfit_px"] > 5) == (row["lambda"] == 0)
    assert cv2.imread(str(tmp_path / "bpnp_pose.png")) is not None


@pytest.mark.slow
def test_structure_is_recovered_with_and_without_the_camera():
    rows, _, _ = bpnp_sfm.run(0, bpnp_sfm.QUICK)
    for row in rows:
        assert row["start_structure_error_percent"] > 80
        assert row["structure_error_percent"] < 1


def test_structure_error_knows_the_gauge_and_no_mirror():
    truth = torch.rand(20, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    rotation = random_rotation(1, torch.Generator().manual_seed(2))[0]
    moved = 3 * truth @ rotation.mT + torch.tensor([1.0, -2.0, 5.0])
    assert bpnp_sfm.structure_error(moved, truth) < 1e-12
    assert bpnp_sfm.structure_error(moved * torch.tensor([1.0, 1.0, -1.0]), truth) > 0.2
    shifted = truth + 0.01 * torch.randn(20, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    radius = (truth - truth.mean(0)).square().sum(1).mean().sqrt()
    off = (shifted - truth).square().sum(1).mean().sqrt() / radius
    assert 0.6 * off < bpnp_sfm.structure_error(shifted, truth) < off


def test_calibration_is_exact_and_its_covariance_is_right():
    outcome = bpnp_calibration.run(0, bpnp_calibration.QUICK)
    exact, noisy, board, opencv = outcome.rows
    assert exact["worst_error_percent"] < 1e-6
    # 95 expected of 100, with a standard deviation of 2.2.
    assert 88 <= noisy["within_95_percent"] <= 100
    np.testing.assert_allclose(board["intrinsics"], opencv["intrinsics"], atol=2e-3)
    assert board["worst_error_percent"] < 0.15
    assert all(abs(error) < 3 * sigma for error, sigma in zip(board["error"], board["sigma"], strict=True))


def test_jacobian_of_a_calibration_is_that_of_finite_differences():
    generator = torch.Generator().manual_seed(4)
    truth = torch.tensor(bpnp_calibration.INTRINSICS, dtype=torch.float64)
    points = torch.rand(8, 3, generator=generator, dtype=torch.float64)
    views = bpnp_calibration.random_views(3, 5.0, generator)
    pixels = bpnp_calibration.seen(points, views, bpnp_calibration.camera_from(truth))
    pixels = pixels + torch.randn(pixels.shape, generator=generator, dtype=torch.float64)
    _, jacobian = bpnp_calibration.linearised(pixels[None], points, truth[None])
    for place, step in enumerate(1e-2 * torch.eye(4, dtype=torch.float64)):
        ahead, behind = (bpnp_calibration.linearised(pixels[None], points, truth[None] + s)[0] for s in (step, -step))
        torch.testing.assert_close((ahead - behind)[0] / 2e-2, jacobian[0, :, place], rtol=1e-5, atol=1e-8)


def test_corners_of_the_rendered_board_are_where_the_camera_sees_them():
    camera = np.array([[800.0, 0, 320.5], [0, 780, 239.0], [0, 0, 1]])
    pose = np.eye(4)
    pose[:3, :3] = cv2.Rodrigues(np.array([0.3, -0.4, 0.1]))[0]
    pose[:3, 3] = [-0.1, -0.06, 0.45]
    found = find_corners(render_board(pose[None], camera, 640, 480)[0])
    assert found is not None
    expected = (corners_3d() @ pose[:3, :3].T + pose[:3, 3]) @ camera.T
    expected = expected[:, :2] / expected[:, 2:]
    error = min(np.abs(found - expected).max(), np.abs(found[::-1] - expected).max())
    assert error < 0.15


@pytest.mark.slow
def test_heatmaps_are_learned_from_either_loss():
    mesh, model = box()
    crops = rendered_crops(mesh, model, 8, bpnp_heatmaps.CROP, seed=1)
    size = bpnp_heatmaps.Size(batch=8, steps=1, channels=8)
    start = bpnp_heatmaps.evaluate(bpnp_heatmaps.train("l_h", crops, model, size, 0), crops, model)
    assert start.point_error.median() > 8
    by_heatmap = bpnp_heatmaps.train("l_h", crops, model, bpnp_heatmaps.Size(batch=8, steps=300, channels=8), 0)
    assert bpnp_heatmaps.evaluate(by_heatmap, crops, model).point_error.median() < 2
    by_pose = bpnp_heatmaps.train("l_p", crops, model, bpnp_heatmaps.Size(batch=8, steps=140, channels=8), 0)
    scores = bpnp_heatmaps.evaluate(by_pose, crops, model)
    # The pose is right long before the points are: nothing asks for them.
    assert scores.pose_error.median() < 4 < scores.point_error.median()
