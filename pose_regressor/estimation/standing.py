"""How objects lie against planes: the height of the side they lie on, and its tilt, with slopes and covariances."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_regressor.estimation.resting import Resting, height_above
from pose_regressor.types import FloatArray, Plane, PoseEstimate

#: Standard deviations of what stands on a plane: of its height, metres (a cloth, a foot that the mesh lacks), and of
#: its tilt, radians.
HEIGHT, TILT = 0.01, 0.07
#: Probability that an object stands on the plane if its pose is right.
STANDS = 0.9
#: Heights and tilts of what stands elsewhere are spread evenly over so many metres and radians.
ELSEWHERE_HEIGHT, ELSEWHERE_TILT = 0.5, 1.5
#: Standard deviation of the tilt of an object in a direction in which it rolls: it says as little as elsewhere.
ROLL = ELSEWHERE_TILT / math.sqrt(2 * math.pi)
#: Planes from which expectation maximisation starts.
STARTS = 3
NOISE = np.diag(np.square([HEIGHT, TILT, TILT]))


@dataclass(frozen=True, eq=False)
class Planes:
    """P planes, about the middle of the objects.

    A plane moves by (3,): tilts in two directions, radians, and its offset, metres.

    normal: (P, 3); offset: (P,)
    across: (P, 2, 3) unit vectors along each plane, in which it tilts
    """

    normal: FloatArray
    offset: FloatArray
    across: FloatArray

    @classmethod
    def of(cls, normal: FloatArray, offset: FloatArray) -> Planes:
        return cls(normal, offset, np.asarray(np.linalg.svd(normal[:, None, :])[2][:, 1:]))

    def moved(self, motion: FloatArray) -> Planes:
        """motion: (P, 3)."""
        normal = self.normal + (motion[:, None, :2] @ self.across)[:, 0]
        length = np.linalg.norm(normal, axis=-1)
        return Planes.of(normal / length[:, None], (self.offset + motion[:, 2]) / length)

    def chosen(self, places: NDArray[np.integer]) -> Planes:
        """places: (M,) of the planes to keep."""
        return Planes(self.normal[places], self.offset[places], self.across[places])

    def since(self, start: Planes) -> FloatArray:
        """(P, 3) the motion from `start`, near to it."""
        tilt = (self.across @ (self.normal - start.normal)[..., None])[..., 0]
        return np.concatenate([tilt, (self.offset - start.offset)[:, None]], 1)


@dataclass(frozen=True, eq=False)
class Residuals:
    """How N objects lie against P planes: height (m) and tilts (rad), which are 0 on the plane.

    value: (P, N, 3)
    of_pose: (P, N, 3, 6) slopes in the pose's motion, as in PoseEstimate
    of_plane: (P, N, 3, 3) slopes in the plane's motion
    covariance: (P, N, 3, 3) by the uncertainty of the pose, and by how exactly objects stand on a plane
    """

    value: FloatArray
    of_pose: FloatArray
    of_plane: FloatArray
    covariance: FloatArray

    def log_ratio(self, plane: FloatArray) -> FloatArray:
        """(P, N) logarithms of how likely the residuals are on the plane, over elsewhere.

        plane: (P, 3, 3) covariance of its motion
        """
        total = self.covariance + through(self.of_plane, plane[:, None])
        misfit = (self.value * np.linalg.solve(total, self.value[..., None])[..., 0]).sum(-1)
        on_plane = -0.5 * (misfit + np.linalg.slogdet(total)[1] + 3 * math.log(2 * math.pi))
        return np.asarray(on_plane + math.log(ELSEWHERE_HEIGHT * ELSEWHERE_TILT**2))


class Objects:
    """N objects, about the middle of their positions, weighted by their scores: a plane tilts about what is sure.

    covariance: (N, 6, 6) of their poses
    chance: (N,) probabilities that they stand on the plane
    """

    def __init__(self, estimates: Sequence[PoseEstimate], resting: Sequence[Resting]) -> None:
        pose = np.stack([estimate.cam_from_obj for estimate in estimates])
        self.covariance = np.stack([estimate.covariance for estimate in estimates])
        self.chance = (STANDS * np.array([estimate.score for estimate in estimates])).clip(1e-6)
        self._middle = np.average(pose[:, :3, 3], axis=0, weights=self.chance)
        self._rotation = pose[:, :3, :3]
        self._arm = (self._rotation @ np.stack([r.centre for r in resting])[..., None])[..., 0]
        self._centre = pose[:, :3, 3] + self._arm - self._middle
        self._sides = stacked([r.sides for r in resting])
        self._rolls = stacked([r.rolls for r in resting])
        self._apart = [r.apart for r in resting]
        self._corners = stacked([r.corners for r in resting])

    def shifted(self, plane: Plane) -> Planes:
        """A plane in the camera's frame, about the middle."""
        return Planes.of(plane.normal[None], np.array([plane.offset - plane.normal @ self._middle]))

    def in_camera(self, planes: Planes, place: int) -> Plane:
        """The opposite of `shifted`, for one of them."""
        normal = planes.normal[place]
        return Plane(normal, float(planes.offset[place] + normal @ self._middle))

    def likeliest(self) -> Planes | None:
        """Of the planes under all sides of all objects, those on which most others stand. None: there is none."""
        sides = np.concatenate(self._apart)
        of = np.repeat(np.arange(len(self._apart)), [len(own) for own in self._apart])
        normal = -(self._rotation[of] @ sides[..., None])[..., 0]
        offset = (normal * self._centre[of]).sum(-1) - height_above(sides, self._corners[of])
        above = offset + normal @ self._middle < 0  # the camera sees what stands on the plane, not what is below
        if not above.any():
            return None
        of, planes = of[above], Planes.of(normal[above], offset[above])
        residuals, own = self.against(planes), (np.arange(len(of)), of)
        back = np.linalg.inv(residuals.of_plane[own])
        plane = through(back, residuals.covariance[own])
        evidence = self.evidence(residuals.log_ratio(plane))
        evidence[own] = 0
        return planes.chosen(np.argsort(-evidence.sum(1))[:STARTS])

    def evidence(self, log_ratio: FloatArray) -> FloatArray:
        """(P, N) logarithms: the object on the plane or elsewhere, over surely elsewhere."""
        return np.logaddexp(np.log(self.chance) + log_ratio, np.log1p(-self.chance))

    def stand(self, log_ratio: FloatArray) -> FloatArray:
        """(P, N) probabilities that the objects stand on the plane."""
        return np.exp(np.log(self.chance) + log_ratio - self.evidence(log_ratio))

    def against(self, planes: Planes) -> Residuals:
        """Each object on the side that is nearest to the plane."""
        normal, across = planes.normal[:, None], planes.across[:, None]
        down = -(np.swapaxes(self._rotation, -1, -2) @ normal[..., None])[..., 0]
        nearest = (self._sides @ down[..., None])[..., 0].argmax(-1)
        own = np.arange(len(self._sides))
        side = self._sides[own, nearest]
        up = -(self._rotation @ side[..., None])[..., 0]
        value, of_pose = np.empty((*nearest.shape, 3)), np.zeros((*nearest.shape, 3, 6))
        value[..., 0] = (normal * self._centre).sum(-1) - planes.offset[:, None] - height_above(side, self._corners)
        value[..., 1:] = (across @ (up - normal)[..., None])[..., 0]
        of_pose[..., 0, :3] = normal
        of_pose[..., 0, 3:] = np.cross(self._arm, normal)
        of_pose[..., 1:, 3:] = np.cross(up[..., None, :], across)
        of_plane = np.zeros((*nearest.shape, 3, 3))
        of_plane[..., 0, :2] = (across @ self._centre[..., None])[..., 0]
        of_plane[..., range(3), (2, 0, 1)] = -1
        noise = np.zeros((*nearest.shape, 3, 3)) + NOISE
        rolls = across @ self._rotation @ np.swapaxes(self._rolls[own, nearest], -1, -2)
        noise[..., 1:, 1:] += ROLL**2 * rolls @ np.swapaxes(rolls, -1, -2)
        return Residuals(value, of_pose, of_plane, through(of_pose, self.covariance) + noise)


def stacked(rows: Sequence[FloatArray]) -> FloatArray:
    """(N, M, ...) of N arrays of M or fewer rows, the shorter ones repeated."""
    most = max(map(len, rows))
    return np.stack([np.resize(row, (most, *row.shape[1:])) for row in rows])


def through(slopes: FloatArray, covariance: FloatArray) -> FloatArray:
    """(..., A, A) covariances of what depends by `slopes` (..., A, B) on something of covariance (..., B, B)."""
    return np.asarray(slopes @ covariance @ np.swapaxes(slopes, -1, -2))
