"""Poses refined on the depth of a box on a plane, which is ray-traced here by itself."""

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt
from scipy.stats import chi2

from pose_regressor.estimation.refine_depth import Evidence, refine_on_depth
from pose_regressor.estimation.refine_outline import Edges
from pose_regressor.estimation.sensor_bias import BIAS_SHARE, BIAS_SIGMA
from pose_regressor.estimation.visible_surface import Solid, compare, visible_points
from pose_regressor.estimation.windows import cut_depth
from pose_regressor.geometry.rigid import difference, moved, rigid
from pose_regressor.geometry.so3 import exp
from pose_regressor.types import Camera, ObjectModel

SIZE = 128
#: Of the frame; the crop is the same view.
CAMERA = Camera(SIZE, SIZE, np.array([[500.0, 0, 63.5], [0, 500.0, 63.5], [0, 0, 1]]))
HALF = np.array([0.07, 0.05, 0.03])
CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * HALF
#: Two triangles for each side, counter-clockwise from outside.
FACES = np.array(
    [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1], [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4],
     [1, 5, 7], [1, 7, 3]]
)  # fmt: skip
MODEL = ObjectModel("box", 1, 2 * float(np.linalg.norm(HALF)), np.stack([-HALF, HALF]), CORNERS, CORNERS,
                    vertices=CORNERS, faces=FACES)  # fmt: skip
SOLID, EDGES = Solid.of(MODEL), Edges.of(MODEL)
SIGMA = np.diag([0.002, 0.002, 0.02, 0.04, 0.04, 0.04]) ** 2
TRUTHS = [
    rigid(exp(np.array(rotvec)), np.array(place))
    for rotvec, place in (
        ([2.2, 0.4, 0.3], [0.0, 0.0, 0.7]),
        ([-0.9, 0.5, 0.6], [0.01, -0.01, 0.75]),
        ([0.5, 1.9, -0.4], [-0.01, 0.01, 0.65]),
    )
]


def rays(matrix=CAMERA.matrix):
    rows, columns = np.indices((SIZE, SIZE))
    return np.stack([columns, rows, np.ones_like(rows)], -1) @ np.linalg.inv(matrix).T


def traced(pose):
    """(S, S) depth of the box by the slab method, in front of a plane, and which pixels show the box."""
    origin, direction = -pose[:3, :3].T @ pose[:3, 3], rays() @ pose[:3, :3]
    with np.errstate(divide="ignore"):
        low, high = (-HALF - origin) / direction, (HALF - origin) / direction
    near, far = np.minimum(low, high).max(-1), np.maximum(low, high).min(-1)
    shows = near < far
    return np.where(shows, near, 0.9 + 0.3 * rays()[..., 1]).astype(np.float32), shows


def refined(start, depth, shows, covariance=SIGMA):
    window = cut_depth(depth, CAMERA, CAMERA.matrix, (SIZE, SIZE))
    return refine_on_depth(start, covariance, CAMERA.matrix, shows.astype(np.float32), window, SOLID, EDGES)


def compared(pose, shows, window):
    visible = visible_points(pose, CAMERA.matrix, SIZE, SOLID)
    return compare(pose, CAMERA.matrix, shows.astype(np.float32), window, visible)


