"""How many independent points there are, against simulated errors whose number is known in closed form."""

import cv2
import numpy as np
import pytest

from pose_regressor.estimation.independent_points import independent_points
from pose_regressor.estimation.visible_surface import CELLS

SIZE, POINTS, DRAWS = 128, 600, 150
RNG = np.random.default_rng(5)
#: Points on the front of a box that fills most of a crop: two sides, with the edge between them in the middle.
PLACE = RNG.uniform(20, 108, (POINTS, 2))
CELL = (PLACE[:, 1] * CELLS // SIZE * CELLS + PLACE[:, 0] * CELLS // SIZE).astype(np.intp)


def taken_away():
    """(N, N) what a least-squares fit of a pose takes away from the errors, point to plane."""
    x, y = (PLACE.T - 64) / 64
    sides = np.where(x < 0, -0.6, 0.6)
    normal = np.stack([sides, np.full_like(x, 0.3), -np.sqrt(1 - sides**2 - 0.09)], 1)
    jacobian = np.concatenate([normal, np.cross(np.stack([x, y, np.abs(x)], 1), normal)], axis=1)
    return jacobian @ np.linalg.pinv(jacobian)


def simulated(blur, rng):
    """(N,) errors of unit variance. The correlation of points a distance r apart is exp(-r² / 4 blur²)."""
    if not blur:
        return rng.standard_normal(POINTS)
    noise = cv2.GaussianBlur(rng.standard_normal((4 * SIZE, 4 * SIZE)), (0, 0), 4 * blur) * 8 * blur * np.sqrt(np.pi)
    column, row = np.rint(4 * PLACE).astype(int).T
    return noise[row, column]


def variance_of_the_mean(blur):
    """Of the mean of all errors, by the definition of their correlation."""
    squared = np.square(PLACE[:, None] - PLACE).sum(-1)
    correlation = np.exp(-squared / (4 * blur**2)) if blur else np.eye(POINTS)
    return correlation.mean()


@pytest.mark.parametrize("blur", [0.0, 1.5, 3.0, 5.0])
@pytest.mark.parametrize("weights", ["equal", "drawn"])
def test_after_a_fit_the_number_is_that_of_the_simulated_errors(blur, weights):
    rng, away = np.random.default_rng(6), taken_away()
    weight = np.ones(POINTS) if weights == "equal" else rng.uniform(0.5, 1.0, POINTS)
    variances = []
    for _ in range(DRAWS):
        errors = simulated(blur, rng)
        variances.append(1 / independent_points(errors - away @ errors, weight, CELL, most=np.inf)[1])
    # In weights of points: the variance of the mean, over the mean weight.
    ratio = np.mean(variances) * weight.mean() / variance_of_the_mean(blur)
    assert 0.85 < ratio < 1.2


def test_errors_that_only_the_pose_explains_count_before_a_fit():
    """Then the first number is right already, and the second one allows for too much."""
    rng = np.random.default_rng(7)
    found = np.array([independent_points(simulated(3.0, rng), np.ones(POINTS), CELL, np.inf) for _ in range(DRAWS)])
    first, second = (1 / found).mean(0) / variance_of_the_mean(3.0)
    assert 0.85 < first < 1.2
    assert second > first


def test_there_are_never_more_than_the_most():
    assert independent_points(np.random.default_rng(8).standard_normal(POINTS), np.ones(POINTS), CELL, 50.0) == (50, 50)


def test_points_in_cells_of_their_own_are_independent():
    cell = np.arange(0, CELLS * CELLS, 2 * CELLS + 2)
    assert independent_points(np.ones(len(cell)), np.ones(len(cell)), cell) == (len(cell), len(cell))
