"""Errors of poses, VSD and matching against closed forms and plain re-derivations."""

import itertools

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from pose_regressor.geometry.errors import add
from pose_regressor_training.evaluate.errors import add_s, hull_of, mspd, mssd_each
from pose_regressor_training.evaluate.matching import SHARES, hits, match
from pose_regressor_training.evaluate.reliability import reliability
from pose_regressor_training.evaluate.vsd import DELTA, DepthRenderer, distances, vsd
from pose_regressor_training.meshes.mesh import Mesh
from pose_regressor_training.meshes.symmetry import ContinuousSymmetry, Symmetries

K = np.array([[500.0, 0, 159.5], [0, 500, 119.5], [0, 0, 1]])
IDENTITY = np.eye(4)[None]
HALF = np.array([0.1, 0.05, 0.03])
CORNERS = np.array(list(itertools.product(*zip(-HALF, HALF, strict=True))))


def pose(rotation=(0.0, 0.0, 0.0), translation=(0.0, 0.0, 1.0)):
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_rotvec(rotation).as_matrix()
    matrix[:3, 3] = translation
    return matrix


def test_a_translation_moves_every_point_as_far():
    truth, estimate = pose((0.3, -1, 0.2)), pose((0.3, -1, 0.2), (0.01, 0.02, 1.02))
    assert add(estimate, truth, CORNERS) == pytest.approx(0.03)
    assert mssd_each(estimate, truth, CORNERS, IDENTITY) == pytest.approx([0.03])


def test_add_s_of_a_ball_is_the_mean_distance_to_its_surface():
    """About half of a small shift: the share of it along the normal, in the mean over the ball."""
    points, shift = 0.1 * trimesh.creation.icosphere(5).vertices, np.array([0.02, 0, 0])
    expected = np.abs(np.linalg.norm(points - shift, axis=1) - 0.1).mean()
    assert expected == pytest.approx(0.01, rel=0.02)
    assert add_s(pose(translation=(0.02, 0, 1)), pose(), points) == pytest.approx(expected, rel=0.05)


def test_mssd_of_a_turn_is_the_way_of_the_farthest_corner():
    turn = mssd_each(pose((0, 0, 0.4)), pose(), CORNERS, IDENTITY)
    assert turn == pytest.approx([2 * np.hypot(0.1, 0.05) * np.sin(0.2)])


def test_the_hull_is_enough_for_mssd():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(500, 3))
    assert len(hull_of(points)) < 200
    for _ in range(20):
        estimate, truth = (pose(rng.normal(size=3), rng.normal(size=3)) for _ in range(2))
        moved = [points @ t[:3, :3].T + t[:3, 3] for t in (estimate, truth)]
        expected = np.linalg.norm(moved[0] - moved[1], axis=1).max()
        assert mssd_each(estimate, truth, hull_of(points), IDENTITY) == pytest.approx([expected])
    assert len(hull_of(np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]))) == 3  # flat


def test_symmetries_forgive_what_nobody_can_see():
    flip = np.stack([np.eye(4), np.diag([-1.0, -1, 1, 1])])
    truth, turned = pose((0.2, 0.1, 0.7)), pose((0.2, 0.1, 0.7)) @ flip[1]
    assert mssd_each(turned, truth, CORNERS, flip).min() == pytest.approx(0, abs=1e-12)
    assert mspd(turned, truth, CORNERS, flip, K) == pytest.approx(0, abs=1e-9)
    assert mspd(turned, truth, CORNERS, IDENTITY, K) > 50
    axis = ContinuousSymmetry(np.array([0.0, 0, 1]), np.zeros(3))
    about = np.concatenate([IDENTITY, Symmetries(np.zeros((0, 4, 4)), (axis,)).discretised()])
    # Between two of the 315 turns, half a step off at most.
    assert mssd_each(truth @ pose((0, 0, 1.234), (0, 0, 0)), truth, CORNERS, about).min() < np.hypot(0.1, 0.05) * 0.01


def test_mspd_of_a_flat_object_is_its_shift_in_pixels():
    plate = CORNERS * [1, 1, 0]
    assert mspd(pose(translation=(0.02, 0, 2)), pose(translation=(0, 0, 2)), plate, IDENTITY, K) == pytest.approx(5)


def test_mspd_of_an_object_put_into_the_camera_is_infinite():
    flat = np.array([[0.0, 0, 0], [0.1, 0, 0], [0, 0, 0.1]])
    assert mspd(np.eye(4), pose(), flat, IDENTITY, K) == np.inf


