"""Camera infos as plain objects with the message's field names: the function promises to need no more."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from pose_regressor.geometry.camera import project_distorted
from pose_regressor.geometry.camera_info import camera_from_info
from pose_regressor.types import InputError


def region(left, top, width, height):
    return SimpleNamespace(x_offset=left, y_offset=top, width=width, height=height, do_rectify=False)


@pytest.fixture
def info():
    """Makes camera infos of 4x2 pixels."""

    def make(**rest):
        values = {
            "width": 4,
            "height": 2,
            "distortion_model": "plumb_bob",
            "d": [0.1, 0.0, 0.0, 0.0, 0.0],
            "k": [100.0, 0.0, 1.5, 0.0, 110.0, 0.5, 0.0, 0.0, 1.0],
            "p": [90.0, 0.0, 1.4, 0.0, 0.0, 95.0, 0.6, 0.0, 0.0, 0.0, 1.0, 0.0],
            "binning_x": 0,
            "binning_y": 0,
            "roi": region(0, 0, 0, 0),
        }
        return SimpleNamespace(**{**values, **rest})

    return make


def test_camera_from_info(info):
    camera = camera_from_info(info())
    assert (camera.width, camera.height) == (4, 2)
    np.testing.assert_array_equal(camera.matrix, [[100, 0, 1.5], [0, 110, 0.5], [0, 0, 1]])
    np.testing.assert_array_equal(camera.distortion, [0.1, 0, 0, 0, 0])
    rational = camera_from_info(info(distortion_model="rational_polynomial", d=[0.1] * 8))
    assert (rational.distortion_model, len(rational.distortion)) == ("rational_polynomial", 8)


def test_what_is_rectified_is_seen_through_p(info):
    """As OpenCV rectifies: where raw pixels of places in space come to lie."""
    msg = info()
    raw, rectified = camera_from_info(msg), camera_from_info(msg, rectified=True)
    places = np.random.default_rng(0).uniform([-1, -1, 3], [1, 1, 5], (20, 3))
    pixels = cv2.projectPoints(places, np.zeros(3), np.zeros(3), raw.matrix, raw.distortion)[0]
    moved = cv2.undistortPoints(pixels, raw.matrix, raw.distortion, P=np.reshape(msg.p, (3, 4)))[:, 0]
    seen = places @ rectified.matrix.T
    np.testing.assert_allclose(seen[:, :2] / seen[:, 2:], moved, atol=1e-5)
    assert not rectified.is_distorted


@pytest.mark.parametrize(
    ("p", "words"),
    [
        ([0.0] * 12, "calibrated projection matrix P of 12 numbers"),
        ([90.0, 0, 1.4, -9.0, 0, 95, 0.6, 0, 0, 0, 1, 0], "of a stereo pair take the first camera"),
        ([-90.0, 0, 1.4, 0, 0, 95, 0.6, 0, 0, 0, 1, 0], "fx=-90"),
    ],
)
def test_bad_rectified_cameras_are_refused(info, p, words):
    with pytest.raises(InputError, match=words):
        camera_from_info(info(p=p), rectified=True)


@pytest.mark.parametrize("distortion", [[], [0.0] * 5])
def test_no_distortion_model_means_no_distortion(info, distortion):
    assert not camera_from_info(info(distortion_model="", d=distortion)).is_distorted


K = [100.0, 0.0, 1.5, 0.0, 110.0, 0.5, 0.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"k": [0.0] * 9}, ["calibrated camera matrix K"]),
        ({"k": [float("nan"), *K[1:]]}, ["camera matrix K", "nan"]),
        ({"k": [float("inf"), *K[1:]]}, ["camera matrix K", "inf"]),
        ({"k": [0.0, *K[1:]]}, ["positive fx and fy", "fx=0"]),
        ({"k": [*K[:4], -1.0, *K[5:]]}, ["positive fx and fy", "fy=-1"]),
        ({"k": K[:8]}, ["K of 9 numbers"]),
        ({"k": [*K[:8], 2.0]}, ["camera matrix K"]),
        ({"width": 0, "height": 0}, ["of 1 to 100000 pixels", "0x0"]),
        ({"width": 10**400}, ["of 1 to 100000 pixels", "got 1000"]),
        ({"distortion_model": "thin_prism_fisheye", "d": [0.0] * 12}, ["is not known", "plumb_bob", "equidistant"]),
        ({"distortion_model": "", "d": [0.1, 0.0, 0.0, 0.0, 0.0]}, ["model '' has none", "got [0.1,"]),
        ({"distortion_model": 3}, ["expected the distortion model's name", "got 3"]),
        ({"d": [0.1, 0.2]}, ["plumb_bob takes", "got 2"]),
        ({"d": [float("nan")] * 5}, ["finite"]),
        ({"binning_x": 8, "k": [100.0, 0, 1.5, 0, 110, 0.5, 0, 0, 1]}, ["a binning smaller than the image", "8x1"]),
        ({"width": 2, "height": 1, "binning_x": 2, "k": [100.0, 0, 1.6, 0, 110, 0.8, 0, 0, 1]}, ["before binning"]),
        ({"roi": region(1, 0, 4, 2)}, ["region of interest within the full image", "got 4x2+1+0 of 4x2"]),
        ({"roi": region(0, 0, 4, 0)}, ["got 4x0+0+0 of 4x2"]),
        ({"roi": region(1, 1, 0, 0)}, ["got 0x0+1+1 of 4x2"]),
    ],
)
def test_bad_camera_infos_are_refused(info, changes, words):
    with pytest.raises(InputError) as caught:
        camera_from_info(info(**changes))
    assert str(caught.value).startswith("camera info: ")
    for word in words:
        assert word in str(caught.value)


def published(image, left, top, width, height, columns, rows):
    """What a camera sends: a part of its full image, in which each columns x rows pixels are averaged to one."""
    part = image[top : top + height, left : left + width]
    return part.reshape(height // rows, rows, width // columns, columns).mean((1, 3))


@pytest.mark.parametrize("rectified", [False, True])
@pytest.mark.parametrize("model", ["plumb_bob", "equidistant"])
@pytest.mark.parametrize(
    ("roi", "binning"),
    [((0, 0, 0, 0), (2, 2)), ((0, 0, 0, 0), (4, 1)), ((40, 24, 240, 160), (1, 1)), ((41, 23, 240, 160), (2, 4))],
)
def test_the_camera_is_that_of_the_published_image(info, roi, binning, model, rectified):
    """Soft spots where OpenCV sees places in space, drawn at full resolution, then cut and binned as a camera does."""
    k, p = [300.0, 0, 163.2, 0, 290, 118.7, 0, 0, 1], [280.0, 0, 160.5, 0, 0, 285, 121.25, 0, 0, 0, 1, 0]
    d = [-0.2, 0.05, 0.001, -0.002] if model == "plumb_bob" else [0.05, -0.01, 0.002, 0.0]
    msg = info(width=320, height=240, k=k, p=p, d=d, distortion_model=model)
    msg.binning_x, msg.binning_y, msg.roi = *binning, region(*roi)
    camera = camera_from_info(msg, rectified)
    left, top, width, height = roi if roi[2] else (0, 0, 320, 240)
    assert (camera.width, camera.height) == (width // binning[0], height // binning[1])
    of = cv2.fisheye.projectPoints if model == "equidistant" else cv2.projectPoints
    rows, columns = np.indices((240, 320))
    for place in ([0.05, -0.02, 0.7], [-0.13, 0.04, 0.6], [0.0, 0.12, 0.9]):
        if rectified:
            (pixel,) = (np.reshape(p, (3, 4))[:, :3] @ place)[None, :2] / place[2]
        else:
            pixel = of(np.array([[place]]), np.zeros(3), np.zeros(3), np.reshape(k, (3, 3)), np.array(d))[0].ravel()
        spot = np.exp(-((columns - pixel[0]) ** 2 + (rows - pixel[1]) ** 2) / (2 * 5**2))
        sent = published(spot, left, top, width, height, *binning)
        y, x = np.indices(sent.shape)
        centre = np.array([(x * sent).sum(), (y * sent).sum()]) / sent.sum()
        np.testing.assert_allclose(project_distorted(np.array([place]), camera)[0], centre, atol=0.01)


def test_binning_of_one_and_the_whole_region_change_nothing(info):
    msg = info(binning_x=1, binning_y=1, roi=region(0, 0, 4, 2))
    np.testing.assert_array_equal(camera_from_info(msg).matrix, camera_from_info(info()).matrix)


@pytest.mark.parametrize(
    ("model", "d", "kept", "length"),
    [
        ("plumb_bob", [0.03, -0.05, 0.0002, -0.0001, 0.01, 0, 0, 0], "plumb_bob", 5),
        ("plumb_bob", [0.03, -0.05, 0.0002, -0.0001], "plumb_bob", 4),
        ("plumb_bob", [0.0] * 14, "plumb_bob", 5),
        ("rational_polynomial", [0.4, -0.5, 0.1, 0.2, 0.3], "rational_polynomial", 5),
        ("rational_polynomial", [0.1] * 8 + [0.0] * 6, "rational_polynomial", 8),
        ("rational_polynomial", [0.1] * 9 + [0.0] * 3, "rational_polynomial", 12),
        ("rational_polynomial", [0.1] * 12 + [0.0] * 2, "rational_polynomial", 12),
        ("rational_polynomial", [0.1] * 13 + [0.0], "rational_polynomial", 14),
        ("equidistant", [0.1] * 4, "equidistant", 4),
        ("equidistant", [0.1] * 4 + [0.0] * 4, "equidistant", 4),
        ("fisheye", [0.0] * 4, "equidistant", 4),
        ("none", [], "plumb_bob", 0),
        ("None", [0.0] * 5, "plumb_bob", 0),
        ("pinhole", [], "plumb_bob", 0),
        ("", [], "plumb_bob", 0),
    ],
)
def test_drivers_names_and_padding_of_distortion(info, model, d, kept, length):
    camera = camera_from_info(info(distortion_model=model, d=d))
    assert camera.distortion_model == kept
    np.testing.assert_array_equal(camera.distortion, d[:length])
    assert camera.is_distorted == (kept == "equidistant" or any(d))


@pytest.mark.parametrize(
    ("model", "d"), [("plumb_bob", [0.1] * 8), ("equidistant", [0.1] * 5), ("equidistant", []), ("none", [0.1] * 5)]
)
def test_coefficients_that_their_model_lacks(info, model, d):
    with pytest.raises(InputError, match="coefficients"):
        camera_from_info(info(distortion_model=model, d=d))
