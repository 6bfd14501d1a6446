"""Projection against closed forms and OpenCV, windows by where their corners land."""

import cv2
import numpy as np

from pose_regressor.geometry.camera import project, project_distorted, resized_from_image, window_from_image
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


def test_window_keeps_the_outer_corner():
    np.testing.assert_allclose(window_from_image(10.5, 20.5, 2.0) @ [10.5, 20.5, 1], [-0.5, -0.5, 1])


def test_resizing_keeps_all_outer_corners():
    corners = resized_from_image(0.25) @ np.array([[-0.5, 639.5], [-0.5, 479.5], [1, 1]])
    np.testing.assert_allclose(corners, [[-0.5, 159.5], [-0.5, 119.5], [1, 1]])
