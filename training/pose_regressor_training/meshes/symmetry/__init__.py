"""Symmetries of an object: the motions after which nobody could tell that it was moved.

Found from its mesh, from geometry and, where the shape alone would allow more, from its colours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pose_regressor.types import FloatArray
from pose_regressor_training.meshes.mesh import Mesh
from pose_regressor_training.meshes.symmetry.group import close, exact
from pose_regressor_training.meshes.symmetry.rotations import about, all_rotations
from pose_regressor_training.meshes.symmetry.search import Axis, Tolerance, find_axes
from pose_regressor_training.meshes.symmetry.surface import Surface

__all__ = ["ContinuousSymmetry", "Symmetries", "Tolerance", "find_symmetries"]

#: BOP's step between two turns of a continuous symmetry: the share of the diameter that the farthest point travels.
STEP = 0.01
#: How many rotations stand for all of them, that of a ball: about 12° apart.
_BALL = 2000


@dataclass(frozen=True, eq=False)
class ContinuousSymmetry:
    """Any turn about an axis; axis: (3,) unit vector, offset: (3,) a point of it in metres."""

    axis: FloatArray
    offset: FloatArray


@dataclass(frozen=True, eq=False)
class Symmetries:
    """discrete: (D, 4, 4) motions in metres without the identity; continuous: axes. As in BOP's models_info.json, any
    turn about an axis may follow any discrete motion; a ball has three axes, which stand for all rotations."""

    discrete: FloatArray
    continuous: tuple[ContinuousSymmetry, ...] = ()

    def __bool__(self) -> bool:
        return len(self.discrete) > 0 or len(self.continuous) > 0

    def in_words(self) -> str:
        """Such as: any turn about one axis and 1 other symmetry."""
        if len(self.continuous) > 1:
            return "all rotations"
        words = ["any turn about one axis"] if self.continuous else []
        if count := len(self.discrete):
            other = "other " if words else ""
            words.append(f"{count} {other}symmetr{'y' if count == 1 else 'ies'}")
        return " and ".join(words) or "no symmetry"

    def discretised(self, step: float = STEP) -> FloatArray:
        """(S, 4, 4) motions without the identity. About an axis there are ceil(pi / step) turns, as in BOP's
        get_symmetry_transformations: 315 at its step of 1 % of the diameter; of a ball, 2000 rotations."""
        turns = [np.eye(4)[None]]
        if len(self.continuous) > 1:
            turns = [np.broadcast_to(np.eye(4), (_BALL, 4, 4)).copy()]
            turns[0][:, :3, :3] = all_rotations(_BALL)
            offset = self.continuous[0].offset
            turns[0][:, :3, 3] = offset - turns[0][:, :3, :3] @ offset
        elif self.continuous:
            count = int(np.ceil(np.pi / step))
            symmetry = self.continuous[0]
            turns = [about(symmetry.axis, 2 * np.pi * np.arange(count) / count, symmetry.offset)]
        turns += [turns[0] @ motion for motion in self.discrete]
        motions = np.concatenate(turns)
        return motions[(np.abs(motions - np.eye(4)) > 1e-9).any((1, 2))]


def find_symmetries(mesh: Mesh, tolerance: Tolerance | None = None) -> Symmetries:
    """Takes a few seconds. Turns of up to 10 steps are told apart; finer ones count as continuous where the tolerance
    admits all turns, else they are not found."""
    tolerance = tolerance or Tolerance()
    surface = Surface(mesh)
    axes = find_axes(surface, tolerance)
    round_ones = [axis for axis in axes if axis.order == 0]
    if len(round_ones) > 1:
        return Symmetries(np.zeros((0, 4, 4)), tuple(ContinuousSymmetry(axis, surface.centre) for axis in np.eye(3)))
    if round_ones:
        return _turned(round_ones[0], surface, tolerance)
    while axes:
        turns = [motion for axis in axes for motion in about(
            axis.direction, 2 * np.pi * np.arange(1, axis.order) / axis.order, axis.point)]  # fmt: skip
        group = close(turns, lambda motion: tolerance.admits(surface.mismatch(motion)))
        if group is not None:
            return Symmetries(exact(group, surface.centre)[1:])
        axes = axes[:-1]  # the worst
    return Symmetries(np.zeros((0, 4, 4)))


def _turned(axis: Axis, surface: Surface, tolerance: Tolerance) -> Symmetries:
    """An axis of any turn, and a half turn across it where the object has one."""
    point = axis.point - (axis.point @ axis.direction) * axis.direction
    continuous = (ContinuousSymmetry(axis.direction, point),)
    middle = axis.point + ((surface.centre - axis.point) @ axis.direction) * axis.direction
    across = np.cross(axis.direction, np.eye(3)[np.abs(axis.direction).argmin()])
    flip = about(across, np.pi, middle)
    found = flip[None] if tolerance.admits(surface.mismatch(flip)) else np.zeros((0, 4, 4))
    return Symmetries(found, continuous)
