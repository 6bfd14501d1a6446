"""Drawing: lands where projection says, and nothing behind, beside or inside the camera breaks it."""

import numpy as np
import pytest

from pose_regressor.draw import contact_sheet, draw_poses, draw_text
from pose_regressor.types import Camera, ObjectModel, PoseEstimate

WIDTH, HEIGHT = 160, 120
MATRIX = np.array([[150.0, 0, 80], [0, 150, 60], [0, 0, 1]])
PLAIN = Camera(WIDTH, HEIGHT, MATRIX)
BENT = Camera(WIDTH, HEIGHT, MATRIX, np.array([-0.3, 0.1, 0.001, -0.002, 0.0]))


def estimate_at(translation, rotation=None) -> PoseEstimate:
    bounds = np.array([[-0.05, -0.04, -0.03], [0.05, 0.04, 0.03]])
    points = np.random.default_rng(0).uniform(bounds[0], bounds[1], (200, 3))
    pose = np.eye(4)
    pose[:3, :3] = np.eye(3) if rotation is None else rotation
    pose[:3, 3] = translation
    return PoseEstimate(
        ObjectModel("box", 1, 0.14, bounds, points, points[:8]), pose, np.eye(6), 0.9, "pnp", np.zeros(4)
    )


def grey() -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 3), 90, np.uint8)


@pytest.mark.parametrize("camera", [PLAIN, BENT])
def test_drawing_stays_around_the_object_and_leaves_the_input(camera):
    image = grey()
    drawn = draw_poses(image, camera, [estimate_at((0, 0, 0.5))])
    assert (image == 90).all()
    changed = np.argwhere((drawn != 90).any(axis=2))
    assert len(changed) > 400
    np.testing.assert_array_equal(drawn[5, 5], [90, 90, 90])
    # The x axis ends diameter / 2 to the right of the centre: 0.07 m * 150 px / 0.5 m = 21 px, near enough bent or not.
    red, green, blue = drawn[60, 98].astype(int)
    assert red > 150 > max(green, blue)


def test_distortion_is_honoured():
    at = (0.15, 0.1, 0.5)
    plain, bent = (
        draw_poses(grey(), camera, [], [(estimate_at(at).model, estimate_at(at).cam_from_obj)])
        for camera in (PLAIN, BENT)
    )
    centre_plain, centre_bent = (np.argwhere((drawn != 90).any(axis=2)).mean(axis=0) for drawn in (plain, bent))
    # Barrel distortion pulls to the middle.
    assert (centre_bent < centre_plain - 1).all()


@pytest.mark.parametrize("camera", [PLAIN, BENT])
@pytest.mark.parametrize(
    "at", [(0, 0, -0.5), (0, 0, 0.01), (0, 0, 0), (3, 0, 0.5), (0.2, 0.2, 0.5), (-50, 2, 0.02), (0, 0, 1e4)]
)
def test_odd_places_do_not_break_it(camera, at):
    estimate = estimate_at(at)
    drawn = draw_poses(grey(), camera, [estimate], [(estimate.model, estimate.cam_from_obj)])
    assert drawn.shape == (HEIGHT, WIDTH, 3)


def test_behind_the_camera_draws_only_the_label():
    assert (
        draw_poses(grey(), PLAIN, [], [(estimate_at((0, 0, -1)).model, estimate_at((0, 0, -1)).cam_from_obj)]) == 90
    ).all()


def test_text_fits_a_tiny_image():
    canvas = np.zeros((8, 8, 3), np.uint8)
    draw_text(canvas, "longer than the image")
    assert canvas.shape == (8, 8, 3)


def test_contact_sheet():
    images = [np.full((HEIGHT, WIDTH, 3), 50 * i, np.uint8) for i in range(3)]
    sheet = contact_sheet(images, columns=2, width=80)
    assert sheet.shape == (120, 160, 3)
    assert [int(sheet[y, x, 0]) for y, x in ((5, 5), (5, 85), (65, 5), (65, 85))] == [0, 50, 100, 64]
    assert contact_sheet(images[:1], columns=4, width=80).shape == (60, 80, 3)
