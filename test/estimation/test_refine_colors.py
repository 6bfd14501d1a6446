"""A pose from colours against OpenCV: a textured plate, warped into the image by the homography of its true pose."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from pose_regressor.color import srgb_table
from pose_regressor.estimation.refine_colors import BLURS, DIAMETER, ZOOM, Crop, Surface, refine_on_colors
from pose_regressor.types import ObjectModel

SIZE, TEXELS = 128, 256
EDGE = 0.08  # of the plate, metres
CAMERA = np.array([[400.0, 0, 63.5], [0, 400, 63.5], [0, 0, 1]])
#: Before anything is seen: 8 mm in depth, 2 mm aside, 3 degrees.
COVARIANCE = np.diag(np.square([0.002, 0.002, 0.008, 0.05, 0.05, 0.05]))


def blotches(number):
    """A texture of so many blotches to the edge."""
    drawn = np.random.default_rng(0).uniform(30, 220, (number, number, 3)).astype(np.float32)
    return cv2.resize(drawn, (TEXELS, TEXELS), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def texture():
    return blotches(9)


@pytest.fixture(scope="module")
def plate(texture):
    return covered(texture)


def covered(texture):
    """Points of a plate's face at z = 0, which looks along -z."""
    rng = np.random.default_rng(1)
    points = np.concatenate([rng.uniform(-EDGE / 2, EDGE / 2, (800, 2)), np.zeros((800, 1))], axis=1)
    light = srgb_table()[texture]
    texel = ((points[:, :2] / EDGE + 0.5) * TEXELS - 0.5).astype(np.float32)
    diameter = EDGE * 2**0.5
    colors = []
    for blur in BLURS:
        blurred = cv2.GaussianBlur(light, (0, 0), blur / DIAMETER * diameter * TEXELS / EDGE)
        colors.append(cv2.remap(blurred, texel[:, :1], texel[:, 1:], cv2.INTER_LINEAR)[:, 0])
    bounds = np.array([[-EDGE / 2, -EDGE / 2, -0.001], [EDGE / 2, EDGE / 2, 0.001]])
    normals = np.broadcast_to([0.0, 0, -1], points.shape)
    surface = np.concatenate([points, normals], axis=1)
    return ObjectModel("plate", 1, diameter, bounds, points, points[:8], surface=surface, colors=np.stack(colors, 1))


def posed(turn, translation):
    pose = np.eye(4)
    pose[:3, :3] = cv2.Rodrigues(np.array(turn, float))[0]
    pose[:3, 3] = translation
    return pose


TRUE = posed((0.35, -0.3, 0.2), (0.004, -0.006, 0.5))


