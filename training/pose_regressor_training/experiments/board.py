"""Views of a printed chessboard, rendered with a known camera, and its corners as OpenCV finds them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_regressor.types import FloatArray
from pose_regressor_training.meshes.mesh import Mesh
from pose_regressor_training.raytracer.renderer import Raytracer
from pose_regressor_training.raytracer.textures import srgb_from_linear
from pose_regressor_training.scenes import BACKGROUND, GROUND, LIGHT, LIGHTS, MATERIAL, NONE, Scenes

#: Inner corners along x and y, and the edge of a square in metres. One is odd, one even: no quarter turn looks alike.
CORNERS = (9, 6)
SQUARE = 0.025
_TEXELS = 48  # along a square's edge
_SAMPLES = 3  # rays along a pixel's edge


def corners_3d() -> FloatArray:
    """(54, 3) in the board's frame, row by row; x to the right and y down as printed, z into the paper."""
    x, y = np.meshgrid(np.arange(CORNERS[0]), np.arange(CORNERS[1]))
    return SQUARE * np.stack([x, y, np.zeros_like(x)], -1).reshape(-1, 3).astype(np.float64)


def board_mesh() -> Mesh:
    """The sheet, with a margin of one white square around the pattern."""
    columns, rows = CORNERS[0] + 3, CORNERS[1] + 3
    x, y = np.meshgrid(np.arange(columns), np.arange(rows))
    pattern = (x > 0) & (x < columns - 1) & (y > 0) & (y < rows - 1) & ((x + y) % 2 == 0)
    gray = np.where(pattern, 20, 235).astype(np.uint8).repeat(_TEXELS, 0).repeat(_TEXELS, 1)
    low, high = np.array([-2.0, -2.0]), np.array([columns - 2.0, rows - 2.0])
    flat = np.array([[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]]) * SQUARE
    uv = np.array([[0, 1], [1, 1], [1, 0], [0, 0]], np.float32)
    faces = np.array([[0, 2, 1], [0, 3, 2]], np.int32)
    vertices = np.pad(flat, ((0, 0), (0, 1))).astype(np.float32)
    return Mesh(vertices, faces, np.repeat(gray[..., None], 3, -1), uv[faces], None)


def render_board(cam_from_board: FloatArray, camera_matrix: FloatArray, width: int, height: int) -> NDArray[np.uint8]:
    """(V, 4, 4) poses, (3, 3) camera -> (V, H, W) grey, evenly lit."""
    count = len(cam_from_board)
    shift = (_SAMPLES - 1) / 2
    finer = np.array([[_SAMPLES, 0, shift], [0, _SAMPLES, shift], [0, 0, 1]]) @ camera_matrix
    material = np.zeros((count, 1), MATERIAL)
    material["tint"], material["picture"], material["roughness"] = np.eye(3), NONE, 1.0
    ambient = np.zeros((count, 9, 3), np.float32)
    ambient[:, 0] = 1
    ground, background, light = np.zeros(count, GROUND), np.zeros(count, BACKGROUND), np.zeros((count, LIGHTS), LIGHT)
    ground["picture"] = background["picture"] = NONE
    light["direction"] = (0, 0, -1)
    scenes = Scenes(
        camera_matrix=np.tile(finer, (count, 1, 1)),
        mesh=np.zeros((count, 1), np.int32),
        cam_from_obj=cam_from_board[:, None],
        material=material,
        light=light,
        ambient=ambient,
        ground=ground,
        background=background,
    )
    color = Raytracer([board_mesh()]).render(scenes, _SAMPLES * height, _SAMPLES * width).color[..., 1]
    averaged = color.reshape(count, height, _SAMPLES, width, _SAMPLES).mean((2, 4))
    return srgb_from_linear(averaged.numpy())


def find_corners(image: NDArray[np.uint8]) -> FloatArray | None:
    """(54, 2) pixels in the order of `corners_3d`, or reversed: the board looks the same upside down. None if not
    found.
    """
    found, corners = cv2.findChessboardCorners(image, CORNERS)
    if not found:
        return None
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 60, 1e-4)
    return cv2.cornerSubPix(image, corners, (5, 5), (-1, -1), stop).reshape(-1, 2).astype(np.float64)
