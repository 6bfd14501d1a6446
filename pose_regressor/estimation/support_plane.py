"""Objects that stand on one plane, such as a table: poses and plane are found together.

One camera knows a distance only by the size of what it sees. A plane under several objects is known better, by all of
them, and tells each how far away it is.

Each object has three residuals: the height of the side it lies on above the plane, and the tilt of this side against
it in two directions. They are linear in small motions of pose and plane. So the poses are eliminated, the plane follows
by generalised least squares, and each pose by a Kalman update. Which objects stand on the plane is found with it, by
expectation maximisation (Dempster et al., JRSS B 39(1), 1977). A pose is the mean of both cases, standing there and
elsewhere, and its covariance is that of the mixture.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pose_regressor.estimation.resting import Resting, height_above
from pose_regressor.geometry.rigid import moved
from pose_regressor.types import FloatArray, ObjectModel, Plane, PoseEstimate

#: Standard deviations of what stands on a plane: of its height, metres (a cloth, a foot that the mesh lacks), and of
#: its tilt, radians.
HEIGHT, TILT = 0.01, 0.07
#: Standard deviations of a plane that is known: of its height at the objects, metres, and of its tilt, radians.
KNOWN_HEIGHT, KNOWN_TILT = 0.005, 0.01
#: Probability that an object stands on the plane if its pose is right.
STANDS = 0.9
#: Heights and tilts of what stands elsewhere are spread evenly over so many metres and radians.
ELSEWHERE_HEIGHT, ELSEWHERE_TILT = 0.5, 1.5
#: Planes are spread evenly over so many metres.
PLANES_OFFSET = 2.0
#: Standard deviation of the tilt of an object in a direction in which it rolls: it says as little as elsewhere.
ROLL = ELSEWHERE_TILT / math.sqrt(2 * math.pi)
#: Planes from which expectation maximisation starts, and its rounds. The plane with the most evidence counts.
STARTS, ROUNDS = 3, 5
#: Logarithm of the odds, a plane against none, at which both are as likely: 20 to 1.
LEAST_EVIDENCE = 3.0
#: A pose stays as it was if the plane would move it by more standard deviations than this: one of the two is wrong.
MOST_MOVED = 5.0
NOISE = np.diag(np.square([HEIGHT, TILT, TILT]))


class SupportPlane:
    """Puts objects on the plane that they stand on."""

    def __init__(self) -> None:
        self._resting: dict[str, Resting] = {}

    def settle(self, estimates: Sequence[PoseEstimate], known: Plane | None = None) -> list[PoseEstimate]:
        """The estimates, in their order, with poses and covariances corrected by the plane.

        An object that surely stands elsewhere stays where it is. So do all if no plane explains them.

        known: the plane, in the camera's frame; None: it is found. Two objects are seldom enough
        """
        standing = self._standing(estimates, known)
        if standing is None:
            return list(estimates)
        return [
            _moved(estimate, motion, covariance)
            for estimate, motion, covariance in zip(estimates, standing.motions, standing.covariances, strict=True)
        ]

    def find(self, estimates: Sequence[PoseEstimate]) -> Plane | None:
        """The plane that most of the objects stand on, in the camera's frame. None: no plane explains them."""
        standing = self._standing(estimates, None)
        return standing.plane if standing and standing.evidence >= LEAST_EVIDENCE else None

    def _standing(self, estimates: Sequence[PoseEstimate], known: Plane | None) -> _Standing | None:
        if len(estimates) < (1 if known else 2):
            return None
        if not all(np.isfinite(e.covariance).all() and np.isfinite(e.cam_from_obj).all() for e in estimates):
            return None
        objects = _Objects(estimates, [self._rest(estimate.model) for estimate in estimates])
        if known:
            return _fit(objects, objects.shifted(known), KNOWN)
        starts = objects.likeliest()
        return _fit(objects, starts, UNKNOWN) if starts else None

    def prepare(self, models: Iterable[ObjectModel]) -> None:
        """Finds the sides of these objects before they are seen; it takes up to 0.1 s each."""
        for model in models:
            self._rest(model)

    def _rest(self, model: ObjectModel) -> Resting:
        if model.name not in self._resting:
            self._resting[model.name] = Resting(model)
        return self._resting[model.name]