def draws(count, seed=0, covariance=SIGMA):
    """Truths, and poses that are wrong as their covariance says."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        truth = TRUTHS[number % len(TRUTHS)]
        yield truth, moved(truth, rng.multivariate_normal(np.zeros(6), covariance)), rng


def error(pose, truth):
    """Mean distance of the corners, metres."""
    at = [CORNERS @ t[:3, :3].T + t[:3, 3] for t in (pose, truth)]
    return np.linalg.norm(at[0] - at[1], axis=1).mean()


def test_visible_points_lie_on_what_is_traced():
    for truth in TRUTHS:
        depth, shows = traced(truth)
        window = cut_depth(depth, CAMERA, CAMERA.matrix, (SIZE, SIZE))
        seen = compared(truth, shows, window)
        assert len(seen.apart) == seen.visible > 300
        # A pixel at an edge shows the side beyond it, or the plane behind the box.
        assert np.mean(np.abs(seen.apart) < 1e-6) > 0.85
        # Each visible point is in front of the box's centre, and none is on a side that looks away.
        assert (np.einsum("ij,ij->i", seen.normal, seen.turned + truth[:3, 3]) < 0).all()


def test_derivatives_are_those_of_numeric_differences():
    """Of the distance of the same measured points from the surface, by the pose's motion and by the depth."""
    pose = moved(TRUTHS[0], np.array([0.001, -0.002, 0.004, 0.02, -0.01, 0.03]))
    depth, shows = traced(TRUTHS[0])
    window = cut_depth(depth, CAMERA, CAMERA.matrix, (SIZE, SIZE))
    seen = compared(pose, shows, window)
    points, normals = seen.turned @ pose[:3, :3], seen.normal @ pose[:3, :3]
    # The measured points follow from what `compare` says of them along the normal and along z.
    at = seen.turned + pose[:3, 3]
    measured = at[:, 2] + seen.along
    offset = np.einsum("ij,ij->i", seen.normal, at) + seen.apart

    def apart(motion, deeper=0.0):
        after = moved(pose, motion)
        # To first order the measured point stays and the plane's own turn counts as nothing for points on it.
        moved_points = points @ after[:3, :3].T + after[:3, 3]
        return offset + seen.by_depth * deeper - np.einsum("ij,ij->i", seen.normal, moved_points)

    analytic = np.concatenate([seen.normal, np.cross(seen.turned, seen.normal)], axis=1)
    for k in range(6):
        motion = np.zeros(6)
        motion[k] = 1e-6
        numeric = (apart(motion) - apart(-motion)) / 2e-6
        np.testing.assert_allclose(-numeric, analytic[:, k], atol=1e-6)
    np.testing.assert_allclose(offset / measured, seen.by_depth, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-6)


def test_a_pose_comes_back_to_the_measured_surface():
    before, after = [], []
    for truth, start, rng in draws(45):
        depth, shows = traced(truth)
        noisy = depth + (0.001 * rng.standard_normal(depth.shape)).astype(np.float32)
        fit = refined(start, noisy, shows)
        before.append(error(start, truth))
        after.append(error(fit.cam_from_obj, truth))
        assert fit.evidence.share > 0.85 and fit.evidence.confirmed > 0.9
    assert np.median(after) < 0.1 * np.median(before)
    assert np.quantile(after, 0.9) < 0.004


def before_a_wall(depth, shows):
    """The box's depth, and a wall behind it."""
    return np.where(shows, depth, depth[shows].max() + 0.2).astype(np.float32)


def test_a_surface_that_goes_on_beside_the_object_speaks_against_it():
    """Depth agrees with every point of the pose. What tells an object from a part of a larger one is its outline."""
    for truth in TRUTHS:
        depth, shows = traced(truth)
        alone = refined(truth, before_a_wall(depth, shows), shows).evidence
        assert alone.ends == 1 and alone.support == pytest.approx(alone.confirmed * np.sqrt(alone.share))
        row, column = distance_transform_edt(~shows, return_indices=True, return_distances=False)
        part = refined(truth, depth[row, column], shows).evidence
        assert part.ends < 0.05 and part.confirmed > 0.95
        assert part.support == pytest.approx(0.5 * alone.support, rel=0.05)


def test_the_outline_counts_between_two_shares():
    assert Evidence(1, 1, 0.8).support == Evidence(1, 1, 1).support == 1
    assert Evidence(1, 1, 0.6).support == pytest.approx(0.75)
    assert Evidence(1, 1, 0.4).support == Evidence(1, 1, 0).support == 0.5


