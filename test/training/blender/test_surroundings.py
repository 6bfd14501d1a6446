"""Pinhole views of panoramas, against the directions they must show."""

import numpy as np

from pose_regressor_training.blender.surroundings import SIZE, pinhole_view, random_views
from pose_regressor_training.scenes import looking_at


def test_every_pixel_shows_its_own_direction():
    """A panorama coloured by direction: what a view shows is the ray of each pixel, all the way round."""
    height, width = 256, 512
    row, column = np.indices((height, width)) + 0.5
    azimuth, elevation = (0.5 - column / width) * 2 * np.pi, (0.5 - row / height) * np.pi
    level = np.cos(elevation)
    panorama = np.stack([level * np.cos(azimuth), level * np.sin(azimuth), np.sin(elevation)], -1).astype(np.float32)
    for towards in ((1, 0, 0), (-1, 0.001, 0), (0, 1, 0.5), (0.3, -1, -0.7)):
        pose = looking_at(np.zeros((1, 3)), np.array([towards], np.float64))[0]
        view = pinhole_view(panorama, pose[:3, :3], 40.0, 65)
        column, row = np.meshgrid(np.arange(65) - 32.0, np.arange(65) - 32.0)
        ray = np.stack([column / 40, row / 40, np.ones_like(row)], -1) @ pose[:3, :3].T
        ray /= np.linalg.norm(ray, axis=-1, keepdims=True)
        np.testing.assert_allclose(view, ray, atol=0.01)


def test_views_are_exposed_by_their_own_light():
    panorama = np.full((64, 128, 3), 37.0, np.float32)
    first, second = random_views(np.random.default_rng(0), panorama, 2)
    assert first.shape == (SIZE, SIZE, 3)
    assert (first == 124).all() and (second == 124).all()  # linear 0.2 as sRGB
    assert random_views(np.random.default_rng(0), np.zeros((64, 128, 3), np.float32), 1)[0].max() == 0
