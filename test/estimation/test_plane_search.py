"""What a known plane says of where an object may be, how large it is there, and how likely a pose is."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from pose_regressor import PoseEstimator
from pose_regressor.assets import demo_folder, find_model
from pose_regressor.estimation.box_plane import SIZE_ERROR, standing_box
from pose_regressor.estimation.boxes import ideal_box
from pose_regressor.estimation.standing import HEIGHT, TILT
from pose_regressor.estimation.support_plane import KNOWN_HEIGHT, KNOWN_TILT, SupportPlane
from pose_regressor.files.bop import read_scene_gt
from pose_regressor.files.cameras import load_camera
from pose_regressor.geometry.rigid import rigid
from pose_regressor.geometry.so3 import exp
from pose_regressor.sources import open_source
from pose_regressor.types import Camera, ObjectModel, Plane, PoseEstimate

HALF = np.array([0.04, 0.03, 0.06])
CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * HALF
BOX = ObjectModel("box", 1, 2 * float(np.linalg.norm(HALF)), np.stack([-HALF, HALF]), CORNERS, CORNERS)
HEIGHTS = (0.03, 0.06)
CAMERA = Camera(640, 480, np.array([[600.0, 0, 320], [0, 600, 240], [0, 0, 1]]))
#: The camera looks down by 40 degrees on a table 0.7 m in front of it.
TABLE = rigid(exp(np.array([np.radians(-130), 0, 0])), np.array([0.0, 0.0, 0.7]))
PLANE = Plane.of(TABLE)
ON_SIDE = {0.06: np.zeros(3), 0.03: np.array([np.pi / 2, 0, 0]), 0.04: np.array([0, np.pi / 2, 0])}


def places():
    """Boxes in the image of a box that stands at many places of the table, on each of its sides."""
    generator = np.random.default_rng(1)
    for height, turn in ON_SIDE.items():
        for _ in range(30):
            x, y = generator.uniform(-0.2, 0.2, 2)
            about = exp(np.array([0, 0, generator.uniform(-np.pi, np.pi)])) @ exp(turn)
            yield ideal_box(BOX, TABLE @ rigid(about, np.array([x, y, height])), CAMERA)


def scaled(box, factor):
    centre = (box[:2] + box[2:]) / 2
    return np.concatenate([centre + factor * (box[:2] - centre), centre + factor * (box[2:] - centre)])


def test_a_box_that_is_right_is_hardly_scaled_and_one_far_too_large_or_small_is_refused():
    for box in places():
        kept = standing_box(box, BOX, HEIGHTS, CAMERA, PLANE)
        assert 0.95 < (kept[2] - kept[0]) / (box[2] - box[0]) < 1.3
        np.testing.assert_allclose(kept[:2] + kept[2:], box[:2] + box[2:])
        for factor in (1 / 5, 4):
            assert standing_box(scaled(box, factor), BOX, HEIGHTS, CAMERA, PLANE) is None
        for factor in (0.7, 1.6):  # a box that is off by less comes nearer to the right size
            mended = standing_box(scaled(box, factor), BOX, HEIGHTS, CAMERA, PLANE)
            assert abs(np.log((mended[2] - mended[0]) / (box[2] - box[0]))) <= abs(np.log(factor)) + 1e-9
    assert SIZE_ERROR == 2


def test_nothing_stands_above_the_horizon_or_behind_the_camera():
    # 40 degrees above the middle of the image are 600 * tan(40) = 503 pixels.
    above = np.array([300, 240 - 530, 340, 240 - 510])
    assert standing_box(above, BOX, HEIGHTS, CAMERA, PLANE) is None
    below = Plane(-PLANE.normal, -PLANE.offset)  # the camera is on the other side
    assert standing_box(np.array([300.0, 220, 340, 260]), BOX, HEIGHTS, CAMERA, below) is None
    ceiling = Plane(np.array([0, 1.0, 0]), 0.5)
    assert standing_box(np.array([300.0, 100, 340, 140]), BOX, HEIGHTS, CAMERA, ceiling) is None


def estimate(lift=0.0, score=0.5):
    pose = TABLE @ rigid(np.eye(3), np.array([0, 0, 0.06 + lift]))
    return PoseEstimate(BOX, pose, np.diag([0.02**2] * 3 + [0.05**2] * 3), score)


@pytest.mark.parametrize("lift", [0.0, 0.03, -0.05])
@pytest.mark.parametrize("sought", [False, True])
def test_the_probability_of_a_pose_is_bayes(lift, sought):
    """A right pose stands there with 0.9, a wrong one with 0.05 or 0.5. All others: anywhere in 0.5 m and 1.5 rad."""
    support = SupportPlane()
    (scored,) = support.known(PLANE).scored([estimate(lift)], [sought])
    turned = 0.05**2 + TILT**2 + KNOWN_TILT**2
    spread = np.diag([0.02**2 + HEIGHT**2 + KNOWN_HEIGHT**2, turned, turned])
    ratio = multivariate_normal(np.zeros(3), spread).pdf([lift, 0, 0]) * 0.5 * 1.5**2
    wrong = 0.5 if sought else 0.05
    expected = (0.9 * ratio + 0.1) / (0.9 * ratio + 0.1 + wrong * ratio + 1 - wrong)
    assert scored.score == pytest.approx(expected, rel=1e-4)
    np.testing.assert_array_equal(scored.cam_from_obj, estimate(lift).cam_from_obj)


def test_what_surely_stands_elsewhere_keeps_a_tenth_of_its_odds_and_nothing_fails():
    support = SupportPlane().known(PLANE)
    (far,) = support.scored([estimate(lift=0.5, score=0.8)], [False])
    assert far.score / (1 - far.score) == pytest.approx(0.1 / 0.95 * 4)
    assert support.scored([], []) == []
    broken = replace(estimate(), covariance=np.full((6, 6), np.nan))
    (same, whole) = support.scored([broken, estimate()], [False, False])
    assert same is broken and whole.score > 0.9
    sure, none = support.scored([estimate(score=1.0), estimate(score=0.0)], [False, True])
    assert (sure.score, none.score) == (1, 0)


def test_a_pose_that_was_looked_for_on_the_plane_gains_less_there_and_keeps_no_more_elsewhere():
    support = SupportPlane().known(PLANE)
    for lift in np.linspace(-0.3, 0.3, 13):
        by_chance, sought = support.scored([estimate(lift)] * 2, [False, True])
        assert sought.score <= by_chance.score


def test_what_is_hardly_a_pose_does_not_change_the_scores_of_others():
    support = SupportPlane()
    far = replace(estimate(score=0.0), cam_from_obj=rigid(np.eye(3), np.array([0, 0, 20.0])))
    lifted, away = estimate(lift=0.06, score=0.3), [estimate(lift=0.5, score=0.9)] * 3
    alone = support.known(PLANE).scored([lifted], [False])[0].score
    assert support.known(PLANE).scored([lifted, far], [False] * 2)[0].score == pytest.approx(alone, rel=1e-3)
    doubted = support.known(PLANE, away).probability
    assert support.known(PLANE, [*away, far]).probability == pytest.approx(doubted, rel=1e-3)


def test_a_plane_that_is_only_likely_counts_as_much():
    support = SupportPlane().known(PLANE)
    ((sure,), (half,)) = (s.scored([estimate()], [False]) for s in (support, replace(support, probability=0.5)))
    assert half.score == pytest.approx((sure.score + 0.5) / 2)


@pytest.fixture(scope="module")
def box_on_table():
    """A frame of the demo's clip and the plane under its box, as the true pose has it."""
    demo = demo_folder()
    with open_source(str(demo / "box.mp4"), load_camera(demo / "camera.json")) as clip:
        frame = next(iter(clip))
    model = PoseEstimator(find_model("box"), "cpu").objects[0]
    true = read_scene_gt(demo / "scene_gt.json")[frame.index][0].cam_from_obj
    support = SupportPlane()
    side = support._rest(model).sides
    centre = true[:3, :3] @ model.points.mean(0) + true[:3, 3]
    down = true[:3, :3] @ side[np.argmax((true[:3, :3] @ side.T)[1])]  # the camera's y axis points down
    height = ((model.points - model.points.mean(0)) @ true[:3, :3].T @ down).max()
    return frame, Plane(-down, float(-down @ centre - height))


