"""The sides on which an object can lie on a plane. NumPy only.

An object at rest must lift its centre of mass to turn. So its sides are the local minima of the height of its centre
above the plane, as a function of the direction in which the plane is.
"""

from __future__ import annotations

import math

import numpy as np

from pose_regressor.types import FloatArray, ObjectModel

#: Directions in which corners are looked for, and of those that an object is let go in to find its sides.
DIRECTIONS, LET_GO = 512, 256
#: Turns by which an object settles, radians: 28° in all.
STEPS = 0.15 * 0.7 ** np.arange(16)
SOFT = 0.5
#: Sides closer than this are the same, radians.
SAME = 0.05
#: Sides kept of each object: those on which its centre is lowest.
SIDES = 16


class Resting:
    """How one object can lie. All in its own coordinates.

    centre: (3,) mean of its surface, which stands for the centre of mass
    corners: (C, 3) its outermost points, about the centre
    sides: (S, 3) unit vectors out of the sides on which it can lie, the lowest centre first
    """

    def __init__(self, model: ObjectModel) -> None:
        self.centre = model.points.mean(0)
        points = np.concatenate([model.points, model.vertices, model.surface[:, :3]]) - self.centre
        self.corners = points[np.unique(np.argmax(points @ _sphere(DIRECTIONS).T, 0))]
        before = settled(_sphere(LET_GO), self.corners)
        sides = settled(before, self.corners)
        sides = sides[(sides * before).sum(-1) > math.cos(SAME)]  # the others were still turning
        kept: list[FloatArray] = []
        for side in sides[np.argsort(height_above(sides, self.corners))]:
            if all(side @ other < math.cos(SAME) for other in kept):
                kept.append(side)
        self.sides = np.array(kept[:SIDES])


def height_above(down: FloatArray, corners: FloatArray) -> FloatArray:
    """(...) metres from a plane to the centre of an object on it.

    down: (..., 3) unit vectors to the plane, in the object's coordinates
    corners: (..., C, 3) about the centre
    """
    return np.asarray((corners @ down[..., None])[..., 0].max(-1))


def settled(down: FloatArray, corners: FloatArray) -> FloatArray:
    """(..., 3) the side on which an object comes to lie that is let go on a plane; arguments as for `height_above`.

    The height grows fastest towards the lowest corner. So the object turns the other way, by smaller and smaller steps.
    """
    reach = SOFT * np.linalg.norm(corners, axis=-1).max(-1)[..., None, None]
    for step in STEPS:
        height = corners @ down[..., None]
        weight = np.exp((height - height.max(-2, keepdims=True)) / (step * reach))
        foot = (weight * corners).sum(-2) / weight.sum(-2)
        slope = foot - (foot * down).sum(-1, keepdims=True) * down
        length = np.linalg.norm(slope, axis=-1, keepdims=True)
        down = down - step * slope / np.maximum(length, 1e-12)
        down = down / np.linalg.norm(down, axis=-1, keepdims=True)
    return down


def _sphere(count: int) -> FloatArray:
    """(count, 3) unit vectors, evenly spread (Fibonacci lattice)."""
    z = 1 - (2 * np.arange(count) + 1) / count
    turn = np.pi * (3 - math.sqrt(5)) * np.arange(count)
    across = np.sqrt(1 - z * z)
    return np.stack([across * np.cos(turn), across * np.sin(turn), z], 1)
