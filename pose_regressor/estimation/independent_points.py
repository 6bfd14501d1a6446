"""How many independent points tell as much as these, whose errors are alike where they lie side by side.

Points lie in square cells. If errors are independent, the variance of a cell's sum of errors is the sum of their
variances. What it exceeds that by tells with how many others of its cell a point errs. This is measured in small cells,
of which there are many, and in larger ones, which also show what small ones cannot: errors alike over a longer way. The
two are averaged.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pose_regressor.estimation.visible_surface import CELLS
from pose_regressor.types import FloatArray

#: All points count as at most this many independent ones: meshes are not exact, and sensors err in ways that residuals
#: do not show.
MOST_POINTS = 400.0
#: Unknowns of a pose, and the least share that fitting them is thought to leave of the variance that errors share.
UNKNOWNS, LEAST_LEFT = 6, 0.25
#: At most this share of a cell's points are thought to err with each of its points: just below where `_beyond` ends.
MOST_SHARED = 0.6
#: Number of the larger cell that a small one lies in: two by two make one.
LARGER = (np.arange(CELLS)[:, None] // 2 * (CELLS // 2) + np.arange(CELLS) // 2).ravel()


def independent_points(
    residual: FloatArray, weight: FloatArray, cell: NDArray[np.intp], most: float = MOST_POINTS
) -> tuple[float, float]:
    """The number of independent points, in weights of points: independent errors of all points give `weight.sum()`.

    residual, weight: (N,) of each point
    cell: (N,) number of the small cell that it lies in, as in `visible_surface.Compared`
    most: neither number is larger

    Returns this number as the residuals show it, and a smaller one, which allows for what the pose has taken away: a
    pose that fits takes away what errors share, and hardly anything of what is each point's own. The step is made with
    the first: a pose that is still far off makes residuals alike, too.
    """
    errors, total = weight * residual, float(weight.sum())
    own, own_weight = max(float(errors @ errors), 1e-30), float(weight @ weight)
    seen = independent = 0.0
    for cells in (cell, LARGER[cell]):
        sums, weights = np.bincount(cells, errors), np.bincount(cells, weight)
        square = float(weights @ weights)
        shared, others = max(float(sums @ sums) / own - 1, 0.0), square / own_weight - 1
        left = max(1 - UNKNOWNS * square / total**2, LEAST_LEFT)
        seen += _beyond(shared, others) / 2
        independent += _beyond(shared / left, others) / 2
    return min(total / (1 + seen), most), min(total / (1 + independent), most)


def _beyond(shared: float, others: float) -> float:
    """With how many points a point errs, given with how many it does so within its cell, and how many are there.

    Errors whose correlation falls with the distance r as exp(-r² / 4σ²) are shared by the points of an area of 4πσ². A
    cell of width w catches the share (1 - 2σ / (√π w))² of it, to the first order. Solved for the whole.
    """
    if others <= 0:
        return 0.0
    caught = math.sqrt(min(shared / others, MOST_SHARED))
    return others * (math.pi / 2 * (1 - math.sqrt(1 - 4 * caught / math.pi))) ** 2