@pytest.fixture(scope="module")
def cuboid():
    box = trimesh.creation.box(2 * HALF)
    grey = np.full((8, 3), 128, np.uint8)
    return Mesh(box.vertices.astype(np.float32), box.faces.astype(np.int32), None, None, grey)


@pytest.fixture(scope="module")
def seen(cuboid):
    """A function of poses to their (N, H, W) distances."""
    renderer = DepthRenderer([cuboid])

    def render(*poses):
        depth = renderer.render([0] * len(poses), np.stack(poses), K, 240, 320)
        return distances(depth, K)

    return render


def test_distances_are_those_to_the_front_face(seen):
    (distance,) = seen(pose())
    column, row = 180, 130
    x, y = (column - K[0, 2]) / 500, (row - K[1, 2]) / 500
    assert distance[row, column] == pytest.approx(0.97 * np.sqrt(1 + x * x + y * y), abs=1e-6)
    assert distance[0, 0] == 0


def test_vsd_of_a_shift_along_the_image_is_the_complement_over_the_union(seen):
    """Of a front face of n columns, shifted by s: 1 - (n - s) / (n + s), as the surfaces lie in one plane."""
    shift = 10 * 0.97 / 500  # 10 pixels
    truth, estimate = seen(pose(), pose(translation=(shift, 0, 1)))
    columns = int((truth > 0).any(0).sum())
    errors = vsd(estimate, truth, np.zeros_like(truth), diameter=1.0)
    assert errors == pytest.approx(np.full(10, 1 - (columns - 10) / (columns + 10)), abs=0.01)


def test_vsd_of_a_shift_in_depth_is_a_step_at_its_tolerance(seen):
    truth, estimate = seen(pose(), pose(translation=(0, 0, 1.02)))
    errors = vsd(estimate, truth, np.zeros_like(truth), diameter=0.1, taus=np.array([0.15, 0.25]))
    assert errors[0] == 1 and errors[1] < 0.1


def test_vsd_looks_at_what_the_test_image_shows(seen):
    """A wall before the left half hides it; what it hides of both counts for neither."""
    truth, estimate = seen(pose(), pose(translation=(0, 0, 1.02)))
    wall = np.where(np.arange(320) < 160, 0.5, truth.max() + 1) * np.ones((240, 1))
    assert vsd(truth, truth, wall, 0.1) == pytest.approx(np.zeros(10))
    hidden = np.full_like(truth, 0.5)
    assert vsd(truth, truth, hidden, 0.1) == pytest.approx(np.ones(10))  # BOP: nothing is visible, so nothing is right
    # Behind the seen surface by more than the tolerance: visible all the same where the true one is.
    assert DELTA < 0.02
    assert vsd(estimate, truth, truth, 0.1, np.array([0.25]))[0] < 0.1


def test_estimates_take_the_nearest_free_object_in_the_order_of_their_scores():
    errors = np.array([[0.3, 0.2], [0.1, 0.2], [0.05, 0.05]])
    assert match(errors, 0.25).tolist() == [1, 0, -1]
    assert match(errors, 0.15).tolist() == [-1, 0, 1]
    assert match(errors, 0.05).tolist() == [-1, -1, -1]  # below, not at the threshold
    assert match(np.zeros((2, 0)), 1.0).tolist() == [-1, -1]
    assert match(np.zeros((0, 2)), 1.0).tolist() == []


def test_hits_are_those_of_a_plain_loop():
    rng = np.random.default_rng(1)
    for _ in range(50):
        errors = rng.random((4, 3))
        expected = []
        for threshold in SHARES:
            taken = set()
            for row in errors:
                free = [(error, g) for g, error in enumerate(row) if g not in taken and error < threshold]
                taken |= {min(free)[1]} if free else set()
            expected.append(len(taken))
        assert hits(errors, SHARES).tolist() == expected


def test_reliability_of_scores_that_are_and_are_not_worth_what_they_say():
    rng = np.random.default_rng(2)
    score = rng.random(20_000)
    honest = reliability(np.stack([score, rng.random(20_000) < score], 1))
    assert honest.ece < 0.02 and len(honest.count) == 10
    boastful = reliability(np.stack([np.full(100, 0.9), np.arange(100) < 40], 1))
    assert boastful.ece == pytest.approx(0.5) and boastful.right == pytest.approx([0.4])
    assert np.isnan(reliability(np.zeros((0, 2))).ece)
