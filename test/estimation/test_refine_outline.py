"""Poses refined on the edge of masks that are drawn from known poses."""

import cv2
import numpy as np
import pytest

from pose_regressor.estimation.correspondences import pooled_mask
from pose_regressor.estimation.refine_outline import Edges, refine_on_outline
from pose_regressor.geometry.rigid import rigid
from pose_regressor.geometry.so3 import exp
from pose_regressor.types import InputError, ObjectModel

SIZE = 128
CAMERA = np.array([[400.0, 0.0, 63.5], [0.0, 420.0, 60.0], [0.0, 0.0, 1.0]])
#: An L, so that its outline is not convex: the corners of the letter, in front and behind.
LETTER = np.array([[0, 0], [3, 0], [3, 1], [1, 1], [1, 4], [0, 4]]) * 0.02 - [0.03, 0.04]
VERTICES = np.concatenate([np.pad(LETTER, ((0, 0), (0, 1)), constant_values=z) for z in (-0.015, 0.015)])
CAPS = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 4], [0, 4, 5]])
SIDES = [[i, (i + 1) % 6, i + 6] for i in range(6)] + [[(i + 1) % 6, (i + 1) % 6 + 6, i + 6] for i in range(6)]
FACES = np.concatenate([CAPS, CAPS[:, ::-1] + 6, SIDES])
SIGMA = np.diag([0.002, 0.002, 0.02, 0.03, 0.03, 0.03]) ** 2


def letter(vertices=VERTICES, faces=FACES):
    bounds = np.stack([VERTICES.min(0), VERTICES.max(0)])
    return ObjectModel("letter", 1, 0.1, bounds, VERTICES, VERTICES, vertices=vertices, faces=faces)


def pose_of(rotvec, translation):
    return rigid(exp(np.array(rotvec)), np.array(translation))


def project(points, pose, camera=CAMERA):
    image = (points @ pose[:3, :3].T + pose[:3, 3]) @ camera.T
    return image[:, :2] / image[:, 2:]


def mask_of(pose):
    """(S, S) how much of each pixel the letter covers: drawn eight times as large."""
    fine = np.zeros((SIZE * 8, SIZE * 8), np.uint8)
    pixels = (project(VERTICES, pose) + 0.5) * 8 - 0.5
    for corners in np.round(pixels[FACES] * 256).astype(np.int32):
        cv2.fillConvexPoly(fine, corners, 1, shift=8)
    return fine.reshape(SIZE, 8, SIZE, 8).mean((1, 3)).astype(np.float32)


TRUTHS = [
    pose_of([0.3, -0.5, 0.8], [0.01, -0.005, 0.5]),
    pose_of([-0.9, 0.4, 0.1], [0.0, 0.0, 0.55]),
    pose_of([0.1, 1.3, -1.0], [-0.01, 0.01, 0.45]),
]


def draws(count):
    """Poses that are wrong as their covariance says."""
    rng = np.random.default_rng(0)
    for number in range(count):
        truth = TRUTHS[number % 3]
        error = rng.multivariate_normal(np.zeros(6), SIGMA)
        start = truth.copy()
        start[:3, :3] = pose_of(error[3:], [0, 0, 0])[:3, :3] @ truth[:3, :3]
        start[:3, 3] += error[:3]
        yield truth, start


def error_in_pixels(pose, truth):
    return np.linalg.norm(project(VERTICES, pose) - project(VERTICES, truth), axis=1).mean()


def test_the_outline_is_that_of_the_drawing():
    edges = Edges.of(letter())
    assert len(edges.ends) == len(FACES) * 3 // 2
    for truth in TRUTHS:
        points, normal, _ = edges.outline(truth, CAMERA, SIZE)
        contours, _ = cv2.findContours(
            (mask_of(truth) > 0.5).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )
        contour = contours[0][:, 0].astype(np.float64)
        apart = np.linalg.norm(project(points, truth)[:, None] - contour, axis=2)
        assert apart.min(1).max() < 1.1
        assert apart.min(0).max() < 3.5, "the gaps between points, and corners"
        np.testing.assert_allclose(np.linalg.norm(normal, axis=1), 1)
        outside = cv2.remap(mask_of(truth), (project(points, truth) + 2 * normal).astype(np.float32), None, 1)
        assert outside.max() < 0.1


