"""Cropping, resizing and undistortion change K exactly: shown by where drawn points end up."""

import cv2
import numpy as np
import pytest

from pose_regressor.estimation.windows import crop_window, cut_depth, finer_window, frame_window
from pose_regressor.geometry.camera import resized_from_image
from pose_regressor.types import Camera

K = np.array([[610.0, 0, 322.3], [0, 605.0, 238.9], [0, 0, 1]])
POINTS = np.array([[0.05, -0.03, 0.7], [-0.11, 0.06, 0.8], [0.0, 0.02, 0.5]])
CAMERAS = {
    "pinhole": Camera(640, 480, K),
    "plumb_bob": Camera(640, 480, K, np.array([-0.25, 0.08, 0.001, -0.002, 0.01])),
    "rational_polynomial": Camera(
        640, 480, K, np.array([0.4, -0.2, 0.001, 0.0005, 0.05, 0.75, -0.15, 0.02]), "rational_polynomial"
    ),
    "tilted": Camera(
        640, 480, K, [0.4, -0.2, 0, 0, 0.05, 0.75, -0.15, 0.02, 1e-3, -2e-3, 2e-3, 1e-3, 0.02, -0.01],
        "rational_polynomial",
    ),
    "equidistant": Camera(640, 480, K, [0.08, -0.02, 0.005, -0.001], "equidistant"),
    "ideal fisheye": Camera(640, 480, K, np.zeros(4), "equidistant"),
}  # fmt: skip


def seen_by(camera: Camera, points: np.ndarray) -> np.ndarray:
    """(N, 2) pixels of points (N, 3), by OpenCV."""
    project = cv2.fisheye.projectPoints if camera.distortion_model == "equidistant" else cv2.projectPoints
    return project(points.reshape(-1, 1, 3), np.zeros(3), np.zeros(3), camera.matrix, camera.distortion)[0][:, 0]


def spot(camera: Camera, point: np.ndarray, radius: float) -> np.ndarray:
    """An image with a soft spot where the camera sees `point`."""
    (pixel,) = seen_by(camera, point)
    rows, columns = np.indices((camera.height, camera.width))
    value = 255 * np.exp(-((columns - pixel[0]) ** 2 + (rows - pixel[1]) ** 2) / (2 * radius**2))
    return np.repeat(value.round().astype(np.uint8)[..., None], 3, axis=2)


def centroid(image: np.ndarray) -> np.ndarray:
    weight = image[..., 0].astype(np.float64)
    rows, columns = np.indices(weight.shape)
    return np.array([(columns * weight).sum(), (rows * weight).sum()]) / weight.sum()


def pinhole(matrix: np.ndarray, point: np.ndarray) -> np.ndarray:
    return (matrix @ point)[:2] / point[2]


@pytest.mark.parametrize("camera", CAMERAS.values(), ids=CAMERAS.keys())
@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("edge", [60.0, 137.0, 300.0])
def test_crop_reprojects(camera, point, edge):
    image = spot(camera, point, radius=3)
    centre = pinhole(camera.matrix, point) + (edge / 7, -edge / 9)
    box = np.concatenate([centre - edge / 2, centre + edge / 2])
    window = crop_window(image, camera, box, margin=1.4, crop_size=128)
    assert window.image.shape == (128, 128, 3)
    error = centroid(window.image) - pinhole(window.camera_matrix, point)
    assert np.abs(error).max() < 0.1


@pytest.mark.parametrize("camera", CAMERAS.values(), ids=CAMERAS.keys())
def test_finer_window_is_the_same_view(camera):
    image = spot(camera, POINTS[0], radius=3)
    centre = pinhole(camera.matrix, POINTS[0])
    box = np.concatenate([centre - (120, 70), centre + (100, 90)])
    window = crop_window(image, camera, box, margin=1.4, crop_size=128)
    finer = finer_window(window, image, camera, box, margin=1.4, zoom=2)
    assert finer is not None and finer.image.shape == (256, 256, 3)
    np.testing.assert_allclose(finer.camera_matrix, resized_from_image(2) @ window.camera_matrix, atol=1e-9)
    error = centroid(finer.image) - pinhole(finer.camera_matrix, POINTS[0])
    assert np.abs(error).max() < 0.1