@pytest.mark.parametrize("gap, ends", [(5, True), (12, False)])
def test_the_outline_is_compared_a_sixteenth_of_the_crop_away(gap, ends):
    """A ledge around the box, as near as its outline, `gap` pixels wide; the crop has 128, so 8 pixels decide."""
    depth, shows = traced(TRUTHS[0])
    away, (row, column) = distance_transform_edt(~shows, return_indices=True)
    ledge = np.where(away <= gap, depth[row, column], depth[shows].max() + 0.2).astype(np.float32)
    assert (refined(TRUTHS[0], ledge, shows).evidence.ends > 0.9) == ends


def on_a_table():
    """A thin box, seen from above, on a table 12 mm below its top; and which pixels show the box."""
    truth = rigid(exp(np.array([np.pi, 0, 0])), np.array([0, 0, 0.8]))
    depth, shows = traced(truth)
    return truth, np.where(shows, depth, depth[shows].min() + 0.012).astype(np.float32), shows


def test_the_outline_is_compared_after_refinement():
    """The start is as far away as the table."""
    truth, depth, shows = on_a_table()
    start = truth.copy()
    start[2, 3] += 0.012
    assert refined(start, depth, shows).evidence.ends > 0.9


@pytest.mark.parametrize("error", [-0.006, 0.006])
def test_the_outline_is_compared_without_the_sensors_error(error):
    """The image knows the distance well, so it is the sensor that is wrong."""
    truth, depth, shows = on_a_table()
    sure = SIGMA * np.diag([1, 1, 0.0005 / 0.02, 1, 1, 1]) ** 2
    assert refined(truth, depth + np.float32(error), shows, sure).evidence.ends > 0.9


def test_another_part_of_the_object_across_a_gap_does_not_speak_against_it():
    """Two plates, 6 mm apart: beside the one's inner edge lies the other."""
    half = np.array([0.025, 0.05, 0.002])
    plates = [CORNERS / HALF * half + [shift, 0, 0] for shift in (-0.028, 0.028)]
    vertices, faces = np.concatenate(plates), np.concatenate([FACES, FACES + 8])
    bounds = np.stack([vertices.min(0), vertices.max(0)])
    long = float(np.linalg.norm(np.ptp(bounds, 0)))
    model = ObjectModel("plates", 1, long, bounds, vertices, vertices, vertices=vertices, faces=faces)
    truth = rigid(exp(np.array([np.pi, 0, 0])), np.array([0, 0, 0.7]))
    x, y, _ = np.moveaxis(rays() * 0.698, -1, 0)
    shows = (np.abs(np.abs(x) - 0.028) < half[0]) & (np.abs(y) < half[1])
    window = cut_depth(np.where(shows, 0.698, 0.9).astype(np.float32), CAMERA, CAMERA.matrix, (SIZE, SIZE))
    crop = CAMERA.matrix, shows.astype(np.float32), window
    evidence = refine_on_depth(truth, SIGMA, *crop, Solid.of(model), Edges.of(model)).evidence
    assert evidence.ends == 1 and evidence.confirmed > 0.95