@dataclass(frozen=True, eq=False)
class _Planes:
    """P planes, about the middle of the objects.

    A plane moves by (3,): tilts in two directions, radians, and its offset, metres.

    normal: (P, 3); offset: (P,)
    across: (P, 2, 3) unit vectors along each plane, in which it tilts
    """

    normal: FloatArray
    offset: FloatArray
    across: FloatArray

    @classmethod
    def of(cls, normal: FloatArray, offset: FloatArray) -> _Planes:
        return cls(normal, offset, np.asarray(np.linalg.svd(normal[:, None, :])[2][:, 1:]))

    def moved(self, motion: FloatArray) -> _Planes:
        """motion: (P, 3)."""
        normal = self.normal + (motion[:, None, :2] @ self.across)[:, 0]
        length = np.linalg.norm(normal, axis=-1)
        return _Planes.of(normal / length[:, None], (self.offset + motion[:, 2]) / length)

    def chosen(self, places: NDArray[np.integer]) -> _Planes:
        """places: (M,) of the planes to keep."""
        return _Planes(self.normal[places], self.offset[places], self.across[places])

    def since(self, start: _Planes) -> FloatArray:
        """(P, 3) the motion from `start`, near to it."""
        tilt = (self.across @ (self.normal - start.normal)[..., None])[..., 0]
        return np.concatenate([tilt, (self.offset - start.offset)[:, None]], 1)


@dataclass(frozen=True, eq=False)
class _Residuals:
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
        total = self.covariance + _through(self.of_plane, plane[:, None])
        misfit = (self.value * np.linalg.solve(total, self.value[..., None])[..., 0]).sum(-1)
        on_plane = -0.5 * (misfit + np.linalg.slogdet(total)[1] + 3 * math.log(2 * math.pi))
        return np.asarray(on_plane + math.log(ELSEWHERE_HEIGHT * ELSEWHERE_TILT**2))


class _Objects:
    """N objects, about the middle of their positions.

    covariance: (N, 6, 6) of their poses
    chance: (N,) probabilities that they stand on the plane
    """

    def __init__(self, estimates: Sequence[PoseEstimate], resting: Sequence[Resting]) -> None:
        pose = np.stack([estimate.cam_from_obj for estimate in estimates])
        self.covariance = np.stack([estimate.covariance for estimate in estimates])
        self.chance = (STANDS * np.array([estimate.score for estimate in estimates])).clip(1e-6)
        self._middle = pose[:, :3, 3].mean(0)
        self._rotation = pose[:, :3, :3]
        self._arm = (self._rotation @ np.stack([r.centre for r in resting])[..., None])[..., 0]
        self._centre = pose[:, :3, 3] + self._arm - self._middle
        self._sides = _stacked([r.sides for r in resting])
        self._rolls = _stacked([r.rolls for r in resting])
        self._apart = [r.apart for r in resting]
        self._corners = _stacked([r.corners for r in resting])

    def shifted(self, plane: Plane) -> _Planes:
        """A plane in the camera's frame, about the middle."""
        return _Planes.of(plane.normal[None], np.array([plane.offset - plane.normal @ self._middle]))

    def in_camera(self, planes: _Planes, place: int) -> Plane:
        """The opposite of `shifted`, for one of them."""
        normal = planes.normal[place]
        return Plane(normal, float(planes.offset[place] + normal @ self._middle))

    def likeliest(self) -> _Planes | None:
        """Of the planes under all sides of all objects, those on which most others stand. None: there is none."""
        sides = np.concatenate(self._apart)
        of = np.repeat(np.arange(len(self._apart)), [len(own) for own in self._apart])
        normal = -(self._rotation[of] @ sides[..., None])[..., 0]
        offset = (normal * self._centre[of]).sum(-1) - height_above(sides, self._corners[of])
        above = offset + normal @ self._middle < 0  # the camera sees what stands on the plane, not what is below
        if not above.any():
            return None
        of, planes = of[above], _Planes.of(normal[above], offset[above])
        residuals, own = self.against(planes), (np.arange(len(of)), of)
        back = np.linalg.inv(residuals.of_plane[own])
        plane = _through(back, residuals.covariance[own])
        evidence = self.evidence(residuals.log_ratio(plane))
        evidence[own] = 0
        return planes.chosen(np.argsort(-evidence.sum(1))[:STARTS])

    def evidence(self, log_ratio: FloatArray) -> FloatArray:
        """(P, N) logarithms: the object on the plane or elsewhere, over surely elsewhere."""
        return np.logaddexp(np.log(self.chance) + log_ratio, np.log1p(-self.chance))

    def stand(self, log_ratio: FloatArray) -> FloatArray:
        """(P, N) probabilities that the objects stand on the plane."""
        return np.exp(np.log(self.chance) + log_ratio - self.evidence(log_ratio))

    def against(self, planes: _Planes) -> _Residuals:
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
        return _Residuals(value, of_pose, of_plane, _through(of_pose, self.covariance) + noise)


