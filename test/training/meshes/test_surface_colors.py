"""The colours that a bundle holds of a surface, against OpenCV's blur of its texture."""

import cv2
import numpy as np

from pose_regressor.color import srgb_table
from pose_regressor.estimation.refine_colors import BLURS, DIAMETER, POINTS
from pose_regressor.types import ObjectModel
from pose_regressor_training.meshes.mesh import Mesh
from pose_regressor_training.meshes.surface_colors import with_colors

EDGE, TEXELS = 0.1, 128
CORNERS = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]) * EDGE


def model_of(vertices: np.ndarray) -> ObjectModel:
    low, high = vertices.min(0) - 1e-3, vertices.max(0) + 1e-3
    diameter = float(np.linalg.norm(vertices.max(0) - vertices.min(0)))
    return ObjectModel("thing", 1, diameter, np.stack([low, high]), vertices, vertices)


def test_they_are_the_texture_blurred_as_images_are():
    texture = cv2.resize(
        np.random.default_rng(0).integers(0, 256, (12, 12, 3), np.uint8), (TEXELS, TEXELS), interpolation=cv2.INTER_AREA
    )
    faces, uv = np.array([[0, 1, 2], [0, 2, 3]]), CORNERS[:, :2] / EDGE
    model = with_colors(model_of(CORNERS), Mesh(CORNERS, faces, texture, uv[faces], None))
    assert model.surface.shape == (max(POINTS), 6) and model.colors.shape == (max(POINTS), len(BLURS), 3)
    np.testing.assert_allclose(model.surface[:, 3:], np.broadcast_to([0, 0, 1], (max(POINTS), 3)), atol=1e-9)
    place = model.surface[:, :2] / EDGE
    inner = ((place > 0.15) & (place < 0.85)).all(1)
    texel = (np.stack([place[inner, 0], 1 - place[inner, 1]], 1) * TEXELS - 0.5).astype(np.float32)
    for level, blur in enumerate(BLURS):
        blurred = cv2.GaussianBlur(srgb_table()[texture], (0, 0), blur / DIAMETER * model.diameter / EDGE * TEXELS)
        expected = cv2.remap(blurred, texel[:, :1], texel[:, 1:], cv2.INTER_LINEAR)[:, 0]
        wrong = model.colors[inner, level] - expected
        # Sampled with points that lie at random: coarse blurs average more of them.
        assert np.sqrt(np.square(wrong).mean()) < 0.02


def test_what_is_round_the_corner_is_left_out():
    """Two faces at right angles, one red, one blue: up to their common edge each keeps its colour."""
    vertices = np.concatenate([CORNERS, CORNERS[:, [0, 2, 1]] * [1, 1, -1]])
    faces = np.array([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]])
    colors = np.repeat(np.array([[255, 0, 0], [0, 0, 255]], np.uint8), 4, axis=0)
    model = with_colors(model_of(vertices), Mesh(vertices, faces, None, None, colors))
    lies_flat = np.abs(model.surface[:, 5]) > 0.5
    assert 0.4 < lies_flat.mean() < 0.6
    for where, color in ((lies_flat, [1, 0, 0]), (~lies_flat, [0, 0, 1])):
        np.testing.assert_allclose(model.colors[where], np.broadcast_to(color, (where.sum(), len(BLURS), 3)), atol=1e-6)