@pytest.mark.parametrize("value", [0.0, np.nan, 0.3])
def test_what_hides_the_outline_or_is_not_measured_says_nothing_of_it(value):
    depth, shows = traced(TRUTHS[0])
    half = before_a_wall(depth, shows)
    half[:, : SIZE // 2][~shows[:, : SIZE // 2]] = value
    assert refined(TRUTHS[0], half, shows).evidence.ends == 1


@pytest.mark.parametrize("off", [-0.07, -0.04, 0.04, 0.07])
def test_a_distance_wrong_by_more_than_the_object_is_deep_comes_right(off):
    """Seven per cent are 5 cm; the box is 6 cm deep, and the plane behind it is as near."""
    for truth in TRUTHS:
        depth, shows = traced(truth)
        start = truth.copy()
        start[:3, 3] *= 1 + off
        assert error(refined(start, depth, shows).cam_from_obj, truth) < 0.003


def test_an_occluder_holes_and_quantization_do_not_pull():
    for truth, start, rng in draws(30, seed=1):
        depth, shows = traced(truth)
        depth = (np.round(depth / 0.003) * 0.003).astype(np.float32)
        depth[:, 72:] = 0.5
        depth[rng.random(depth.shape) < 0.3] = 0
        depth[::7] = np.nan
        flying = rng.random(depth.shape) < 0.05
        depth[flying] = rng.uniform(0.5, 1.0, depth.shape)[flying]
        mask = shows.copy()
        mask[:, 72:] = False
        fit = refined(start, depth, mask)
        assert error(fit.cam_from_obj, truth) < 0.01
        assert fit.evidence.confirmed > 0.75


def test_the_covariance_holds_with_noise_that_neighbours_share_and_a_bias():
    """The 95 % ellipsoid holds about that share of the truths, and is not far too large."""
    import cv2

    squared = []
    for truth, start, rng in draws(150, seed=2):
        depth, shows = traced(truth)
        noise = cv2.GaussianBlur(rng.standard_normal(depth.shape), (0, 0), 2.0)
        bias = rng.standard_normal() * np.hypot(BIAS_SIGMA, BIAS_SHARE * truth[2, 3])
        fit = refined(start, (depth + 0.002 * noise / noise.std() + bias).astype(np.float32), shows)
        off = difference(truth, fit.cam_from_obj)
        squared.append(off @ np.linalg.solve(fit.covariance, off))
    assert np.mean(np.array(squared) < chi2.ppf(0.95, 6)) > 0.9
    assert np.median(squared) > 0.3, "else it claims to know less than it does"


def test_noise_that_neighbours_share_tells_less():
    """Equal noise in every pixel: the rotation's variance is larger where neighbours err together."""
    import cv2

    ratios = []
    for truth, start, rng in draws(12, seed=3):
        depth, shows = traced(truth)
        variance = []
        for blur in (0.3, 2.0):
            noise = cv2.GaussianBlur(rng.standard_normal(depth.shape), (0, 0), blur)
            fit = refined(start, (depth + 0.003 * noise / noise.std()).astype(np.float32), shows)
            variance.append(np.trace(fit.covariance[3:, 3:]))
        ratios.append(variance[1] / variance[0])
    assert np.median(ratios) > 1.5


def test_free_space_contradicts_and_a_hidden_object_does_not():
    truth = TRUTHS[0]
    depth, shows = traced(truth)
    plane = (0.9 + 0.3 * rays()[..., 1]).astype(np.float32)
    empty = refined(truth, np.where(shows, np.float32(1.5), plane), shows)
    assert empty.evidence.confirmed < 0.1, "the box is where the sensor sees through"
    half = depth.copy()
    half[:64] = 0.4
    mask = shows.copy()
    mask[:64] = False
    covered = refined(truth, half, mask)
    assert covered.evidence.confirmed > 0.9 and 0.2 < covered.evidence.share < 0.8


@pytest.mark.parametrize("depth", [np.zeros((SIZE, SIZE)), np.full((SIZE, SIZE), np.nan)])
def test_nothing_measured_changes_nothing(depth):
    fit = refined(TRUTHS[0], depth.astype(np.float32), np.ones((SIZE, SIZE)))
    assert fit.cam_from_obj is TRUTHS[0] and fit.covariance is SIGMA and fit.evidence is None


@pytest.mark.parametrize("distance", [0.05, 0.0, -0.5])
def test_a_pose_at_or_behind_the_camera_is_left_alone(distance):
    pose = rigid(exp(np.array([0.3, -0.5, 0.8])), np.array([0.0, 0.0, distance]))
    fit = refined(pose, *traced(TRUTHS[0]))
    assert fit.cam_from_obj is pose and fit.evidence is None


def test_objects_without_a_mesh_have_no_solid():
    bare = ObjectModel("box", 1, 0.2, np.stack([-HALF, HALF]), CORNERS, CORNERS)
    assert Solid.of(bare) is None
