"""Registered depth against a plane and a sphere that are traced through every pixel in closed form."""

import cv2
import numpy as np
import pytest

from pose_regressor.geometry.camera import project_distorted, undistorted
from pose_regressor.geometry.partial_depth import RegisteredDepth
from pose_regressor.geometry.register_depth import DepthRegistration, register_depth
from pose_regressor.geometry.rigid import rigid
from pose_regressor.geometry.so3 import exp
from pose_regressor.types import Camera, InputError, PartialDepth

#: The scene, in the depth camera's frame: a slanted wall behind a ball.
WALL, NORMAL = np.array([0, 0, 1.15]), np.array([0.5, 0.3, -1.0])
BALL, RADIUS = np.array([0.05, -0.03, 1.0]), 0.12


def camera(width, height, focal_length, distortion=(), model="plumb_bob"):
    matrix = [[focal_length, 0, width / 2 - 0.3], [0, 1.01 * focal_length, height / 2 + 0.7], [0, 0, 1]]
    return Camera(width, height, np.array(matrix), np.array(distortion), model)


CAMERAS = {
    "vga": camera(640, 480, 600),
    "barrel": camera(320, 240, 250, (-0.35, 0.15, 0.001, -0.0005, -0.03)),
    "pincushion": camera(640, 480, 600, (0.12, -0.25, 0.001, -0.0005, 0.1)),
    "fisheye": camera(320, 240, 175, (0.05, -0.01, 0.002, 0), "equidistant"),
    "hd": camera(1280, 720, 900),
    "small": camera(320, 240, 280),
}
NEARLY = rigid(exp(np.array([0.02, -0.05, 0.03])), np.array([0.05, -0.01, 0.02]))
ON_ITS_SIDE = rigid(exp(np.array([0, 0, np.pi / 2])) @ exp(np.array([0.02, 0.05, 0])), np.array([0.03, 0.05, 0.0]))
TILTED = rigid(exp(np.array([0, 0, 0.8])), np.array([0.0, 0.05, -0.04]))


def traced(camera, cam_from_depth=None):
    """(H, W) depth along z, and where the ball is."""
    cam_from_depth = np.eye(4) if cam_from_depth is None else cam_from_depth
    rotation, shift = cam_from_depth[:3, :3], cam_from_depth[:3, 3]
    x, y = np.meshgrid(np.arange(float(camera.width)), np.arange(float(camera.height)))
    pixels = np.stack([x, y], axis=-1).reshape(-1, 2)
    rays = np.hstack([undistorted(pixels, camera), np.ones((len(pixels), 1))])
    for _ in range(30):  # OpenCV's own answer is up to half a pixel off in a strong distortion
        missed = pixels - project_distorted(rays, camera)
        if np.abs(missed).max() < 1e-4:
            break
        rays[:, :2] += missed @ np.linalg.inv(camera.matrix[:2, :2]).T
    start, ways = -rotation.T @ shift, rays @ rotation
    with np.errstate(all="ignore"):
        wall = ((WALL - start) @ NORMAL) / (ways @ NORMAL)
        wall[wall <= 0] = np.inf
        a, b, c = (ways**2).sum(1), ways @ (start - BALL), ((start - BALL) ** 2).sum() - RADIUS**2
        ball = (-b - np.sqrt(b * b - a * c)) / a
    ball[np.isnan(ball)] = np.inf
    depth = np.minimum(wall, ball)
    depth[~np.isfinite(depth)] = 0
    shape = (camera.height, camera.width)
    return depth.reshape(shape).astype(np.float32), (ball < wall).reshape(shape)