def pictured(texture, pose, gain=(1.0, 1.0, 1.0), noise=0.0, seed=2):
    """The crop, on grey, twice as fine too, and what a perfect network says of it."""
    plate_from_texel = np.diag([EDGE / TEXELS, EDGE / TEXELS, 1.0])
    plate_from_texel[:2, 2] = (0.5 / TEXELS - 0.5) * EDGE
    homography = CAMERA @ pose[:3, [0, 1, 3]] @ plate_from_texel
    light = srgb_table()[texture] * np.array(gain, np.float32)
    finer = np.array([[4, 0, 1.5], [0, 4, 1.5], [0, 0, 1]])
    big = cv2.warpPerspective(light, finer @ homography, (4 * SIZE, 4 * SIZE), borderValue=(0.2,) * 3)
    light = cv2.resize(big, (ZOOM * SIZE, ZOOM * SIZE), interpolation=cv2.INTER_AREA)
    light = light + np.random.default_rng(seed).normal(0, noise, light.shape)
    table = srgb_table()
    fine = np.searchsorted((table[1:] + table[:-1]) / 2, light.clip(0, 1)).astype(np.uint8)
    light = cv2.resize(light, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    image = np.searchsorted((table[1:] + table[:-1]) / 2, light.clip(0, 1)).astype(np.uint8)
    inside = np.zeros((SIZE, SIZE), np.uint8)
    corners = np.array([[0, 0, 1], [TEXELS, 0, 1], [TEXELS, TEXELS, 1], [0, TEXELS, 1]]) @ homography.T
    cv2.fillConvexPoly(inside, np.round(corners[:, :2] / corners[:, 2:]).astype(np.int32), 1)
    rows, columns = np.mgrid[0:SIZE:2, 0:SIZE:2]
    on_plate = np.stack([columns, rows, np.ones_like(rows)], -1) @ np.linalg.inv(CAMERA @ pose[:3, [0, 1, 3]]).T
    coordinates = np.concatenate([on_plate[..., :2] / on_plate[..., 2:], np.zeros((*rows.shape, 1))], -1)
    return Crop(image, cv2.distanceTransform(inside, cv2.DIST_L2, 5), coordinates, fine)


def errors(pose):
    """Metres aside, share of the distance, degrees."""
    turn = cv2.Rodrigues(pose[:3, :3] @ TRUE[:3, :3].T)[0]
    apart = pose[:3, 3] - TRUE[:3, 3]
    return np.linalg.norm(apart[:2]), abs(apart[2]) / TRUE[2, 3], np.degrees(np.linalg.norm(turn))


STARTS = [
    posed((0.39, -0.33, 0.23), (0.0055, -0.005, 0.507)),
    posed((0.32, -0.27, 0.16), (0.003, -0.0075, 0.494)),
    posed((0.35, -0.35, 0.2), (0.004, -0.006, 0.5)),
]


def refined(start, crop, model, covariance=COVARIANCE):
    return refine_on_colors(start, covariance, CAMERA, crop, Surface.of(model))


@pytest.mark.parametrize("start", STARTS, ids=["near", "far", "turned"])
@pytest.mark.parametrize(
    ("gain", "noise"),
    [((1, 1, 1), 0), ((0.4, 0.5, 0.7), 0), ((1, 1, 1), 0.02)],
    ids=["plain", "lit", "noise"],
)
def test_the_colours_lead_to_the_true_pose(texture, plate, start, gain, noise):
    before, (pose, covariance) = errors(start), refined(start, pictured(texture, TRUE, gain, noise), plate)
    aside, depth, turn = errors(pose)
    assert aside < 2e-4 and depth < 3e-3 and turn < 0.7
    assert turn < before[2] / 3
    assert (np.diag(covariance) < np.diag(COVARIANCE)).all()
    moved = np.concatenate([TRUE[:3, 3] - pose[:3, 3], cv2.Rodrigues(TRUE[:3, :3] @ pose[:3, :3].T)[0][:, 0]])
    assert moved @ np.linalg.solve(covariance, moved) < 22  # of six degrees of freedom, 99.9 %


@pytest.mark.parametrize("start", STARTS, ids=["near", "far", "turned"])
@pytest.mark.parametrize("power", [0.7, 1.4], ids=["flat", "steep"])
def test_glare_and_a_tone_curve_do_not_mislead(texture, plate, start, power):
    """A camera whose curve is not sRGB's, behind a veil that adds the same light everywhere."""
    crop = pictured(texture, TRUE)
    code = (srgb_table()[crop.image] * 0.7 + 0.2) ** (power / 2.2)
    seen = replace(crop, image=np.round(255 * code).astype(np.uint8), fine=None)
    aside, depth, turn = errors(refined(start, seen, plate)[0])
    assert aside < 4e-4 and depth < 5e-3 and turn < 1


def test_a_finer_image_says_more():
    texture = blotches(40)  # which the crop shows in two pixels each
    plate = covered(texture)

    def squared(**changes):
        found = []
        for seed in range(8):
            crop = replace(pictured(texture, TRUE, noise=0.05, seed=seed), **changes)
            found += [errors(refined(start, crop, plate)[0]) for start in STARTS]
        return np.square(found).mean(0)

    assert (squared() < (0.9, 0.6, 0.2) * squared(fine=None)).all()


def test_a_hand_before_it_is_left_out(texture, plate):
    crop = pictured(texture, TRUE)
    crop.image[:, 70:] = crop.fine[:, ZOOM * 70 :] = (180, 120, 90)
    told = replace(crop, inside=np.where(np.arange(SIZE) < 70, np.minimum(crop.inside, 70 - np.arange(SIZE)), 0))
    unseen = replace(crop, coordinates=np.where((np.arange(64) < 35)[None, :, None], crop.coordinates, 1.0))
    for one in (told, unseen):  # by the mask, by the coordinates
        pose, _ = refined(STARTS[0], one, plate)
        aside, depth, turn = errors(pose)
        assert aside < 5e-4 and depth < 1e-2 and turn < 1.2


def test_what_says_nothing_changes_nothing(texture, plate):
    crop = pictured(texture, TRUE)
    nowhere = replace(crop, inside=np.zeros_like(crop.inside))
    behind = posed((0, 0, 0), (0, 0, -0.5))
    for pose, one in ((STARTS[0], nowhere), (behind, crop)):
        same, covariance = refined(pose, one, plate)
        assert same is pose and covariance is COVARIANCE
    assert Surface.of(replace(plate, surface=np.zeros((0, 6)), colors=np.zeros((0, 2, 3)))) is None


def test_a_plain_plate_is_held_by_what_was_known(texture, plate):
    """Where there is no colour to go by, the pose stays within one standard deviation of where it was."""
    grey = replace(plate, colors=np.full_like(plate.colors, 0.3))
    crop = pictured(np.full_like(texture, 150), TRUE)
    pose, _ = refined(STARTS[0], crop, grey)
    turn = cv2.Rodrigues(pose[:3, :3] @ STARTS[0][:3, :3].T)[0][:, 0]
    moved = np.concatenate([pose[:3, 3] - STARTS[0][:3, 3], turn])
    assert moved @ np.linalg.solve(COVARIANCE, moved) < 1


@pytest.mark.parametrize("behind", [0, 255], ids=["dark", "bright"])
def test_what_shines_in_from_behind_moves_nothing(texture, behind):
    """Where a faint print is all there is to go by: it is 1 to 2 % of the distance if the rim has a part."""
    faint = (137 + texture / 10).astype(np.uint8)
    crop = pictured(faint, TRUE)
    crop.image[crop.inside == 0] = behind
    unsharp = replace(crop, image=cv2.GaussianBlur(crop.image, (0, 0), 0.7), fine=None)
    pose, _ = refined(TRUE, unsharp, covered(faint))
    assert errors(pose)[1] < 2e-3


@pytest.mark.parametrize("seed", range(4))
def test_a_pattern_that_the_mesh_has_not_moves_nothing(texture, plate, seed):
    """Farther away the plate would cover less of it, and leave less unexplained."""
    grey = replace(plate, colors=np.full_like(plate.colors, 0.3))
    drawn = np.random.default_rng(seed).uniform(60, 180, (5, 5, 3)).astype(np.float32)
    dirty = cv2.resize(drawn, texture.shape[:2], interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)
    pose, _ = refined(TRUE, replace(pictured(dirty, TRUE), fine=None), grey)
    assert errors(pose)[1] < 5e-4


def test_moved_too_far_it_is_not_believed(texture, plate):
    crop = pictured(texture, TRUE)
    sure = COVARIANCE / 25  # of a pose from which the true one is 12 of its standard deviations away
    pose, _ = refined(STARTS[0], crop, plate, sure)
    assert pose is STARTS[0]


def test_an_object_at_the_camera_is_left_where_it_is(texture, plate):
    """Steps that lead behind the camera end in what is no number, not in an error."""
    crop = replace(
        pictured(texture, TRUE), coordinates=np.zeros((64, 64, 3)), inside=np.full((SIZE, SIZE), 50, np.float32)
    )
    wide = np.diag([1.0, 1, 1, 10, 10, 10])
    for depth in (0.001, 0.01, 0.05):
        start = posed((0.3, 0, 0), (0, 0, depth))
        large = replace(plate, diameter=10.0)
        with np.errstate(all="ignore"):
            pose, covariance = refined(start, crop, large, wide)
        assert np.isfinite(pose).all() and np.isfinite(covariance).all()
