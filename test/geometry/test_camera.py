"""Projection against closed forms and OpenCV, windows by where their corners land."""

import cv2
import numpy as np
import pytest

from pose_regressor.geometry.camera import (
    project,
    project_distorted,
    resized_from_image,
    undistorted,
    undistortion_maps,
    window_from_image,
)
from pose_regressor.types import Camera

K = np.array([[600.0, 0.5, 310], [0, 590, 250], [0, 0, 1]])
POINTS = np.array([[0.1, -0.2, 1.5], [0, 0, 0.4]])


def test_project():
    pixels = project(POINTS, K)
    np.testing.assert_allclose(pixels[0], [600 * 0.1 / 1.5 - 0.5 * 0.2 / 1.5 + 310, -590 * 0.2 / 1.5 + 250])
    np.testing.assert_allclose(pixels[1], [310, 250])
    np.testing.assert_array_equal(project(np.stack([POINTS, 2 * POINTS]), np.stack([K, K])), np.stack([pixels, pixels]))


def test_what_is_nearer_than_the_least_depth_counts_as_that():
    pixels = project(np.array([[0.1, 0.0, -1.0], [0.1, 0.0, 0.0], [0.1, 0.0, 2.0]]), np.eye(3), least_depth=0.5)
    np.testing.assert_allclose(pixels, [[0.2, 0], [0.2, 0], [0.05, 0]])


def test_distorted_projection_is_opencvs():
    plain = Camera(640, 480, K)
    np.testing.assert_allclose(project_distorted(POINTS, plain)[1], [310, 250])
    bent = Camera(640, 480, K, np.array([-0.25, 0.08, 0.001, -0.002, 0.01]))
    expected, _ = cv2.projectPoints(POINTS, np.zeros(3), np.zeros(3), K, bent.distortion)
    np.testing.assert_array_equal(project_distorted(POINTS, bent), expected[:, 0])


#: Lenses as they are sold; the last one's polynomial folds rays back from 53 degrees on.
FISHEYES = [[0.01, -0.002, 0.0005, -0.0001], [0.0, 0.0, 0.0, 0.0], [-0.12, 0.03, -0.02, 0.004], [-0.5, 0.1, 0.0, 0.0]]
STRAIGHT = np.array([[285.0, 0, 318.4], [0, 283.0, 241.7], [0, 0, 1]])


def fisheye(coefficients) -> Camera:
    return Camera(640, 480, STRAIGHT, coefficients, "equidistant")


def rays(degrees: float, count: int = 200) -> np.ndarray:
    """(count, 3) points up to so far from the axis, at depths of 0.2 to 3 m."""
    rng = np.random.default_rng(0)
    angle, turn = rng.uniform(0, np.radians(degrees), count), rng.uniform(0, 2 * np.pi, count)
    points = np.stack([np.tan(angle) * np.cos(turn), np.tan(angle) * np.sin(turn), np.ones(count)], 1)
    return points * rng.uniform(0.2, 3, (count, 1))


@pytest.mark.parametrize("coefficients", FISHEYES)
def test_a_fisheye_projects_as_opencvs(coefficients):
    points = rays(52 if coefficients[0] == -0.5 else 89)
    expected = cv2.fisheye.projectPoints(points[:, None], np.zeros(3), np.zeros(3), STRAIGHT, np.array(coefficients))
    np.testing.assert_allclose(project_distorted(points, fisheye(coefficients)), expected[0][:, 0], atol=1e-9)
    np.testing.assert_allclose(project_distorted(np.array([[0, 0, 2.0]]), fisheye(coefficients)), [[318.4, 241.7]])