def test_there_is_no_finer_window_where_the_image_has_no_more_to_show():
    camera = CAMERAS["pinhole"]
    image = spot(camera, POINTS[0], radius=3)
    box = np.array([200.0, 200, 280, 280])  # enlarged already
    assert finer_window(crop_window(image, camera, box, 1.4, 128), image, camera, box, 1.4, 2) is None


@pytest.mark.parametrize("camera", CAMERAS.values(), ids=CAMERAS.keys())
@pytest.mark.parametrize("find_size", [96, 160, 320, 640])
def test_frame_reprojects(camera, find_size):
    window = frame_window(spot(camera, POINTS[0], radius=6), camera, find_size)
    size = np.array(window.image.shape[1::-1])
    assert not (size % 32).any() and (size.max() == find_size if not camera.is_distorted else size.max() >= find_size)
    error = centroid(window.image) - pinhole(window.camera_matrix, POINTS[0])
    assert np.abs(error).max() < 0.1


@pytest.mark.parametrize("focal", [400, 600])
@pytest.mark.parametrize(
    "distortion",
    [[-0.28, 0.07, 0, 0, -0.008], [-0.2, 0.03, 0.002, 0.001, 0], [0.2, 0.1, 0, 0, 0], [0.01, -0.002, 0.0005, -0.0001]],
)
def test_the_whole_distorted_image_is_searched(focal, distortion):
    """But for its rim: rays through the window, distorted by OpenCV, reach every place of the image."""
    matrix = np.array([[focal, 0, 330.0], [0, focal, 230.0], [0, 0, 1]])
    camera = Camera(640, 480, matrix, distortion, "equidistant" if len(distortion) == 4 else "plumb_bob")
    window = frame_window(np.zeros((480, 640, 3), np.uint8), camera, 640)
    rows, columns = np.indices(window.image.shape[:2])
    rays = np.stack([columns, rows, np.ones_like(rows)], -1).reshape(-1, 3) @ np.linalg.inv(window.camera_matrix).T
    rays = rays[np.linalg.norm(rays[:, :2], axis=1) < 1.6]  # beyond, these polynomials come back into the image
    pixels = seen_by(camera, rays)
    reached = np.zeros((48, 64), bool)
    places = np.floor((pixels + 0.5) / 10).astype(int)
    inside = ((places >= 0) & (places < (64, 48))).all(1)
    reached[places[inside, 1], places[inside, 0]] = True
    corner = np.hypot(*np.meshgrid((np.arange(64) - 32.5) / 32, (np.arange(48) - 22.5) / 24)) > 1.25
    assert (reached | corner)[1:-1, 1:-1].all()
    assert window.image.shape[0] <= 2 * 480 + 32 and window.image.shape[1] <= 2 * 640 + 32


def test_a_wide_fisheye_is_searched_to_its_window():
    """A pinhole's window cannot reach 90 degrees: it ends half an image beyond the ideal one."""
    camera = Camera(640, 480, np.array([[200.0, 0, 320], [0, 200, 240], [0, 0, 1]]), np.zeros(4), "equidistant")
    window = frame_window(np.full((480, 640, 3), 200, np.uint8), camera, 320)
    assert window.image.shape == (480, 640, 3) and (window.image == 200).all()
    corner = np.linalg.inv(window.camera_matrix) @ [-0.5, 239.5, 1]
    np.testing.assert_allclose(corner[0], -640 / 200, atol=0.01)


def test_resized_from_image_is_opencv_resize():
    ramp = np.tile(np.arange(64, dtype=np.float32), (8, 1))
    half = cv2.resize(ramp, (32, 4), interpolation=cv2.INTER_AREA)
    columns = (np.linalg.inv(resized_from_image(0.5)) @ np.stack([np.arange(32), np.zeros(32), np.ones(32)]))[0]
    np.testing.assert_allclose(half[0], columns)