def test_a_pose_comes_back_to_the_mask():
    edges, before, after, depth = Edges.of(letter()), [], [], []
    for truth, start in draws(60):
        pose, covariance = refine_on_outline(start, SIGMA, CAMERA, mask_of(truth), edges)
        before.append(error_in_pixels(start, truth))
        after.append(error_in_pixels(pose, truth))
        depth.append([abs(start[2, 3] - truth[2, 3]), abs(pose[2, 3] - truth[2, 3])])
        np.testing.assert_allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-9)
        assert np.linalg.eigvalsh(SIGMA - covariance).min() > -1e-12, "it knows more than before"
    assert np.median(after) < 0.35 * np.median(before)
    was, now = np.median(depth, axis=0)
    assert now < 0.25 * was


def test_what_stands_before_it_does_not_pull():
    edges, before, after = Edges.of(letter()), [], []
    for truth, start in draws(60):
        mask = mask_of(truth)
        mask[:, 72:] = 0
        pose, _ = refine_on_outline(start, SIGMA, CAMERA, mask, edges)
        before.append(error_in_pixels(start, truth))
        after.append(error_in_pixels(pose, truth))
    assert np.median(after) < 0.6 * np.median(before)


def test_the_true_pose_stays():
    for truth in TRUTHS:
        pose, _ = refine_on_outline(truth, SIGMA, CAMERA, mask_of(truth), Edges.of(letter()))
        assert error_in_pixels(pose, truth) < 0.1


@pytest.mark.parametrize("depth", [0.02, 0.0421, 0.0, -0.5, 1e-9])
def test_a_pose_at_or_behind_the_camera_is_left_alone(depth):
    """However large its edges would be in the image."""
    pose = pose_of([0.3, -0.5, 0.8], [0.0, 0.0, depth])
    refined, covariance = refine_on_outline(pose, SIGMA, CAMERA, mask_of(TRUTHS[0]), Edges.of(letter()))
    assert np.isfinite(refined).all()
    assert np.isfinite(covariance).all()


def test_nothing_to_be_seen():
    edges = Edges.of(letter())
    for mask in (np.zeros((SIZE, SIZE)), np.ones((SIZE, SIZE))):
        pose, covariance = refine_on_outline(TRUTHS[0], SIGMA, CAMERA, mask.astype(np.float32), edges)
        assert pose is TRUTHS[0]
        assert covariance is SIGMA


def test_a_sheet_has_its_border_for_an_outline():
    vertices = np.array([[-0.03, -0.02, 0], [0.03, -0.02, 0], [0.03, 0.02, 0], [-0.03, 0.02, 0]])
    edges = Edges.of(letter(vertices, np.array([[0, 1, 2], [0, 2, 3]])))
    points, _, _ = edges.outline(TRUTHS[0], CAMERA, SIZE)
    on_border = (np.abs(np.abs(points[:, 0]) - 0.03) < 1e-9) | (np.abs(np.abs(points[:, 1]) - 0.02) < 1e-9)
    assert on_border.all()
    assert len(points) > 40


def test_objects_without_a_mesh_and_with_a_wrong_one():
    assert Edges.of(letter(np.zeros((0, 3)), np.zeros((0, 3), int))) is None
    with pytest.raises(InputError, match=r"expected vertices 0 to 11 \(object letter\)"):
        letter(faces=np.array([[0, 1, 12]]))


def test_turned_masks_are_pooled_where_they_were_seen():
    """Each turn is what a perfect network says: the mask at every other pixel of the turned crop."""
    mask = cv2.GaussianBlur(mask_of(TRUTHS[0]), (0, 0), 3.0).clip(1e-4, 1 - 1e-4)
    turned = np.stack([np.rot90(mask, turn)[::2, ::2] for turn in range(4)])
    pooled = pooled_mask(np.log(turned / (1 - turned)))
    assert np.abs(pooled - mask)[1:-1, 1:-1].max() < 0.02


def test_an_outline_beyond_the_crop_says_nothing():
    """A wrong pose may have put the object wholly outside."""
    beside = pose_of([0.3, -0.5, 0.8], [0.4, 0.0, 0.5])
    pose, covariance = refine_on_outline(beside, SIGMA, CAMERA, mask_of(TRUTHS[0]), Edges.of(letter()))
    np.testing.assert_array_equal(pose, beside)
    np.testing.assert_array_equal(covariance, SIGMA)
