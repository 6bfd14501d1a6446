"""The sides that objects rest on: in closed form, and against the faces of SciPy's convex hull."""

import numpy as np
import pytest
from scipy.spatial import ConvexHull

from pose_regressor.assets import find_model
from pose_regressor.estimation.resting import Resting, height_above, settled
from pose_regressor.geometry.so3 import exp
from pose_regressor.network.bundle import Bundle
from pose_regressor.types import ObjectModel


def model(points):
    bounds = np.stack([points.min(0), points.max(0)])
    return ObjectModel("thing", 1, float(np.linalg.norm(np.ptp(points, 0))), bounds, points, points)


def box(half):
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    return model(corners * half)


def cylinder(radius, half):
    turn = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    ring = np.stack([radius * np.cos(turn), radius * np.sin(turn), np.zeros(720)], 1)
    return model(np.concatenate([ring + [0, 0, half], ring - [0, 0, half]]))


def test_a_box_rests_on_its_six_sides():
    half = np.array([0.02, 0.05, 0.09])
    resting = Resting(box(half))
    assert len(resting.sides) == len(resting.apart) == 6
    heights = height_above(resting.sides, resting.corners)
    np.testing.assert_allclose(heights, np.repeat(half, 2), atol=1e-5)
    expected = np.repeat(np.eye(3), 2, axis=0)
    np.testing.assert_allclose(np.abs(resting.sides), expected, atol=2e-3)
    np.testing.assert_allclose(resting.sides.sum(0), 0, atol=5e-3)


@pytest.mark.parametrize("roll", np.linspace(0, 6, 13))
def test_a_cylinder_that_lies_does_not_roll(roll):
    """It turns about the horizontal axis across its own alone, by the 10 degrees that it was tilted."""
    resting = Resting(cylinder(0.03, 0.1))
    flat = np.array([np.cos(roll), np.sin(roll), 0.0])
    tilted = exp(np.radians(10) * np.cross(flat, [0, 0, 1])) @ flat
    assert np.degrees(np.arccos(settled(tilted, resting.corners) @ flat)) < 2


def test_a_tall_cylinder_stands_on_its_ends():
    resting = Resting(cylinder(0.03, 0.1))
    for end in (-1, 1):
        assert (resting.sides @ [0, 0, end]).max() > 0.9999
        np.testing.assert_allclose(settled(np.array([0.1, 0.0, end]), resting.corners), [0, 0, end], atol=5e-3)


@pytest.mark.parametrize("name", ["toy", "dragon", "lmo_cat", "lmo_driller"])
def test_sides_are_faces_of_the_hull_under_the_centre(name):
    """An object cannot topple: the foot of its centre lies inside of what it stands on, or a little beside it."""
    (thing,) = Bundle.load(find_model(name)).objects
    resting = Resting(thing)
    hull = ConvexHull(np.concatenate([thing.points, thing.vertices, thing.surface[:, :3]]) - resting.centre)
    assert len(resting.sides) >= 3
    for side in resting.sides:
        height = height_above(side, resting.corners)
        outside = hull.equations[:, :3] @ (height * side) + hull.equations[:, 3]
        assert abs(outside.max()) < 0.015 * thing.diameter, "the foot lies on the hull"


def test_a_cylinder_that_lies_can_be_turned_to_any_side():
    resting = Resting(cylinder(0.03, 0.1))
    turn = np.linspace(0, 2 * np.pi, 360)
    around = np.stack([np.cos(turn), np.sin(turn), np.zeros(360)], 1)
    assert np.degrees(np.arccos((around @ resting.sides.T).max(1).clip(-1, 1))).max() < 8
    assert 8 < len(resting.apart) <= 16


def test_directions_come_back_in_their_shape():
    resting = Resting(box(np.array([0.02, 0.05, 0.09])))
    down = np.random.default_rng(0).normal(size=(3, 2, 3))
    down /= np.linalg.norm(down, axis=-1, keepdims=True)
    several = settled(down, resting.corners)
    assert several.shape == down.shape
    np.testing.assert_allclose(several[1, 1], settled(down[1, 1], resting.corners))
