"""Objects on a plane: against SciPy's nonlinear least squares, by statistics, and for what stands elsewhere."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import least_squares
from scipy.stats import chi2

from pose_regressor.estimation.standing import HEIGHT, TILT
from pose_regressor.estimation.support_plane import KNOWN_HEIGHT, KNOWN_TILT, SupportPlane
from pose_regressor.geometry.rigid import difference, moved, rigid
from pose_regressor.geometry.so3 import exp
from pose_regressor.types import Camera, Frame, InputError, ObjectModel, Plane, PoseEstimate

HALF = np.array([0.04, 0.03, 0.06])
CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * HALF
BOX = ObjectModel("box", 1, 2 * float(np.linalg.norm(HALF)), np.stack([-HALF, HALF]), CORNERS, CORNERS)
#: The camera looks down by 40 degrees on a table 0.7 m in front of it.
TABLE = rigid(exp(np.array([np.radians(-130), 0, 0])), np.array([0.0, 0.0, 0.7]))
PLANE = Plane.of(TABLE)


def settled_on(plane, estimates):
    """The estimates on a plane that is known; None: on the one that is found."""
    support = SupportPlane()
    return support.settle(estimates, support.known(plane) if plane else None)


def covariance(position, along=0.02, across=0.001, turn=0.05):
    ray = position / np.linalg.norm(position)
    place = across**2 * np.eye(3) + (along**2 - across**2) * np.outer(ray, ray)
    return np.block([[place, np.zeros((3, 3))], [np.zeros((3, 3)), turn**2 * np.eye(3)]])


def standing(x, y, turn, lift=0.0):
    """(4, 4) a box on its lowest side, at a place on the table in metres."""
    return TABLE @ rigid(exp(np.array([0, 0, turn])), np.array([x, y, HALF[2] + lift]))


def on_table(generator, count):
    places = np.array([(x, y) for x in (-0.25, 0.0, 0.25) for y in (-0.2, 0.0, 0.2)])
    chosen = generator.permutation(len(places))[:count]
    return [standing(*places[k], generator.uniform(0, 6)) for k in chosen]


def seen(true, generator, score=0.9):
    """The estimate of a pose: off by what its covariance says."""
    own = covariance(true[:3, 3])
    return PoseEstimate(BOX, moved(true, generator.multivariate_normal(np.zeros(6), own)), own, score, "pnp")


def errors(estimates, truth):
    """(N, 6)."""
    return np.array([difference(e.cam_from_obj, t) for e, t in zip(estimates, truth, strict=True)])


def distances(estimates, truth):
    return np.abs(
        [np.linalg.norm(e.translation) - np.linalg.norm(t[:3, 3]) for e, t in zip(estimates, truth, strict=True)]
    )


def by_scipy(estimates, known=None):
    """The poses by nonlinear least squares over all poses and the plane, for boxes that stand upright."""
    count, roots = len(estimates), [np.linalg.cholesky(np.linalg.inv(e.covariance)) for e in estimates]
    # Any basis along the plane will do.
    first, start = np.linalg.svd(PLANE.normal[None])[2][1:], known or PLANE
    middle = np.mean([e.translation for e in estimates], 0)

    def parts(x):
        normal = start.normal + x[-3:-1] @ first
        normal /= np.linalg.norm(normal)
        offset = start.offset - start.normal @ middle + x[-1]  # about the middle of the objects
        return (
            normal,
            offset,
            [moved(e.cam_from_obj, m) for e, m in zip(estimates, x[:-3].reshape(count, 6), strict=True)],
        )

    def residuals(x):
        normal, offset, poses = parts(x)
        found = [root.T @ motion for root, motion in zip(roots, x[:-3].reshape(count, 6), strict=True)]
        for pose in poses:
            up = pose[:3, 2]
            found.append(
                [(normal @ (pose[:3, 3] - middle) - offset - HALF[2]) / HEIGHT, *(first @ (up - normal)) / TILT]
            )
        if known:
            found.append([*x[-3:-1] / KNOWN_TILT, x[-1] / KNOWN_HEIGHT])
        return np.concatenate(found)

    return parts(least_squares(residuals, np.zeros(6 * count + 3)).x)[2]


@pytest.mark.parametrize("known", [None, PLANE], ids=["found", "known"])
@pytest.mark.parametrize("seed", range(4))
def test_the_same_as_nonlinear_least_squares(seed, known):
    generator = np.random.default_rng(seed)
    estimates = [seen(true, generator, score=0.999) for true in on_table(generator, 5)]
    settled = settled_on(known, estimates)
    expected = by_scipy(estimates, known)
    moves = np.abs(errors(settled, [e.cam_from_obj for e in estimates])).max(0)
    off = np.abs(errors(settled, expected)).max(0)
    assert moves[2] > 0.005 and moves[3] > 0.015, "the plane moves them"
    assert (off[:3] < [0.0003, 0.0003, 0.001]).all() and (off[3:] < 0.0015).all()


@pytest.mark.parametrize(("known", "gain"), [(None, 0.75), (PLANE, 0.55)], ids=["found", "known"])
def test_distances_gain_and_covariances_are_true(known, gain):
    """The sum of 600 squared errors, each by its covariance, has the chi-square distribution of 3,600 terms."""
    generator, before, after, squares = np.random.default_rng(3), [], [], []
    for _ in range(100):
        truth = on_table(generator, 6)
        estimates = [seen(true, generator) for true in truth]
        settled = settled_on(known, estimates)
        before += distances(estimates, truth).tolist()
        after += distances(settled, truth).tolist()
        for error, estimate in zip(errors(settled, truth), settled, strict=True):
            squares.append(error @ np.linalg.solve(estimate.covariance, error))
            assert np.linalg.eigvalsh(estimate.covariance).min() > 0
    assert np.median(after) < gain * np.median(before)
    # These stand on the plane exactly, where HEIGHT and TILT allow for more. So errors are smaller than claimed.
    assert np.sum(squares) < chi2.ppf(0.999, 6 * len(squares))
    assert np.sum(squares) > 0.6 * 6 * len(squares)


def test_what_is_held_above_the_table_stays_there():
    generator = np.random.default_rng(1)
    truth = [*on_table(generator, 5), standing(0.0, 0.1, 1.0, lift=0.25)]
    estimates = [seen(true, generator) for true in truth]
    settled = SupportPlane().settle(estimates)
    assert np.abs(errors(settled[5:], [estimates[5].cam_from_obj])).max() < 1e-3
    assert distances(settled, truth)[:5].mean() < 0.6 * distances(estimates, truth)[:5].mean()


def test_what_lies_on_no_side_keeps_its_rotation():
    """It leans on something: its height alone could say how far away it is, and it is not that of the table."""
    generator = np.random.default_rng(2)
    leaning = standing(0.0, 0.1, 0.0, lift=0.1) @ rigid(exp(np.array([0.7, 0, 0])), np.zeros(3))
    estimates = [seen(true, generator) for true in [*on_table(generator, 4), leaning]]
    (moved_by,) = errors(SupportPlane().settle(estimates)[4:], [estimates[4].cam_from_obj])
    assert np.abs(moved_by[3:]).max() < 1e-3


def test_without_a_plane_nothing_changes():
    generator, changed = np.random.default_rng(4), 0
    for _ in range(50):
        truth = [
            rigid(exp(generator.uniform(-3, 3, 3)), generator.uniform([-0.3, -0.3, 0.6], [0.3, 0.3, 1.4]))
            for _ in range(4)
        ]
        estimates = [seen(true, generator) for true in truth]
        changed += np.abs(errors(SupportPlane().settle(estimates), [e.cam_from_obj for e in estimates])).max() > 0.003
    assert changed <= 5


def test_one_object_needs_a_known_plane():
    generator = np.random.default_rng(5)
    truth = on_table(generator, 1)
    (estimate,) = estimates = [seen(truth[0], generator)]
    plane = SupportPlane()
    assert plane.settle(estimates) == estimates
    assert plane.find(estimates) is None
    assert plane.settle([]) == [] and settled_on(PLANE, []) == []
    far = replace(estimate, cam_from_obj=moved(truth[0], np.append(0.03 * truth[0][:3, 3], [0, 0, 0])))
    assert distances(settled_on(PLANE, [far]), truth)[0] < 0.6 * distances([far], truth)[0]


def test_two_objects_are_not_enough_to_be_sure_of_a_plane():
    generator, plane = np.random.default_rng(8), SupportPlane()
    for _ in range(20):
        truth = on_table(generator, 2)
        estimates = [seen(true, generator) for true in truth]
        assert plane.find(estimates) is None
        settled = plane.settle(estimates)
        assert all(
            (np.diag(s.covariance) < 1.5 * np.diag(e.covariance)).all() for s, e in zip(settled, estimates, strict=True)
        )


@pytest.mark.parametrize(("along", "lift"), [(0.02, 0.0), (0.04, 0.0), (0.02, 0.12), (0.04, 0.2)])
def test_covariances_are_true_on_the_table_and_well_above(along, lift):
    generator, held = np.random.default_rng(9), []
    for _ in range(100):
        true = standing(0.0, 0.0, generator.uniform(0, 6), lift)
        own = covariance(true[:3, 3], along=along)
        estimate = PoseEstimate(BOX, moved(true, generator.multivariate_normal(np.zeros(6), own)), own, 0.9, "pnp")
        (settled,) = settled_on(PLANE, [estimate])
        error = difference(settled.cam_from_obj, true)
        held.append(error @ np.linalg.solve(settled.covariance, error) < chi2.ppf(0.95, 6))
    assert np.mean(held) >= 0.9


def test_one_pose_by_hand():
    """A box 4 cm above a known table, seen from straight above: the mean of both cases in closed form."""
    table = rigid(np.diag([1.0, -1, -1]), np.array([0, 0, 0.8]))
    true = table @ rigid(np.eye(3), np.array([0, 0, HALF[2]]))
    own = np.diag([0.001, 0.001, 0.02, 0.02, 0.02, 0.02]) ** 2
    estimate = PoseEstimate(BOX, moved(true, np.array([0, 0, -0.04, 0, 0, 0])), own, 0.8, "pnp")
    (settled,) = settled_on(Plane.of(table), [estimate])
    height, tilt = 0.02**2 + HEIGHT**2 + KNOWN_HEIGHT**2, 0.02**2 + TILT**2 + KNOWN_TILT**2
    likely = np.exp(-0.5 * 0.04**2 / height) / np.sqrt((2 * np.pi) ** 3 * height * tilt**2)
    stands = 0.72 * likely / (0.72 * likely + 0.28 / (0.5 * 1.5**2))
    full = 0.04 * 0.02**2 / height
    assert settled.translation[2] - estimate.translation[2] == pytest.approx(stands * full, rel=0.03)
    on_plane = 0.02**2 - 0.02**4 / height
    mixed = stands * on_plane + (1 - stands) * 0.02**2 + stands * (1 - stands) * full**2
    assert settled.covariance[2, 2] == pytest.approx(mixed, rel=0.03)


def test_what_rolls_has_no_tilt_in_that_direction():
    """A ball on a known table keeps its rotation and its uncertainty; so do balls that share no plane."""
    generator = np.random.default_rng(10)
    points = generator.normal(size=(1000, 3))
    points *= 0.04 / np.linalg.norm(points, axis=1, keepdims=True)
    ball = ObjectModel("ball", 2, 0.08, np.stack([points.min(0), points.max(0)]), points, points)
    true = TABLE @ rigid(np.eye(3), np.array([0.0, 0.0, 0.04]))
    own = covariance(true[:3, 3], turn=0.1)
    estimate = PoseEstimate(ball, moved(true, np.array([0, 0, 0.01, 0.1, -0.1, 0.05])), own, 0.9, "pnp")
    (settled,) = settled_on(PLANE, [estimate])
    moves = difference(settled.cam_from_obj, estimate.cam_from_obj)
    assert np.abs(moves[3:]).max() < 0.02 and moves[2] < -0.002
    np.testing.assert_allclose(np.diag(settled.covariance)[3:], 0.01, rtol=0.1)
    found, plane = 0, SupportPlane()
    for _ in range(20):
        places = generator.uniform([-0.3, -0.3, 0.6], [0.3, 0.3, 1.4], (4, 3))
        found += plane.find([replace(estimate, cam_from_obj=rigid(np.eye(3), place)) for place in places]) is not None
    assert found <= 2


def test_poses_that_cannot_be_are_left_alone():
    generator = np.random.default_rng(11)
    estimates = [seen(true, generator) for true in on_table(generator, 4)]
    broken = replace(estimates[0], covariance=np.full((6, 6), np.nan))
    assert SupportPlane().settle([broken, *estimates[1:]]) == [broken, *estimates[1:]]
    wide = covariance(np.array([0, 0, 0.5]), along=0.5)
    near = Plane.of(rigid(exp(np.array([np.radians(-100), 0, 0])), np.array([0.0, 0.05, 0.0])))
    away = PoseEstimate(BOX, rigid(np.eye(3), np.array([0, 0, 0.6])), wide, 0.9, "pnp")
    (settled,) = settled_on(near, [away])
    assert settled.translation[2] > BOX.diameter / 2
    (settled,) = settled_on(Plane(PLANE.normal, PLANE.offset - 1e6), estimates[:1])
    np.testing.assert_allclose(settled.cam_from_obj, estimates[0].cam_from_obj, atol=1e-9)


def test_a_point_is_no_object_that_fails():
    points = np.zeros((4, 3))
    point = ObjectModel("point", 3, 0.1, np.array([[-0.1] * 3, [0.1] * 3]), points, points)
    estimate = PoseEstimate(point, TABLE, covariance(TABLE[:3, 3]), 0.9, "pnp")
    (settled,) = settled_on(PLANE, [estimate])
    assert np.isfinite(settled.cam_from_obj).all()


def test_the_plane_is_found_where_it_is():
    generator = np.random.default_rng(6)
    found = SupportPlane().find([seen(true, generator) for true in on_table(generator, 8)]).plane
    assert np.degrees(np.arccos(found.normal @ PLANE.normal)) < 3
    assert abs(found.normal @ TABLE[:3, 3] - found.offset) < 0.015


def test_a_wrong_pose_costs_the_others_little():
    """It is 15 cm too near, and turned to no side that it can lie on. The plane stays with the other five."""
    generator, with_it, without = np.random.default_rng(7), [], []
    for _ in range(20):
        truth = on_table(generator, 6)
        estimates = [seen(true, generator) for true in truth]
        turned = truth[0] @ rigid(exp(np.array([0.6, 0.3, 0])), np.zeros(3))
        wrong = replace(estimates[0], cam_from_obj=moved(turned, np.array([0, 0, -0.15, 0, 0, 0])))
        with_it += distances(SupportPlane().settle([wrong, *estimates[1:]])[1:], truth[1:]).tolist()
        without += distances(SupportPlane().settle(estimates[1:]), truth[1:]).tolist()
    assert np.mean(with_it) < 1.05 * np.mean(without)


def test_a_plane_is_checked():
    with pytest.raises(InputError, match="expected a normal of length 1"):
        Plane(np.array([0, 0, 2.0]), 0.1)
    image, camera = np.zeros((4, 4, 3), np.uint8), Camera(4, 4, np.eye(3))
    with pytest.raises(InputError, match="expected a Plane as support_plane, got ndarray"):
        Frame(image, camera, support_plane=TABLE)
    with pytest.raises(InputError, match="plane: pose"):
        Plane.of(np.eye(3))
    with pytest.raises(InputError, match="expected an offset in metres"):
        Plane(np.array([0, 0, 1.0]), float("nan"))
    np.testing.assert_allclose(PLANE.normal @ (TABLE @ [0.3, -0.2, 0, 1])[:3], PLANE.offset)