@pytest.mark.parametrize("coefficients", FISHEYES)
def test_rays_of_a_fisheyes_pixels(coefficients):
    points = rays(50 if coefficients[0] == -0.5 else 88)
    camera = fisheye(coefficients)
    pixels = cv2.fisheye.projectPoints(points[:, None], np.zeros(3), np.zeros(3), STRAIGHT, camera.distortion)[0][:, 0]
    np.testing.assert_allclose(undistorted(pixels, camera), points[:, :2] / points[:, 2:], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("distortion", [[-0.25, 0.08, 0.001, -0.002, 0.01], []])
def test_rays_of_a_pinholes_pixels(distortion):
    points = rays(25)
    camera = Camera(640, 480, STRAIGHT, np.array(distortion))
    pixels = cv2.projectPoints(points, np.zeros(3), np.zeros(3), STRAIGHT, camera.distortion)[0][:, 0]
    np.testing.assert_allclose(undistorted(pixels, camera), points[:, :2] / points[:, 2:], atol=1e-6)


def test_a_fisheye_sees_what_is_beside_and_behind_it_at_its_rim():
    """cv2.fisheye mirrors points behind the camera; a polynomial that turns back would show far rays near the axis."""
    wide = fisheye([0.0] * 4)
    np.testing.assert_allclose(project_distorted(np.array([[1.0, 0, 0]]), wide), [[318.4 + 285 * np.pi / 2, 241.7]])
    np.testing.assert_allclose(
        project_distorted(np.array([[1.0, 0, -1.0]]), wide), [[318.4 + 285 * 3 * np.pi / 4, 241.7]]
    )
    folding = fisheye([-0.5, 0.1, 0.0, 0.0])
    along = np.radians(np.arange(0, 180))
    columns = project_distorted(np.stack([np.sin(along), 0 * along, np.cos(along)], 1), folding)[:, 0]
    assert (np.diff(columns) > -1e-9).all() and (np.diff(columns[:52]) > 0).all()
    assert np.isfinite(undistorted(np.array([[-1e4, 1e4], [0, 0], [318.4, 241.7], [1e6, 241.7]]), folding)).all()
    assert np.isfinite(undistorted(np.array([[-1e4, 1e4], [318.4, 241.7]]), wide)).all()


@pytest.mark.parametrize("coefficients", FISHEYES)
def test_undistortion_maps_of_a_fisheye(coefficients):
    """Each pixel of the window is looked up where its ray falls; beyond the lens's reach, outside the image."""
    camera, size = fisheye(coefficients), (200, 160)
    window = np.array([[60.0, 0, 97], [0, 62.0, 83], [0, 0, 1]])  # up to 68 degrees from the axis
    first, second = undistortion_maps(camera, STRAIGHT, window, size)
    rows, columns = np.indices(size[::-1])
    points = np.stack([columns, rows, np.ones_like(rows)], -1).reshape(-1, 3) @ np.linalg.inv(window).T
    angle = np.arctan(np.linalg.norm(points[:, :2], axis=1)).reshape(rows.shape)
    expected = cv2.fisheye.projectPoints(points[:, None], np.zeros(3), np.zeros(3), STRAIGHT, camera.distortion)[0]
    found = first + np.stack([second % 32, second // 32], -1) / 32  # OpenCV keeps 5 bits of a pixel's fraction
    slopes = 1 + angle[..., None] ** np.array([2, 4, 6, 8]) @ (np.array([3, 5, 7, 9]) * camera.distortion)
    turns = np.min(angle[slopes <= 0], initial=np.pi)
    seen = angle < turns - 0.01
    assert np.abs(found - expected.reshape(*rows.shape, 2))[seen].max() <= 1 / 32
    beyond = angle > turns + 0.01
    assert beyond.any() == (coefficients[0] == -0.5)
    assert (cv2.remap(np.full((480, 640), 255, np.uint8), first, second, cv2.INTER_LINEAR)[beyond] == 0).all()


def test_window_keeps_the_outer_corner():
    np.testing.assert_allclose(window_from_image(10.5, 20.5, 2.0) @ [10.5, 20.5, 1], [-0.5, -0.5, 1])


def test_resizing_keeps_all_outer_corners():
    corners = resized_from_image(0.25) @ np.array([[-0.5, 639.5], [-0.5, 479.5], [1, 1]])
    np.testing.assert_allclose(corners, [[-0.5, 159.5], [-0.5, 119.5], [1, 1]])