def test_beyond_the_image_is_black():
    window = crop_window(
        np.full((480, 640, 3), 255, np.uint8), CAMERAS["pinhole"], np.array([-40.0, 0, 60, 100]), 1, 128
    )
    assert window.image[64, 10].sum() == 0 and window.image[64, 100].min() == 255


@pytest.mark.parametrize("camera", CAMERAS.values(), ids=CAMERAS)
@pytest.mark.parametrize("edge", [130, 290, 430, 800])
def test_coarse_windows_are_of_averaged_pixels(camera, edge):
    """The same to the last bit as when the whole image is averaged first, at the edges of the image too."""
    rng = np.random.default_rng(edge)
    image = rng.integers(0, 256, (480, 640, 3), dtype=np.uint8)
    shrink = edge // 64
    size = (640 // shrink, 480 // shrink)
    whole = cv2.resize(image[: size[1] * shrink, : size[0] * shrink], size, interpolation=cv2.INTER_AREA)
    small = resized_from_image(1 / shrink) @ camera.matrix
    for place in rng.uniform(-edge / 2, [640, 480], (10, 2)):
        window = crop_window(image, camera, np.array([*place, *(place + edge)]), 1.0, 64)
        if camera.is_distorted:
            fish = camera.distortion_model == "equidistant"
            of = cv2.fisheye.initUndistortRectifyMap if fish else cv2.initUndistortRectifyMap
            maps = of(small, camera.distortion, np.eye(3), window.camera_matrix, (64, 64), cv2.CV_16SC2)
            expected = cv2.remap(whole, *maps, cv2.INTER_LINEAR)
        else:
            expected = cv2.warpAffine(whole, (window.camera_matrix @ np.linalg.inv(small))[:2], (64, 64))
        np.testing.assert_array_equal(window.image, expected)


@pytest.mark.parametrize("camera", CAMERAS.values(), ids=CAMERAS.keys())
@pytest.mark.parametrize("edge", [40.0, 137.0, 300.0])
def test_depth_is_the_nearest_measurement_and_knows_where_it_was_made(camera, edge):
    """Every pixel's depth is its own number, so that a window shows which ones it read."""
    numbers = np.arange(1, camera.width * camera.height + 1, dtype=np.float32).reshape(camera.height, camera.width)
    centre = pinhole(camera.matrix, POINTS[0])
    box = np.concatenate([centre - edge / 2, centre + edge / 2])
    window = crop_window(np.zeros((camera.height, camera.width, 3), np.uint8), camera, box, 1.4, 128)
    cut = cut_depth(numbers, camera, window.camera_matrix, (128, 128))
    shown = cut.depth > 0
    read = np.stack(np.divmod(cut.depth[shown].astype(int) - 1, camera.width)[::-1], 1).astype(np.float64)
    undistort = cv2.fisheye.undistortPoints if camera.is_fisheye else cv2.undistortPoints
    ideal = undistort(read[:, None], camera.matrix, camera.distortion, P=window.camera_matrix)[:, 0]
    made_at = np.stack([cut.x[shown], cut.y[shown]], 1)
    scale = window.camera_matrix[0, 0] / camera.matrix[0, 0]
    np.testing.assert_allclose(made_at, ideal, atol=(0.15 if camera.is_distorted else 1e-3) * max(scale, 0.1))
    rows, columns = np.nonzero(shown)
    assert np.abs(made_at - np.stack([columns, rows], 1)).max() <= 0.55 * scale + 1e-3


def test_beyond_the_image_and_where_nothing_was_measured_there_is_no_depth():
    depth = np.full((480, 640), 2, np.float32)
    depth[:, 20:30], depth[:, 30:40] = np.nan, np.inf
    matrix = CAMERAS["pinhole"].matrix.copy()
    matrix[0, 2] += 50
    cut = cut_depth(depth, CAMERAS["pinhole"], matrix, (128, 128)).depth
    assert (cut[:, :50] == 0).all() and (cut[:, 50:70] == 2).all()
    assert (cut[:, 70:90] == 0).all() and (cut[:, 90:] == 2).all()