def around_the_outline(ball, pixels):
    outline = cv2.morphologyEx(ball.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    return cv2.dilate(outline, np.ones((2 * pixels + 1, 2 * pixels + 1), np.uint8)) > 0


def measured_from(depth_camera, depth, image_camera, truth, image_from_depth):
    """Which pixels of the image show a point that the depth camera sees, too, with some pixels to its image's edge."""
    x, y = np.meshgrid(np.arange(float(image_camera.width)), np.arange(float(image_camera.height)))
    rays = undistorted(np.stack([x, y], axis=-1).reshape(-1, 2), image_camera)
    points = np.hstack([rays, np.ones((len(rays), 1))]) * truth.reshape(-1, 1)
    points = (points - image_from_depth[:3, 3]) @ image_from_depth[:3, :3]
    pixels = project_distorted(np.ascontiguousarray(points), depth_camera)
    limits = np.array([depth_camera.width, depth_camera.height]) - 3
    inside = (points[:, 2] > 0) & (pixels > 2).all(1) & (pixels < limits).all(1)
    column, row = np.rint(np.where(inside[:, None], pixels, 0)).astype(int).T
    same = np.abs(depth[row, column] - points[:, 2]) < 0.02 * points[:, 2]
    return (inside & same).reshape(truth.shape)


@pytest.mark.parametrize(
    ("of_depth", "of_image", "image_from_depth"),
    [
        ("vga", "vga", NEARLY),
        ("vga", "pincushion", NEARLY),
        ("pincushion", "vga", NEARLY),
        ("barrel", "pincushion", NEARLY),
        ("vga", "barrel", NEARLY),
        ("vga", "fisheye", NEARLY),
        ("fisheye", "small", NEARLY),
        ("vga", "hd", NEARLY),
        ("hd", "small", NEARLY),
        ("small", "vga", NEARLY),
        ("vga", "vga", ON_ITS_SIDE),
        ("vga", "pincushion", TILTED),
    ],
)
def test_a_plane_and_a_ball_to_a_millimetre_and_without_holes(of_depth, of_image, image_from_depth):
    depth_camera, image_camera = CAMERAS[of_depth], CAMERAS[of_image]
    depth, _ = traced(depth_camera)
    truth, ball = traced(image_camera, image_from_depth)
    got = register_depth(depth, depth_camera, image_camera, image_from_depth)
    assert got.dtype == np.float32 and got.shape == truth.shape
    # A measured point's pixel may be three of the image wide, and a ball ends somewhere within it.
    surely = ~around_the_outline(ball, 4)
    compared = (got > 0) & (truth > 0) & surely
    error = np.abs(got - truth)[compared]
    assert compared.mean() > 0.25
    assert error.max() < 1e-3 and error.mean() < 2e-5
    seen = measured_from(depth_camera, depth, image_camera, truth, image_from_depth) & surely
    assert seen.mean() > 0.2 and (got[seen] > 0).all()
    assert (ball & seen).any()


@pytest.mark.parametrize("image", ["vga", "hd"])
def test_what_was_not_measured_stays_unmeasured(image):
    depth, _ = traced(CAMERAS["vga"])
    whole = register_depth(depth, CAMERAS["vga"], CAMERAS[image], NEARLY)
    for nothing in (0.0, np.nan, np.inf, -1.0):
        with_hole = depth.copy()
        with_hole[100:160, 200:300] = nothing
        got = register_depth(with_hole, CAMERAS["vga"], CAMERAS[image], NEARLY)
        lost = (whole > 0) & (got == 0)
        scale = (CAMERAS[image].matrix[0, 0] / 600) ** 2
        assert np.isfinite(got).all()
        assert 0.9 * 60 * 100 * scale < lost.sum() < 1.3 * 60 * 100 * scale
        assert np.abs(got - whole)[got > 0].max() < 1e-3


def test_a_single_pixel_is_a_hole_of_about_a_pixel():
    depth, _ = traced(CAMERAS["vga"])
    depth[::20, ::20] = 0
    got = register_depth(depth, CAMERAS["vga"], CAMERAS["vga"], np.eye(4))
    np.testing.assert_array_equal(got == 0, depth == 0)
    np.testing.assert_allclose(got, depth, rtol=1e-5)


def test_the_nearer_surface_counts():
    """A plate in front of a wall, from the side: next to the plate's edge the wall is seen twice, and once hidden."""
    one = CAMERAS["vga"]
    depth = np.full((480, 640), 2.0, np.float32)
    depth[:, 300:340] = 0.5
    aside = rigid(np.eye(3), np.array([0.1, 0, 0]))
    got = register_depth(depth, one, one, aside)
    shift = 0.1 * one.matrix[0, 0]
    plate = slice(round(300 + shift / 0.5), round(339 + shift / 0.5) + 1)
    assert plate.start == 420
    np.testing.assert_allclose(got[:, plate], 0.5, atol=1e-4)
    assert not got[:, 332:368].any()  # behind the plate the depth camera sees no wall
    np.testing.assert_allclose(got[:, 462:], 2.0, atol=1e-4)


@pytest.mark.parametrize(("of_depth", "of_image"), [("vga", "vga"), ("hd", "small"), ("small", "vga")])
def test_noise_stays_as_it_is(of_depth, of_image):
    """Of several points that cover a pixel the nearest counts. On one surface they are few: the mean stays within a
    quarter of the noise.
    """
    rng = np.random.default_rng(0)
    depth = np.full((CAMERAS[of_depth].height, CAMERAS[of_depth].width), 1.0, np.float32)
    depth += rng.normal(0, 0.003, depth.shape).astype(np.float32)
    got = register_depth(depth, CAMERAS[of_depth], CAMERAS[of_image], rigid(np.eye(3), np.array([0.0304, 0.0117, 0])))
    error = got[got > 0] - 1.0
    assert abs(error.mean()) < 0.00075
    assert error.std() < 0.0036


def test_the_same_registration_serves_many_images_and_transforms():
    registration = DepthRegistration(CAMERAS["small"], CAMERAS["vga"])
    depth, _ = traced(CAMERAS["small"])
    first = registration(depth, NEARLY)
    other = registration(depth, TILTED)
    assert not np.array_equal(first, other)
    np.testing.assert_array_equal(registration(depth, NEARLY), first)
    np.testing.assert_array_equal(register_depth(depth, CAMERAS["small"], CAMERAS["vga"], TILTED), other)


def test_nothing_is_seen_behind_the_camera_or_of_nothing():
    depth, _ = traced(CAMERAS["vga"])
    turned = rigid(exp(np.array([0, np.pi, 0])), np.zeros(3))
    for image in ("vga", "pincushion", "fisheye"):
        assert not register_depth(depth, CAMERAS["vga"], CAMERAS[image], turned).any()
    assert not register_depth(np.zeros_like(depth), CAMERAS["vga"], CAMERAS["vga"], NEARLY).any()


def test_a_camera_of_one_pixel():
    one = Camera(1, 1, np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]]))
    got = register_depth(np.array([[2.0]], np.float32), one, one, np.eye(4))
    np.testing.assert_array_equal(got, [[2.0]])


