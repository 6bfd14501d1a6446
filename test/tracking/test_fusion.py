"""Fusion against closed forms, a general optimiser, statistics, and cameras that look from different sides."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.linalg import expm
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation
from scipy.stats import chi2

from pose_regressor.tracking.fusion import fuse, fuse_views, in_frame, mean_pose
from pose_regressor.types import ObjectModel, PoseEstimate

#: Of a camera: good across its view, bad along it.
COVARIANCE = np.diag([0.002, 0.002, 0.02, 0.04, 0.04, 0.02]) ** 2


def crate(name="crate", symmetries=()):
    corner = np.full(3, 0.1)
    return ObjectModel(
        name, 1, 0.3, np.stack([-corner, corner]), np.eye(3), np.eye(3), np.reshape(symmetries, (-1, 4, 4))
    )


CRATE = crate()


def transform(place, turn=(0, 0, 0)):
    result = np.eye(4)
    result[:3, :3], result[:3, 3] = Rotation.from_rotvec(turn).as_matrix(), place
    return result


def disturbed(pose, error):
    x, y, z = error[3:]
    result = pose.copy()
    result[:3, :3] = expm(np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])) @ pose[:3, :3]
    result[:3, 3] += error[:3]
    return result


def seen(pose, score=0.9, model=CRATE, covariance=COVARIANCE):
    return PoseEstimate(model, pose, covariance, score, "pnp", np.zeros(4))


#: Cameras a metre from the origin, which they look at, on a circle around it.
def camera(angle):
    return transform([np.sin(angle), 0, -np.cos(angle)], [0, -angle, 0])


def test_cameras_look_at_the_origin():
    for angle in (0.0, 1.0, 2.5):
        np.testing.assert_allclose(np.linalg.inv(camera(angle)) @ [0, 0, 0, 1], [0, 0, 1, 1], atol=1e-12)


def test_places_alone_have_the_weighted_mean_of_textbooks():
    poses = [transform([0, 0, 0]), transform([1, 2, 3])]
    sigma = [np.diag([1.0, 1, 1, 1, 1, 1]), np.diag([1.0, 4, 9, 1, 1, 1])]
    mean, covariance = mean_pose(poses, sigma)
    np.testing.assert_allclose(mean, transform([1 / 2, 2 / 5, 3 / 10]), atol=1e-12)
    np.testing.assert_allclose(np.diag(covariance), [1 / 2, 4 / 5, 9 / 10, 0.5, 0.5, 0.5])


def test_mean_is_where_a_general_optimiser_ends():
    generator = np.random.default_rng(0)
    true = transform([0.1, 0.2, 0.8], [1, -2, 0.5])
    roots = [np.diag([0.01] * 3 + [0.2] * 3) @ generator.normal(size=(6, 6)) for _ in range(4)]
    poses = [disturbed(true, 0.5 * root @ generator.normal(size=6)) for root in roots]
    mean, _ = mean_pose(poses, [root @ root.T for root in roots])

    def residuals(x):
        guess = disturbed(true, x)
        errors = []
        for pose, root in zip(poses, roots, strict=True):
            turn = Rotation.from_matrix(pose[:3, :3] @ guess[:3, :3].T).as_rotvec()
            errors.append(np.linalg.solve(root, np.concatenate([pose[:3, 3] - guess[:3, 3], turn])))
        return np.concatenate(errors)

    best = least_squares(residuals, np.zeros(6), xtol=1e-14, ftol=1e-14, gtol=1e-14).x
    # The fixed point leaves out how a rotation's logarithm bends: of second order in the errors.
    np.testing.assert_allclose(mean, disturbed(true, best), atol=0.02)


def test_errors_are_as_large_as_they_say():
    """Normalised errors squared within the two-sided 99.9 % bounds of chi-square, and a third of one camera's along
    its view."""
    generator = np.random.default_rng(1)
    root = np.sqrt(COVARIANCE)
    cameras = [camera(angle) for angle in (0.0, np.pi / 2, 4.0)]
    total, squares = 0.0, np.zeros(6)
    for _ in range(200):
        true = transform(generator.uniform(-0.2, 0.2, 3), generator.normal(size=3))
        views = []
        for common_from_cam in cameras:
            pose = disturbed(np.linalg.inv(common_from_cam) @ true, root @ generator.normal(size=6))
            views.append([in_frame(seen(pose), common_from_cam)])
        (fused,) = fuse_views(views)
        turn = Rotation.from_matrix(fused.rotation @ true[:3, :3].T).as_rotvec()
        error = np.concatenate([fused.translation - true[:3, 3], turn])
        total += error @ np.linalg.solve(fused.covariance, error)
        squares += error**2
    assert chi2.ppf(0.0005, 1200) < total < chi2.ppf(0.9995, 1200)
    assert (np.sqrt(squares[:3] / 200) < 0.02 / 3).all()


def test_covariance_turns_with_the_frame():
    estimate = in_frame(seen(transform([0, 0, 1])), camera(np.pi / 2))
    np.testing.assert_allclose(estimate.translation, 0, atol=1e-12)
    np.testing.assert_allclose(np.diag(estimate.covariance), np.diag(COVARIANCE)[[2, 1, 0, 5, 4, 3]], atol=1e-12)


def test_a_camera_that_is_wrong_is_left_out():
    true = transform([0, 0, 0], [0.2, 0.3, 0])
    wrong = true @ transform([0, 0, 0], [0, np.pi / 2, 0])
    for order in ([true, true, wrong], [wrong, true, true], [true, wrong, true]):
        fused = fuse([seen(pose, score=0.95 if pose is wrong else 0.8) for pose in order])
        assert [order[i] is wrong for i in fused.rejected] == [True]
        np.testing.assert_allclose(fused.estimate.cam_from_obj, true, atol=1e-9)
        assert fused.estimate.score == 0.8


def test_of_two_that_disagree_the_better_score_counts():
    a, b = seen(transform([0, 0, 0]), score=0.7), seen(transform([0, 0, 0], [0, 0, 2.0]), score=0.9)
    for pair in ([a, b], [b, a]):
        np.testing.assert_array_equal(fuse(pair).estimate.cam_from_obj, b.cam_from_obj)
    np.testing.assert_array_equal(fuse([a]).estimate.cam_from_obj, a.cam_from_obj)


@pytest.mark.parametrize("moves", [(0, 0, 0), (0.05, 0, 0)])
def test_symmetric_objects_are_turned_to_each_other(moves):
    """Half a turn about an axis beside the origin; each camera sees another of the two poses."""
    half = transform([0, 0, 0], [0, 0, np.pi])
    symmetry = transform(moves) @ half @ transform(-np.array(moves))
    model = crate("knob", [symmetry])
    true = transform([0.1, 0, 0], [0.3, 0.2, 0])
    fused = fuse([seen(true, model=model), seen(true @ symmetry, model=model)])
    assert not fused.rejected
    np.testing.assert_allclose(fused.estimate.cam_from_obj, true, atol=1e-9)


def test_many_objects_are_told_apart():
    places = {"a": [0, 0, 0], "b": [0.4, 0, 0], "c": [0, 0, 0]}
    models = {"a": CRATE, "b": CRATE, "c": crate("drum")}
    views = [[seen(transform(places[k]), model=models[k]) for k in order] for order in ("abc", "cba", "b", "")]
    fused = fuse_views(views)
    assert sorted((e.model.name, round(e.translation[0], 6)) for e in fused) == [
        ("crate", 0.0),
        ("crate", 0.4),
        ("drum", 0.0),
    ]
    cameras = {("crate", 0.0): 2, ("crate", 0.4): 3, ("drum", 0.0): 2}
    for estimate in fused:
        count = cameras[estimate.model.name, round(estimate.translation[0], 6)]
        np.testing.assert_allclose(estimate.covariance, COVARIANCE / count)
    assert fuse_views([]) == fuse_views([[], []]) == []


def test_far_along_the_view_is_still_the_same():
    """Two metres away the distance is uncertain by more than the object is large."""
    unsure = replace(seen(transform([0, 0, 0.3])), covariance=np.diag([0.01, 0.01, 0.15, 0.1, 0.1, 0.1]) ** 2)
    sure = seen(transform([0, 0, 0]))
    assert len(fuse_views([[unsure], [sure]])) == 1
