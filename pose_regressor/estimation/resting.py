"""The sides on which an object can lie on a plane. NumPy only.

An object at rest must lift its centre of mass to turn. So its sides are the local minima of the height of its centre
above the plane, as a function of the direction in which the plane is.
"""

from __future__ import annotations

import math

import numpy as np

from pose_regressor.types import FloatArray, ObjectModel

#: Directions in which corners are looked for, and in which an object is let go to find its sides.
DIRECTIONS, LET_GO = 512, 256
#: Turns by which an object settles, radians: 38° in all.
STEPS = 0.1 * 0.85 ** np.arange(32)
#: How often it settles: enough for any way that leads to a side.
ROUNDS = 3
#: How soft the contact is, as a share of the turn: corners a little above the lowest one share the load, so that an
#: object on an edge turns about it, and does not rock to and fro.
SOFT = 0.1
#: Sides closer than this are the same, radians. An object that can roll has many.
SAME = 0.05
#: An object rolls where its centre rises by less than this share of its size when it turns by so many radians.
ROLLS, TURN = 0.1, 0.2
#: Sides of an object that are far from each other: radians between them, and how many at most, the lowest centre first.
APART, MOST_APART = 0.3, 16


class Resting:
    """How one object can lie. All in its own coordinates.

    centre: (3,) mean of its surface, which stands for the centre of mass, as of a thin shell
    corners: (C, 3) its outermost points, about the centre
    sides: (S, 3) unit vectors out of the sides on which it can lie, the lowest centre first
    rolls: (S, 2, 3) unit vectors in which each side can move, since the object rolls; zeros where it does not
    apart: (A, 3) some of the sides, far from each other
    heights: least and greatest height of the centre above the plane, metres
    """

    def __init__(self, model: ObjectModel) -> None:
        self.centre = model.points.mean(0)
        points = np.concatenate([model.points, model.vertices, model.surface[:, :3]]) - self.centre
        self.corners = points[np.unique(np.argmax(points @ _sphere(DIRECTIONS).T, 0))]
        sides = _sphere(LET_GO)
        for _ in range(ROUNDS):
            before, sides = sides, settled(sides, self.corners)
        still = (sides * before).sum(-1) > math.cos(SAME)  # the others are still turning
        sides = sides[still] if still.any() else sides
        sides = sides[np.argsort(height_above(sides, self.corners))]
        self.sides = _thinned(sides, SAME)
        self.rolls = np.stack([self._rolls(side) for side in self.sides])
        self.apart = _thinned(self.sides, APART)[:MOST_APART]
        heights = height_above(self.sides, self.corners)
        self.heights = float(heights.min()), float(heights.max())

    def _rolls(self, side: FloatArray) -> FloatArray:
        """(2, 3) of one side (3,)."""
        basis = np.linalg.svd(side[None])[2][1:]
        turn = np.arange(12) * math.pi / 12
        ways = np.cos(turn)[:, None] * basis[0] + np.sin(turn)[:, None] * basis[1]
        both = np.stack([side + TURN * ways, side - TURN * ways])
        both /= np.linalg.norm(both, axis=-1, keepdims=True)
        rise = height_above(both, self.corners).max(0) - height_above(side, self.corners)
        free = rise <= ROLLS * TURN * np.linalg.norm(self.corners, axis=-1).max()
        if free.all():
            return basis
        return np.stack([ways[rise.argmin()] if free.any() else np.zeros(3), np.zeros(3)])


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
    reach = SOFT * np.linalg.norm(corners, axis=-1).max(-1)[..., None, None].clip(1e-9)
    for step in STEPS:
        height = corners @ down[..., None]
        weight = np.exp((height - height.max(-2, keepdims=True)) / (step * reach))
        foot = (weight * corners).sum(-2) / weight.sum(-2)
        slope = foot - (foot * down).sum(-1, keepdims=True) * down
        length = np.linalg.norm(slope, axis=-1, keepdims=True)
        down = down - step * slope / np.maximum(length, 1e-12)
        down = down / np.linalg.norm(down, axis=-1, keepdims=True)
    return down


def _thinned(directions: FloatArray, angle: float) -> FloatArray:
    """(M, 3) of unit vectors (N, 3), those at least so many radians from all before them."""
    kept = directions[:1]
    for direction in directions[1:]:
        if (kept @ direction).max() < math.cos(angle):
            kept = np.concatenate([kept, direction[None]])
    return kept


def _sphere(count: int) -> FloatArray:
    """(count, 3) unit vectors, evenly spread (Fibonacci lattice)."""
    z = 1 - (2 * np.arange(count) + 1) / count
    turn = np.pi * (3 - math.sqrt(5)) * np.arange(count)
    across = np.sqrt(1 - z * z)
    return np.stack([across * np.cos(turn), across * np.sin(turn), z], 1)
