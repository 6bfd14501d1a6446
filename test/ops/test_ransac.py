"""Poses of correspondences that are largely wrong, and the three-point solver behind them."""

import cv2
import numpy as np
import pytest
import torch

from pose_regressor.ops.pnp import Status, bpnp, ransac_pnp
from pose_regressor.ops.pnp.p3p import four_point_pose
from pose_regressor.types import InputError


def spoil(scene, share, seed=0):
    """That share of the pixels thrown somewhere into the image; (B, N) bool which."""
    generator = torch.Generator().manual_seed(seed)
    wrong = torch.rand(scene.points_2d.shape[:2], generator=generator) < share
    anywhere = torch.rand(scene.points_2d.shape, generator=generator).double() * torch.tensor([640.0, 480.0])
    return torch.where(wrong[..., None], anywhere, scene.points_2d), wrong


@pytest.mark.parametrize("shape", ["general", "planar"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.6])
def test_outliers_do_not_matter(make_scene, shape, share):
    """What it ends with is the optimum over the right ones, as near as if nobody had added the others."""
    scene = make_scene(30, 100, 1.0, shape)
    pixels, wrong = spoil(scene, share)
    result = ransac_pnp(pixels, *scene.inputs[1:], threshold=4.0)
    assert (result.status == Status.OK).all()
    assert result.inliers[~wrong].double().mean() > 0.99
    assert result.inliers[wrong].sum() < 0.05 * max(1, wrong.sum())
    best = bpnp(pixels, *scene.inputs[1:], weights=(~wrong).double())
    sigma = best.covariance.diagonal(dim1=1, dim2=2)[:, :3].sum(1).sqrt()
    assert ((result.translation - best.translation).norm(dim=1) < 2 * sigma).double().mean() > 0.9


def test_with_gradients_by_the_layer(make_scene):
    scene = make_scene(4, 60, 1.0)
    pixels, _ = spoil(scene, 0.3)
    found = ransac_pnp(pixels, *scene.inputs[1:], threshold=4.0)
    pixels.requires_grad_()
    result = bpnp(pixels, *scene.inputs[1:], found.inliers.double(), init=found[:2])
    result.translation.sum().backward()
    assert (pixels.grad[~found.inliers] == 0).all() and (pixels.grad[found.inliers].abs().sum(1) > 0).all()
    torch.testing.assert_close(result.translation, found.translation, rtol=0, atol=0.05)


def test_the_same_seed_the_same_pose(make_scene):
    scene = make_scene(3, 40, 1.0)
    pixels, _ = spoil(scene, 0.4)
    one, other = (ransac_pnp(pixels, *scene.inputs[1:], threshold=3.0, seed=5) for _ in range(2))
    for a, b in zip(one, other, strict=True):
        assert torch.equal(a, b)


def test_absent_points_are_never_inliers(make_scene):
    """Sets of different length, padded with anything, are solved as each by itself."""
    scene = make_scene(3, 50, 1.0)
    pixels, points = (value.clone() for value in scene.inputs[:2])
    counts = torch.tensor([50, 20, 3])
    there = torch.arange(50) < counts[:, None]
    pixels[~there] = 1e5
    result = ransac_pnp(pixels, points, scene.camera_matrix, 4.0, there.double())
    assert not result.inliers[~there].any()
    assert result.status.tolist() == [Status.OK, Status.OK, Status.TOO_FEW_POINTS]
    torch.testing.assert_close(result.translation[:2], scene.translation[:2], rtol=0, atol=0.1)


@pytest.mark.parametrize("count", [0, 1, 4])
def test_hopeless_input_has_a_status(count):
    pixels, points = torch.rand(2, count, 2).double() * 100, torch.zeros(count, 3).double()
    result = ransac_pnp(pixels, points, torch.eye(3).double(), 1.0)
    assert (result.status != Status.OK).all()
    assert all(not value.isnan().any() for value in result)


def test_a_bad_item_leaves_the_others_alone(make_scene):
    scene = make_scene(3, 30, 0.5)
    pixels = scene.points_2d.clone()
    pixels[1, 4] = torch.nan
    result = ransac_pnp(pixels, *scene.inputs[1:], threshold=3.0)
    assert result.status.tolist() == [Status.OK, Status.INVALID_INPUT, Status.OK]


def test_a_threshold_is_a_positive_number(make_scene):
    with pytest.raises(InputError, match="threshold: expected a number of pixels above 0, got 0"):
        ransac_pnp(*make_scene(1, 10).inputs, threshold=0)


@pytest.mark.parametrize("shape", ["general", "planar"])
def test_four_points_have_opencvs_solution(make_scene, shape):
    """Each pose that OpenCV's AP3P gives for three points is ours, too, if the fourth is seen as from there."""
    scene = make_scene(300, 4, shape=shape)
    camera = scene.camera_matrix.numpy()
    sample, theirs = [], []
    for row, (pixels, points) in enumerate(zip(scene.points_2d.numpy(), scene.points_3d.numpy(), strict=True)):
        for rvec, tvec in zip(
            *cv2.solveP3P(points[:3], pixels[:3], camera, None, flags=cv2.SOLVEPNP_AP3P)[1:], strict=True
        ):
            pose = np.hstack([cv2.Rodrigues(rvec)[0], tvec.reshape(3, 1)])
            image = (points @ pose[:, :3].T + pose[:, 3]) @ camera.T
            if (image[:, 2] > 0).all() and np.abs(image[:3, :2] / image[:3, 2:] - pixels[:3]).max() < 1e-4:
                sample.append(row)
                theirs.append(pose)
    theirs = torch.from_numpy(np.stack(theirs))
    points = scene.points_3d[sample]
    rays = torch.nn.functional.normalize(points @ theirs[..., :3].mT + theirs[:, None, :, 3], dim=2)
    ours = four_point_pose(rays.permute(1, 2, 0), points.permute(1, 2, 0))
    assert len(theirs) > 300
    assert ((ours - theirs).abs().amax((1, 2)) > 1e-4).sum() <= 2