#: Inverse covariances (3, 3) of a plane's motion before objects are seen on it.
KNOWN = np.diag(np.array([KNOWN_TILT, KNOWN_TILT, KNOWN_HEIGHT]) ** -2.0)
UNKNOWN = np.diag(np.array([math.pi, math.pi, PLANES_OFFSET]) ** -2.0)


@dataclass(frozen=True, eq=False)
class _Standing:
    """N objects and the plane under them.

    plane: in the camera's frame
    evidence: logarithm of the odds, this plane against none; infinite: the plane is known
    motions: (N, 6) that put the objects on the plane
    covariances: (N, 6, 6) of the poses after that
    """

    plane: Plane
    evidence: float
    motions: FloatArray
    covariances: FloatArray


def _fit(objects: _Objects, starts: _Planes, prior: FloatArray) -> _Standing:
    """The plane near one of `starts`. prior: (3, 3) inverse covariance of its motion from there."""
    planes, spread = starts, np.zeros((1, 3, 3))
    for _ in range(ROUNDS):
        residuals = objects.against(planes)
        stand = objects.stand(residuals.log_ratio(spread))
        weight = np.linalg.inv(residuals.covariance)
        back = stand[..., None, None] * np.swapaxes(residuals.of_plane, -1, -2) @ weight
        spread = np.linalg.inv((back @ residuals.of_plane).sum(1) + prior)
        slope = (back @ residuals.value[..., None])[..., 0].sum(1) + planes.since(starts) @ prior
        step = -(spread @ slope[..., None])[..., 0]
        planes = planes.moved(step)
    # The integral over all planes, by Laplace's method.
    likely = objects.evidence(residuals.log_ratio(np.zeros((1, 3, 3)))).sum(1)
    volume = 1.5 * math.log(2 * math.pi) + 0.5 * np.linalg.slogdet(spread)[1]
    evidence = likely + volume - math.log(2 * math.pi * PLANES_OFFSET)
    best = int(np.argmax(evidence))
    of_pose, of_plane, covariance = residuals.of_pose[best], residuals.of_plane[best], objects.covariance
    gain = covariance @ np.swapaxes(of_pose, -1, -2) @ weight[best]
    motions = -(gain @ (residuals.value[best] + of_plane @ step[best])[..., None])[..., 0]
    on_plane = covariance - gain @ of_pose @ covariance + _through(gain @ of_plane, spread[best])
    known = prior is KNOWN
    there = 1.0 if known else 1 / (1 + math.exp(min(LEAST_EVIDENCE - evidence[best], 500.0)))
    share = (there * stand[best])[:, None, None]
    mixed = share * on_plane + (1 - share) * covariance + share * (1 - share) * motions[:, :, None] * motions[:, None]
    plane = objects.in_camera(planes, best)
    return _Standing(plane, math.inf if known else float(evidence[best]), share[..., 0] * motions, mixed)


def _moved(estimate: PoseEstimate, motion: FloatArray, covariance: FloatArray) -> PoseEstimate:
    """The estimate after a motion (6,), or as it was if that cannot be."""
    pose = moved(estimate.cam_from_obj, motion)
    far = motion @ np.linalg.pinv(estimate.covariance, hermitian=True) @ motion > MOST_MOVED**2
    if far or pose[2, 3] < estimate.model.diameter / 2:
        return estimate
    return replace(estimate, cam_from_obj=pose, covariance=covariance)


def _stacked(rows: Sequence[FloatArray]) -> FloatArray:
    """(N, M, ...) of N arrays of M or fewer rows, the shorter ones repeated."""
    most = max(map(len, rows))
    return np.stack([np.resize(row, (most, *row.shape[1:])) for row in rows])


def _through(slopes: FloatArray, covariance: FloatArray) -> FloatArray:
    """(..., A, A) covariances of what depends by `slopes` (..., A, B) on something of covariance (..., B, B)."""
    return np.asarray(slopes @ covariance @ np.swapaxes(slopes, -1, -2))
