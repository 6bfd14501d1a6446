"""Symmetries of an object: motions after which it looks the same.

They are found from a mesh: from its geometry and, where the shape alone would allow more, from its colours.
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

#: BOP's step between turns of a continuous symmetry: how far the farthest point moves, in diameters.
STEP = 0.01
#: Rotations that stand for all rotations of a ball, about 12° apart.
_BALL = 2000


@dataclass(frozen=True, eq=False)
class ContinuousSymmetry:
    """Any turn about an axis.

    axis: (3,) unit vector
    offset: (3,) a point on the axis, metres
    """

    axis: FloatArray
    offset: FloatArray


@dataclass(frozen=True, eq=False)
class Symmetries:
    """As in BOP's models_info.json: any turn about an axis may follow any discrete motion.

    discrete: (D, 4, 4) motions in metres, without the identity
    continuous: axes; a ball has three, which stand for all rotations
    """

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
        """(S, 4, 4) motions without the identity.

        About an axis there are ceil(pi / step) turns, as in BOP's get_symmetry_transformations: 315 for its step of 1 %
        of the diameter. A ball has 2000 rotations.
        """
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
    """The symmetries of a mesh. Takes a few seconds.

    Turns of up to 10 steps are told apart. A finer symmetry counts as continuous if the tolerance admits all turns;
    otherwise it is not found.
    """
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
        group = close(turns, lambda motion: tolerance.same(surface, motion))
        if group is not None:
            return Symmetries(exact(group, surface.centre)[1:])
        axes = axes[:-1]  # the worst
    return Symmetries(np.zeros((0, 4, 4)))


def _turned(axis: Axis, surface: Surface, tolerance: Tolerance) -> Symmetries:
    """An axis with any turn, and a half turn across it if the object has one."""
    point = axis.point - (axis.point @ axis.direction) * axis.direction
    continuous = (ContinuousSymmetry(axis.direction, point),)
    middle = axis.point + ((surface.centre - axis.point) @ axis.direction) * axis.direction
    across = np.cross(axis.direction, np.eye(3)[np.abs(axis.direction).argmin()])
    flip = about(across, np.pi, middle)
    found = flip[None] if tolerance.same(surface, flip) else np.zeros((0, 4, 4))
    return Symmetries(found, continuous)