def test_another_size_is_refused():
    with pytest.raises(InputError, match="depth: size differs from its camera info, got 320x240, expected 640x480"):
        register_depth(np.zeros((240, 320), np.float32), CAMERAS["vga"], CAMERAS["vga"], np.eye(4))


@pytest.mark.parametrize("image", ["vga", "small"])
def test_a_part_is_what_the_whole_is_there(image):
    rng = np.random.default_rng(3)
    depth = (1.2 + 0.4 * np.add.outer(np.linspace(0, 1, 480), np.linspace(0, 1, 640))).astype(np.float32)
    depth[100:200, 250:300] = 0.5
    depth[rng.random(depth.shape) < 0.1] = 0
    registration = DepthRegistration(CAMERAS["vga"], CAMERAS[image])
    whole = registration(depth, NEARLY)
    height, width = whole.shape
    for left, top in ((0, 0), (width // 3, height // 4), (width // 2, height // 2)):
        area = left, top, left + width // 4, top + height // 3
        part = registration.within(depth, NEARLY, area)
        inside = np.s_[area[1] : area[3], area[0] : area[2]]
        np.testing.assert_array_equal(part[inside], whole[inside])
        assert 0 < (part > 0).mean() < 0.5 * (whole > 0).mean(), "and little more than that"
    lazy = RegisteredDepth(registration, depth, NEARLY)
    assert isinstance(lazy, PartialDepth) and lazy.shape == whole.shape
    np.testing.assert_array_equal(lazy.part(5, 6, 30, 40)[6:40, 5:30], whole[6:40, 5:30])
    np.testing.assert_array_equal(lazy.part(0, 0, width, height), whole)
    np.testing.assert_array_equal(np.asarray(RegisteredDepth(registration, depth, NEARLY)), whole)
    assert registration.seen_share(depth, NEARLY) == pytest.approx(0.9, abs=0.35)
