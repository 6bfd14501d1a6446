"""Finds the axes about which an object can be turned and look the same."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from pose_regressor.types import FloatArray
from pose_regressor_training.meshes.symmetry.rotations import about, hemisphere
from pose_regressor_training.meshes.symmetry.surface import Mismatch, Surface

#: Every order up to the highest is a multiple of one of these. 2 is not the first: a cylinder has axes of order 2 in
#: all directions across its own, and all would be checked before that one is known.
PRIMES = (3, 2, 5, 7)
HIGHEST_ORDER = 10
#: If all of these turns fit (in full circles), any turn does: no order has them in common.
_ANY = tuple(0.6180339887498949 * step for step in range(1, 8))

_DIRECTIONS = 1500
_SCREENED, _FITTED = 150, 600  # points of the surface
_KEPT = 25  # candidates of each prime
_APART = np.cos(np.radians(8))  # between the axes of two candidates
_COLOR_WEIGHT = 0.1  # one black point facing a white one costs as much as a tenth of the diameter
_STEPS = 15


@dataclass(frozen=True)
class Tolerance:
    """What counts as looking the same.

    most: distance from the moved surface to the surface at rest, for 95 % of it, in diameters
    all: the same for all of it
    color: root mean square difference of the colours; 1 is black against white
    """

    most: float = 0.03
    all: float = 0.07
    color: float = 0.1

    def admits(self, found: Mismatch) -> bool:
        return found.most <= self.most and found.all <= self.all and found.color <= self.color

    def same(self, surface: Surface, motion: FloatArray) -> bool:
        """Whether the surface looks the same after a motion (4, 4)."""
        return self.admits(surface.mismatch(motion, self.all))


@dataclass(frozen=True, eq=False)
class Axis:
    """An axis of symmetry.

    order: number of equal turns in a full circle; 0 if any turn is a symmetry
    direction: unit vector
    point: on the axis, metres
    worst: mismatch of the worst of those turns that were checked
    """

    order: int
    direction: FloatArray
    point: FloatArray
    worst: float


def find_axes(surface: Surface, tolerance: Tolerance) -> list[Axis]:
    """Axes of symmetry, the best first. If an axis admits any turn, not all others are listed."""
    axes: list[Axis] = []
    for prime in PRIMES:
        directions = _screen(surface, 2 * np.pi / prime)
        motions = refine(surface, about(directions, 2 * np.pi / prime, surface.centre))
        for motion, direction in zip(motions, directions, strict=True):
            if not tolerance.same(surface, motion):
                continue
            direction, point = _axis_of(motion, direction, surface.centre)
            if not any(abs(axis.direction @ direction) > _APART for axis in axes):
                axes.append(_order(surface, tolerance, direction, point, prime))
            if sum(axis.order == 0 for axis in axes) > 1:
                return axes  # a ball: any direction is an axis
        if any(axis.order == 0 for axis in axes):
            return axes
    return sorted(axes, key=lambda axis: axis.worst)


def refine(surface: Surface, motions: FloatArray) -> FloatArray:
    """(C, 4, 4) turns whose axes are moved until the turned surface fits best. Their angles stay.

    Gauss-Newton on distances from tangent planes (Chen and Medioni, 1992). The motion T becomes E T E⁻¹ with a small
    rigid E, which turns by the same angle about another axis.
    """
    points = surface.points[:_FITTED] - surface.centre
    motions = motions.copy()
    motions[:, :3, 3] += motions[:, :3, :3] @ surface.centre - surface.centre  # about the centre as the origin
    for _ in range(_STEPS):
        rotation = motions[:, :3, :3]
        moved = points @ rotation.swapaxes(1, 2) + motions[:, None, :3, 3]
        facing = surface.facing(moved + surface.centre)
        normal = surface.normals[facing]
        offset = surface.points[facing] - surface.centre - moved
        residual = (offset * normal).sum(-1)
        weight = 1 / (1 + ((offset**2).sum(-1) / (0.03 * surface.diameter) ** 2))
        back = normal @ rotation  # the normal, turned back to where the point came from
        slope = np.concatenate([np.cross(moved, normal) - np.cross(points, back), normal - back], -1)
        scale = np.repeat([1 / surface.diameter, 1.0], 3)
        slope = slope * scale
        weighted = (slope * weight[..., None]).swapaxes(1, 2)
        gram = weighted @ slope + 1e-4 * len(points) * np.eye(6)
        step = np.linalg.solve(gram, weighted @ residual[..., None])[..., 0] * scale
        small = about(step[:, :3], np.linalg.norm(step[:, :3], axis=1), np.zeros(3))
        small[:, :3, 3] = step[:, 3:]
        motions = small @ motions @ np.linalg.inv(small)
    motions[:, :3, 3] += surface.centre - motions[:, :3, :3] @ surface.centre
    return motions


def _screen(surface: Surface, angle: float) -> FloatArray:
    """(C, 3) directions for which a turn by `angle` about the centre fits better than for their neighbours."""
    directions = hemisphere(_DIRECTIONS)
    motions = about(directions, angle, surface.centre)
    points = surface.points[:_SCREENED]
    moved = points @ motions[:, :3, :3].swapaxes(1, 2) + motions[:, None, :3, 3]
    facing = surface.facing(moved)
    distance = np.linalg.norm(surface.points[facing] - moved, axis=-1).mean(1) / surface.diameter
    color = np.abs(surface.colors[facing] - surface.colors[:_SCREENED]).mean((1, 2))
    kept: list[int] = []
    for index in np.argsort(distance + _COLOR_WEIGHT * color):
        if len(kept) < _KEPT and not (np.abs(directions[kept] @ directions[index]) > _APART).any():
            kept.append(int(index))
    return directions[kept]


def _axis_of(motion: FloatArray, near: FloatArray, centre: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Direction (on the side of `near`) of a turn's axis, and the axis's point nearest to `centre`."""
    rotation = motion[:3, :3]
    _, _, rows = np.linalg.svd(rotation - np.eye(3))
    direction = rows[2] * (1 if rows[2] @ near > 0 else -1)
    shift = motion[:3, 3] + rotation @ centre - centre
    point = centre + np.linalg.pinv(np.eye(3) - rotation, rcond=1e-6) @ shift
    return direction, point


def _order(surface: Surface, tolerance: Tolerance, direction: FloatArray, point: FloatArray, prime: int) -> Axis:
    """The axis with the highest order that fits.

    If any turn fits, the axis is continuous, unless some order fits twice as well: a nut with many edges is within the
        tolerance of a ring.
    """

    def worst(turns: Iterable[float]) -> float:
        """Of all turns; infinite as soon as one is not admitted."""
        most = 0.0
        for turn in turns:
            found = surface.mismatch(about(direction, 2 * np.pi * turn, point), tolerance.all)
            if not tolerance.admits(found):
                return np.inf
            most = max(most, found.most)
        return most

    freely = worst(_ANY)
    for order in range(HIGHEST_ORDER, 1, -1):
        possible = order % prime == 0 or np.isfinite(freely)
        if possible and (stepwise := worst(_turns(order))) < min(np.inf, freely / 2):
            return Axis(order, direction, point, stepwise)
    return Axis(0, direction, point, freely)


def _turns(order: int) -> list[float]:
    """The single step first: it fails soonest."""
    return [step / order for step in range(1, order // 2 + 1)]  # the others are their inverses