def test_a_search_with_a_plane_trusts_what_stands_there_more(box_on_table):
    frame, plane = box_on_table
    estimator = PoseEstimator(find_model("box"), "cpu", score_threshold=0.0)
    best = estimator.search(frame).poses[0]
    on_it = estimator.search(replace(frame, support_plane=plane))
    assert on_it.support.plane is plane and on_it.support.probability > 0.99
    assert 1 - on_it.poses[0].score < (1 - best.score) / 2
    elsewhere = replace(frame, support_plane=Plane(plane.normal, plane.offset - 0.3))
    same = [e for e in estimator.search(elsewhere).poses if np.linalg.norm(e.translation - best.translation) < 0.01]
    assert len(same) == 1 and same[0].score < best.score
    settled = estimator.estimate(replace(frame, support_plane=plane))[0]
    assert settled.score == on_it.poses[0].score


def test_a_plane_is_doubted_if_sure_objects_stand_elsewhere():
    """By Bayes: it is right with 0.98; a pose of score s, surely elsewhere, takes it times 1 - 0.9 s."""
    support = SupportPlane()
    for count in (1, 2, 4):
        away = [estimate(lift=0.5, score=0.9)] * count
        kept = 0.98 * (1 - 0.9 * 0.9) ** count
        assert support.known(PLANE, away).probability == pytest.approx(kept / (kept + 0.02), rel=1e-4)
    assert support.known(PLANE, [estimate(score=0.9)]).probability > 0.999
    assert support.known(PLANE).probability == 1


def test_a_followed_object_that_is_lifted_keeps_its_score(box_on_table):
    frame, plane = box_on_table
    estimator = PoseEstimator(find_model("box"), "cpu")
    found = estimator.search(frame).poses
    (plain,) = estimator.follow(frame, found).poses
    (standing,) = estimator.follow(replace(frame, support_plane=plane), found).poses
    (lifted,) = estimator.follow(replace(frame, support_plane=Plane(plane.normal, plane.offset - 0.3)), found).poses
    assert standing.score > plain.score and lifted.score == plain.score
