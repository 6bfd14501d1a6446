"""Which boxes can show an object of known size at the depth that is measured in them."""

import numpy as np
import pytest

from pose_regressor.estimation.box_depth import fitted, fitting
from pose_regressor.types import Camera, ObjectModel

CAMERA = Camera(640, 480, np.array([[600.0, 0, 320], [0, 600, 240], [0, 0, 1]]))
HALF = np.array([0.1, 0.05, 0.03])
MODEL = ObjectModel("brick", 1, 2 * float(np.linalg.norm(HALF)), np.stack([-HALF, HALF]), np.eye(3), np.eye(3))


def box(edge):
    return np.array([320 - edge / 2, 240 - edge / 3, 320 + edge / 2, 240 + edge / 3])


def metres(value):
    return np.full((480, 640), value, np.float32)


@pytest.mark.parametrize("edge, fits", [(20, False), (50, True), (120, True), (160, True), (300, False)])
def test_only_boxes_of_the_objects_size_fit(edge, fits):
    """At 1 m the brick is 60 to 139 pixels long, whichever way it lies; a box may be off by a third."""
    assert (fitted(box(edge), MODEL, CAMERA, metres(1)) is not None) == fits


def test_a_box_that_fits_stays_and_one_that_is_a_little_off_is_scaled():
    np.testing.assert_allclose(fitted(box(100), MODEL, CAMERA, metres(1)), box(100))
    scaled = fitted(box(170), MODEL, CAMERA, metres(1))
    np.testing.assert_allclose(scaled[2] - scaled[0], 600 * MODEL.diameter)
    np.testing.assert_allclose(scaled[:2] + scaled[2:], [640, 480])


def test_boxes_of_another_size_come_last():
    """At 1 m, 240 pixels are 1.7 times too many for the brick, and 300 more than twice. The fourth box is the last that
    is looked at without depth."""
    found = fitting([box(300), box(240), box(100), box(240), box(240)], MODEL, CAMERA, metres(1))
    np.testing.assert_allclose(found[0], box(100))
    np.testing.assert_allclose([b[2] - b[0] for b in found], [100, *[600 * MODEL.diameter] * 2])


def test_an_occluder_does_not_drop_what_is_behind_it():
    depth = metres(0.4)
    depth[:, 340:] = 1
    assert fitted(box(100), MODEL, CAMERA, depth) is not None
    assert fitted(box(100), MODEL, CAMERA, metres(0.4)) is None


@pytest.mark.parametrize("value", [0, np.nan])
def test_where_nothing_is_measured_boxes_stay(value):
    boxes = [box(20), box(300), np.array([900.0, 0, 950, 50])]
    for kept, given in zip(fitting(boxes, MODEL, CAMERA, metres(value)), boxes, strict=True):
        np.testing.assert_array_equal(kept, given)
