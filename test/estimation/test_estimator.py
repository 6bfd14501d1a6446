"""The estimator's contract on an untrained network, and its poses on a trained one."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial import ConvexHull

from pose_regressor import Camera, Frame, InputError, PoseEstimate, PoseEstimator
from pose_regressor.estimation.boxes import FIND_THRESHOLD
from pose_regressor.estimation.correspondences import correspondences, quarter_turns
from pose_regressor.estimation.estimates import Stopwatch
from pose_regressor.network.calibration import Calibration
from pose_regressor.network.config import DENSE_STRIDE
from pose_regressor.ops.regression import decode_regression
from pose_regressor.tracking.track import TrackingParameters
from pose_regressor.tracking.tracker import Tracker

#: Every pose is believed.
AT_ONCE = TrackingParameters(hits=1)
CAMERA = Camera(320, 240, np.array([[300.0, 0, 160], [0, 300, 120], [0, 0, 1]]))


def noise_frame(seed: int = 0) -> Frame:
    return Frame(np.random.default_rng(seed).integers(0, 255, (240, 320, 3), np.uint8), CAMERA)


@pytest.mark.parametrize("size", [(1, 1), (37, 500), (240, 320), (1080, 1920)])
def test_any_image_size_goes_in(tiny_bundle, size):
    camera = Camera(size[1], size[0], np.array([[300.0, 0, size[1] / 2], [0, 300, size[0] / 2], [0, 0, 1]]))
    estimator = PoseEstimator(tiny_bundle, "cpu", score_threshold=0.0)
    for estimate in estimator.estimate(Frame(np.zeros((*size, 3), np.uint8), camera)):
        assert np.isfinite(estimate.cam_from_obj).all() and np.isfinite(estimate.covariance).all()


def test_no_object_means_no_pose(tiny_bundle):
    assert PoseEstimator(tiny_bundle, "cpu", score_threshold=0.9).estimate(noise_frame()) == []


def test_objects_that_stay_keep_their_numbers(tiny_bundle):
    with torch.no_grad():
        tiny_bundle.network.box_head.out.bias[0] = 2.0  # sees something everywhere
    estimator = PoseEstimator(tiny_bundle, "cpu", score_threshold=0.0)
    first = estimator.estimate(noise_frame())
    assert first and all(0 <= estimate.score <= 1 for estimate in first)
    tracker = Tracker(estimator, follow=False, parameters=AT_ONCE)
    numbers = {estimate.instance for estimate in tracker.update(noise_frame())}
    assert numbers == set(range(len(numbers)))
    assert {estimate.instance for estimate in tracker.update(noise_frame())} == numbers
    tracker.reset()
    assert 0 in {estimate.instance for estimate in tracker.update(noise_frame())}


def test_several_bundles_and_only_some_objects(make_bundle):
    bundles = [make_bundle("one", "two"), make_bundle("three")]
    for bundle in bundles:
        with torch.no_grad():
            bundle.network.box_head.out.bias[: len(bundle.objects)] = 2.0
    estimator = PoseEstimator(bundles, "cpu", score_threshold=0.0)
    assert [model.name for model in estimator.objects] == ["one", "two", "three"]
    assert {e.model.name for e in estimator.estimate(noise_frame())} == {"one", "two", "three"}
    assert {e.model.name for e in estimator.search(noise_frame(), objects=["two"]).poses} == {"two"}


def test_a_tracker_looks_for_what_it_is_told(make_bundle):
    bundle = make_bundle("one", "two")
    with torch.no_grad():
        bundle.network.box_head.out.bias[:2] = 2.0
    estimator = PoseEstimator(bundle, "cpu", score_threshold=0.0)
    assert {e.model.name for e in Tracker(estimator, objects=["two"], parameters=AT_ONCE).update(noise_frame())} == {
        "two"
    }
    with pytest.raises(InputError, match="objects: 'mug' is in none of the bundles, expected one of one, two"):
        Tracker(estimator, objects=["mug"])


def test_a_tracker_is_not_tuned_to_what_the_estimator_refuses(tiny_bundle):
    tracker = Tracker(PoseEstimator(tiny_bundle, "cpu", score_threshold=0.3))
    for wrong in ({"score_threshold": 1.2}, {"score_threshold": float("nan")}, {"objects": ["mug"]}):
        with pytest.raises(InputError, match=r"score_threshold|objects"):
            tracker.tune(**{"follow": False, "objects": [], "score_threshold": 0.4, "smooth": False, **wrong})
        assert (tracker.follow, tracker.smooth, tracker.estimator.score_threshold) == (True, True, 0.3)


def test_a_place_is_looked_at_whatever_its_score(tiny_bundle):
    """Raw scores and covariances come back, one pose for each place; refined or not."""
    estimator = PoseEstimator(tiny_bundle, "cpu", score_threshold=1.0)
    places = [("brick", np.array([100.0, 80, 160, 150])), ("brick", np.array([10.0, 10, 60, 90]))]
    for refined in (True, False):
        assert len(estimator.look(noise_frame(), places, refined)) == 2
    assert estimator.look(noise_frame(), []) == []
    with pytest.raises(InputError, match="object 'mug': is in none of the bundles, expected one of brick"):
        estimator.look(noise_frame(), [("mug", np.zeros(4))])


def test_times_come_back_with_the_poses(tiny_bundle):
    seconds = PoseEstimator(tiny_bundle, "cpu").search(noise_frame()).seconds
    assert min(seconds.preprocess, seconds.network, seconds.decode) > 0
    assert seconds.total == seconds.preprocess + seconds.network + seconds.decode


def brick_by_depth(make_bundle):
    """A bundle whose brick has a mesh, its estimator, and a frame without and with depth in which it finds one."""
    bundle = make_bundle()
    (model,) = bundle.objects
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * model.size / 2
    bundle.objects = (replace(model, vertices=corners, faces=ConvexHull(corners).simplices),)
    with torch.no_grad():
        bundle.network.box_head.out.bias[0] = 2.0  # sees something everywhere
    camera = Camera(640, 480, np.array([[600.0, 0, 320], [0, 600, 240], [0, 0, 1]]))
    image = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)
    estimator, frame = PoseEstimator(bundle, "cpu"), Frame(image, camera)
    (survey,) = estimator._observer.survey(frame, {"brick"}, Stopwatch())
    box = estimator._observer.peaks(survey, frame, {"brick"}, FIND_THRESHOLD)[0].box
    distance = camera.matrix[0, 0] * model.diameter / max(box[2:] - box[:2])
    return bundle, estimator, frame, replace(frame, depth=np.full((480, 640), distance, np.float32))


def test_a_pose_that_depth_only_half_confirms_is_searched_for_once_more(make_bundle):
    """A pose that is right with 60 to 80 % is sure enough by an image alone. With depth, false poses are as sure."""
    bundle, estimator, frame, with_depth = brick_by_depth(make_bundle)
    runner, sizes = estimator._observer.networks[0].runner, []
    find = runner.find
    runner.find = lambda images: sizes.append(images.shape[-1]) or find(images)
    unsure, half, sure = (Calibration(((0.0, low), (1.0, low + 0.1)), 1.0) for low in (0.2, 0.65, 0.87))
    cases = (half, half, frame, 0), (unsure, half, with_depth, 1), (unsure, sure, with_depth, 0)
    for alone, both, seen, again in cases:
        bundle.calibration, bundle.rgbd_calibration = alone, both
        sizes.clear()
        poses = estimator.estimate(seen)
        assert any(pose.depth_share is not None for pose in poses) == (seen is with_depth)
        assert sizes == [bundle.config.find_size, 2 * bundle.config.find_size][: 1 + again]


def test_a_covariance_with_depth_is_scaled_up_but_not_down(make_bundle):
    bundle, estimator, _, with_depth = brick_by_depth(make_bundle)
    covariances = []
    for scale in (1.0, 0.4, 3.0):
        bundle.rgbd_calibration = Calibration(((0.0, 0.8), (1.0, 0.9)), scale)
        (best, *_) = [pose for pose in estimator.estimate(with_depth) if pose.depth_share is not None]
        covariances.append(best.covariance)
    plain, small, large = covariances
    np.testing.assert_allclose(small, plain)
    np.testing.assert_allclose(large, 3 * plain)


def test_an_enormous_object_is_not_found_and_nothing_breaks(tiny_bundle):
    estimator = PoseEstimator(tiny_bundle, "cpu", score_threshold=0.0)
    close = np.eye(4)
    close[:3, 3] = [0, 0, 0.0301]  # its near face touches the camera
    model = tiny_bundle.objects[0]
    last = PoseEstimate(model, close, np.eye(6), 1.0, "pnp", np.array([0.0, 0, 320, 240]))
    assert all(np.isfinite(e.cam_from_obj).all() for e in estimator.follow(noise_frame(), [last]).poses)


def test_bad_arguments_are_named(tiny_bundle, make_bundle):
    with pytest.raises(InputError, match="at least one bundle"):
        PoseEstimator([])
    with pytest.raises(InputError, match="different objects, got brick, brick"):
        PoseEstimator([tiny_bundle, make_bundle()])
    with pytest.raises(InputError, match="score_threshold"):
        PoseEstimator(tiny_bundle, score_threshold=2)
    with pytest.raises(InputError, match="'tpu'"):
        PoseEstimator(tiny_bundle, device="tpu")
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="has 0 CUDA devices"):
            PoseEstimator(tiny_bundle, device="cuda")
    with pytest.raises(InputError, match=r"no such file"):
        PoseEstimator("nowhere.safetensors")


def test_regression_does_not_depend_on_the_camera(tiny_bundle):
    """Twice the focal length: the same picture means the same rotation at twice the distance."""
    model = tiny_bundle.objects[0]
    rotation = torch.tensor([1.0, 0.2, 0, -0.1, 1, 0.3], dtype=torch.float64)
    location = torch.tensor([0.0, 0.0, -0.4], dtype=torch.float64)
    near = torch.tensor([[300.0, 0, 63.5], [0, 300, 63.5], [0, 0, 1]], dtype=torch.float64)
    far = near * torch.tensor([[2, 1, 1], [1, 2, 1], [1, 1, 1]])
    centre, diameter = torch.from_numpy(model.bounds.mean(0)), torch.tensor(model.diameter)
    a, b = (decode_regression(rotation, location, camera, 128, centre, diameter) for camera in (near, far))
    torch.testing.assert_close(a[:3, :3], b[:3, :3])
    torch.testing.assert_close(2 * a[:3, 3], b[:3, 3])
    assert a[2, 3].item() == pytest.approx(300 * model.diameter / (np.exp(-0.4) * 128))


@pytest.mark.parametrize("turns", [1, 4])
def test_crops_are_turned_as_the_bundle_says(tiny_bundle, turns):
    tiny_bundle.turns = turns
    estimator = PoseEstimator(tiny_bundle, "cpu", score_threshold=0.0, backend="torch")
    (model,) = estimator.objects
    pose = np.eye(4)
    pose[2, 3] = 0.6
    last = PoseEstimate(model, pose, np.eye(6), 1.0, "pnp", np.zeros(4))
    crops: list[int] = []
    tiny_bundle.network.backbone.register_forward_pre_hook(lambda _, images: crops.append(len(images[0])))
    estimator.follow(noise_frame(), [last])
    assert crops == [turns]


@pytest.mark.parametrize("turn", range(4))
def test_turned_answers_point_at_the_same_pixels(tiny_bundle, turn):
    """What is said of a cell of a turned crop comes back at the pixel that the cell shows."""
    numbered = np.repeat(np.arange(128 * 128.0).reshape(128, 128, 1), 3, axis=2)
    mask = np.full((4, 64, 64), -1.0)
    mask[turn, 20:30:3, 5:60:7] = 1.0
    found = correspondences(np.zeros((4, 3, 64, 64)), mask, np.zeros_like(mask), tiny_bundle.objects[0])
    shown = quarter_turns([numbered], 4)[turn, 0, ::DENSE_STRIDE, ::DENSE_STRIDE][mask[turn] > 0]
    np.testing.assert_array_equal(found.pixels[:, 1] * 128 + found.pixels[:, 0], shown)
