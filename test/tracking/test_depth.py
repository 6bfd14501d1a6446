"""What depth is worth behind the estimator: its tighter covariances in the tracker and in the fusion of cameras."""

import numpy as np
import pytest

from pose_regressor.tracking.fusion import fuse, fuse_views, in_frame
from pose_regressor.tracking.kalman import difference, moved
from pose_regressor.tracking.track import TrackingParameters
from pose_regressor.tracking.tracks import Tracks

STEP, SECOND = 1 / 30, 1_000_000_000
#: Standard deviations of poses from an image alone, and with depth: metres, radians.
IMAGE = np.array([0.002, 0.002, 0.020, 0.04, 0.04, 0.02])
DEPTH = np.array([0.001, 0.001, 0.002, 0.02, 0.02, 0.01])


def followed(words, seed, has_depth):
    """(N, 6) errors of what a tracker publishes of an object that is carried around, and their standard deviations.

    Of an error, nine tenths are the same in all frames. An image's error and that of depth have nothing in common.
    has_depth: of a frame's number, whether it has depth
    """
    generator = np.random.default_rng(seed)
    common = {True: DEPTH * generator.normal(size=6), False: IMAGE * generator.normal(size=6)}
    tracks, errors, sigmas = Tracks(TrackingParameters()), [], []
    for k in range(120):
        t = k * STEP
        true = words.pose([0.1 * np.sin(2 * t), 0.02 * t, 0.7 + 0.1 * np.cos(2 * t)], [0, 0.5 * t, 0])
        sigma = DEPTH if has_depth(k) else IMAGE
        error = 0.96**0.5 * common[has_depth(k)] + 0.2 * sigma * generator.normal(size=6)
        tracks.advance(1_700_000_000 * SECOND + round(t * SECOND))
        (found,) = tracks.take([words.seen(moved(true, error), sigma=sigma)], 0.5, smooth=True)
        assert found.instance == 0, "it is one object, however it is measured"
        if k >= 15:
            errors.append(difference(found.cam_from_obj, true))
            sigmas.append(np.sqrt(np.diag(found.covariance)))
    return np.array(errors), np.array(sigmas)


def rms(words, has_depth):
    """(6,) of what is published, over several runs."""
    runs = [followed(words, seed, has_depth)[0] for seed in range(12)]
    return np.sqrt(np.mean(np.square(runs), axis=(0, 1)))


def test_a_track_with_depth_is_better_in_all_directions(words):
    without, always = rms(words, lambda k: False), rms(words, lambda k: True)
    assert (always < 0.8 * without).all()
    assert always[2] < 0.25 * without[2]


def test_depth_in_two_of_three_frames_keeps_most_of_the_gain(words):
    """The image's answers in between hardly move the track: their covariance is that much larger."""
    without, always, mostly = rms(words, lambda k: False), rms(words, lambda k: True), rms(words, lambda k: k % 3 > 0)
    assert mostly[2] < 0.35 * without[2] and mostly[2] > always[2]


def test_published_covariances_are_those_of_depth(words):
    _, sigmas = followed(words, 0, lambda k: True)
    assert (sigmas.max(0) < 1.5 * DEPTH).all()


def side_view(words):
    """A camera that looks along the common frame's x axis, a metre away."""
    return words.pose([-1, 0, 0], [0, np.pi / 2, 0])


def test_a_camera_with_depth_outweighs_one_without_along_the_ray(words):
    """Two cameras in one place, 15 mm apart along their common ray: the weighted mean of textbooks."""
    rgb = words.seen(words.pose([0, 0, 0.715]), sigma=IMAGE)
    rgbd = words.seen(words.pose([0, 0, 0.700]), sigma=DEPTH, score=0.6)
    fused = fuse([rgb, rgbd])
    weights = np.array([IMAGE[2], DEPTH[2]]) ** -2.0
    assert fused.used == (0, 1)
    assert fused.estimate.translation[2] == pytest.approx(weights @ [0.715, 0.700] / weights.sum())
    assert abs(fused.estimate.translation[2] - 0.700) < 0.0002
    assert np.sqrt(fused.estimate.covariance[2, 2]) < DEPTH[2]


def test_cameras_from_two_sides_each_give_what_they_measure_well(words):
    """Statistics of 200 objects: fused with a camera with depth, the error along the other camera's ray is a fraction
    of that of two cameras without."""
    generator = np.random.default_rng(0)
    common_from_cams = [np.eye(4), side_view(words)]
    errors = {"both without": [], "one with": []}
    for name, sigmas in {"both without": [IMAGE, IMAGE], "one with": [IMAGE, DEPTH]}.items():
        for _ in range(200):
            true = words.pose(generator.uniform(-0.1, 0.1, 3) + [0, 0, 0.7], generator.normal(size=3))
            views = []
            for common_from_cam, sigma in zip(common_from_cams, sigmas, strict=True):
                pose = moved(np.linalg.inv(common_from_cam) @ true, sigma * generator.normal(size=6))
                views.append([in_frame(words.seen(pose, sigma=sigma), common_from_cam)])
            found = fuse_views(views)
            assert len(found) == 1
            errors[name].append(difference(found[0].cam_from_obj, true)[:3])
    without, with_depth = (np.sqrt(np.mean(np.square(values), axis=0)) for values in errors.values())
    assert (with_depth < 0.8 * without).all()
    assert with_depth.max() < 0.0022
