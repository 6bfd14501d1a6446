"""Objects that stand on one plane, such as a table: poses and plane are found together.

One camera knows a distance only by the size of what it sees. A plane under several objects is known better, by all of
them, and tells each how far away it is.

Each object has three residuals: the height of the side it lies on above the plane, and the tilt of this side against it
in two directions. They are linear in small motions of pose and plane. So the poses are eliminated, the plane follows by
generalised least squares, and each pose by a Kalman update. Which objects stand on the plane is found by expectation
maximisation (Dempster et al., JRSS B 39(1), 1977).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pose_regressor.estimation.resting import SIDES, Resting, height_above, settled
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
#: An object that is tilted more than this against its nearest side lies on none.
LARGEST_TILT = math.radians(25)
#: Rounds of expectation maximisation.
ROUNDS = 5
#: Logarithm of the odds, a plane against none, from which a plane is believed: 20 to 1.
LEAST_EVIDENCE = 3.0
#: Variance of a residual that says nothing.
NOTHING = 1e6


class SupportPlane:
    """Puts objects on the plane that they stand on."""

    def __init__(self) -> None:
        self._resting: dict[str, Resting] = {}

    def settle(self, estimates: Sequence[PoseEstimate], known: Plane | None = None) -> list[PoseEstimate]:
        """The estimates, in their order, with poses and covariances corrected by the plane.

        An object that stands elsewhere stays where it is. So do all if no plane explains them.

        known: the plane, in the camera's frame; None: it is found, which takes two objects or more
        """
        standing = self._standing(estimates, known)
        if standing is None:
            return list(estimates)
        return [
            replace(estimate, cam_from_obj=moved(estimate.cam_from_obj, motion), covariance=covariance)
            for estimate, motion, covariance in zip(estimates, *standing.corrections(), strict=True)
        ]

    def find(self, estimates: Sequence[PoseEstimate]) -> Plane | None:
        """The plane that most of the objects stand on, in the camera's frame. None: no plane explains them."""
        standing = self._standing(estimates, None)
        return standing.objects.unshifted(standing.plane) if standing else None

    def _standing(self, estimates: Sequence[PoseEstimate], known: Plane | None) -> _Standing | None:
        if len(estimates) < (1 if known else 2):
            return None
        objects = _Objects(estimates, [self._rest(estimate.model) for estimate in estimates])
        if known:
            return _fit(objects, objects.shifted(known), KNOWN)
        start = objects.likeliest()
        standing = _fit(objects, start, UNKNOWN) if start else None
        return standing if standing and standing.evidence >= LEAST_EVIDENCE else None

    def prepare(self, models: Iterable[ObjectModel]) -> None:
        """Finds the sides of these objects before they are seen; it takes some 40 ms each."""
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
    covariance: (P, N, 3, 3) by the uncertainty of the pose
    noise: (P, N, 3) variances of what stands on the plane
    flat: (P, N) whether the object lies on a side; else its tilts say nothing
    """

    value: FloatArray
    of_pose: FloatArray
    of_plane: FloatArray
    covariance: FloatArray
    noise: FloatArray
    flat: NDArray[np.bool_]

    def log_ratio(self, plane: FloatArray) -> FloatArray:
        """(P, N) logarithms of how likely the residuals are on the plane, over elsewhere.

        plane: (P, 3, 3) covariance of its motion
        """
        total = _with_noise(self.covariance + _through(self.of_plane, plane[:, None]), self.noise)
        misfit = (self.value * np.linalg.solve(total, self.value[..., None])[..., 0]).sum(-1)
        known = np.linalg.slogdet(total)[1] - np.where(self.flat, 0, 2 * math.log(NOTHING))
        elsewhere = math.log(ELSEWHERE_HEIGHT) + np.where(self.flat, 2 * math.log(ELSEWHERE_TILT), 0)
        return elsewhere - 0.5 * (misfit + known + np.where(self.flat, 3, 1) * math.log(2 * math.pi))


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
        self._sides = np.stack([np.resize(r.sides, (SIDES, 3)) for r in resting])
        most = max(len(r.corners) for r in resting)
        self._corners = np.stack([np.resize(r.corners, (most, 3)) for r in resting])

    def shifted(self, plane: Plane) -> _Planes:
        """A plane in the camera's frame, about the middle."""
        return _Planes.of(plane.normal[None], np.array([plane.offset - plane.normal @ self._middle]))

    def unshifted(self, planes: _Planes) -> Plane:
        """The opposite of `shifted`."""
        return Plane(planes.normal[0], float(planes.offset[0] + planes.normal[0] @ self._middle))

    def likeliest(self) -> _Planes | None:
        """The one of the planes under all sides of all objects on which most of the others stand. None: no plane."""
        sides = self._sides.reshape(-1, 3)
        of = np.repeat(np.arange(len(self._sides)), SIDES)
        normal = -(self._rotation[of] @ sides[..., None])[..., 0]
        offset = (normal * self._centre[of]).sum(-1) - height_above(sides, self._corners[of])
        above = offset + normal @ self._middle < 0  # the camera sees what stands on the plane, not what is below
        if not above.any():
            return None
        of, planes = of[above], _Planes.of(normal[above], offset[above])
        residuals, own = self.against(planes, self._nearest_sides), (np.arange(len(of)), of)
        back = np.linalg.inv(residuals.of_plane[own])
        plane = _through(back, _with_noise(residuals.covariance[own], residuals.noise[own]))
        evidence = self.evidence(residuals.log_ratio(plane))
        evidence[own] = 0
        best = [int(np.argmax(evidence.sum(1)))]
        return _Planes(planes.normal[best], planes.offset[best], planes.across[best])

    def evidence(self, log_ratio: FloatArray) -> FloatArray:
        """(P, N) logarithms: the object on the plane or elsewhere, over surely elsewhere."""
        return np.logaddexp(np.log(self.chance) + log_ratio, np.log1p(-self.chance))

    def stand(self, log_ratio: FloatArray) -> FloatArray:
        """(P, N) probabilities that the objects stand on the plane."""
        return np.exp(np.log(self.chance) + log_ratio - self.evidence(log_ratio))

    def _nearest_sides(self, down: FloatArray) -> FloatArray:
        """(P, N, 3) for directions (P, N, 3). Faster than `settled`, and coarse where an object can roll."""
        best = (self._sides @ down[..., None])[..., 0].argmax(-1)
        return self._sides[np.arange(len(self._sides)), best]

    def settled(self, down: FloatArray) -> FloatArray:
        """(P, N, 3) for directions (P, N, 3)."""
        return settled(down, self._corners)

    def against(self, planes: _Planes, sides: Callable[[FloatArray], FloatArray]) -> _Residuals:
        """sides: those on which the objects lie, for the directions (P, N, 3) to the planes."""
        normal, across = planes.normal[:, None], planes.across[:, None]
        down = -(np.swapaxes(self._rotation, -1, -2) @ normal[..., None])[..., 0]
        side = sides(down)
        flat = (side * down).sum(-1) > math.cos(LARGEST_TILT)
        side = np.where(flat[..., None], side, down)
        up = -(self._rotation @ side[..., None])[..., 0]
        value, of_pose = np.empty((*flat.shape, 3)), np.zeros((*flat.shape, 3, 6))
        value[..., 0] = (normal * self._centre).sum(-1) - planes.offset[:, None] - height_above(side, self._corners)
        value[..., 1:] = (across @ (up - normal)[..., None])[..., 0]
        of_pose[..., 0, :3] = normal
        of_pose[..., 0, 3:] = np.cross(self._arm, normal)
        of_pose[..., 1:, 3:] = np.cross(up[..., None, :], across)
        of_plane = np.zeros((*flat.shape, 3, 3))
        of_plane[..., 0, :2] = (across @ self._centre[..., None])[..., 0]
        of_plane[..., range(3), (2, 0, 1)] = -1
        noise = np.where(flat[..., None], np.square([HEIGHT, TILT, TILT]), [HEIGHT**2, NOTHING, NOTHING])
        return _Residuals(value, of_pose, of_plane, _through(of_pose, self.covariance), noise, flat)


#: Inverse covariances (3, 3) of a plane's motion before objects are seen on it.
KNOWN = np.diag(np.array([KNOWN_TILT, KNOWN_TILT, KNOWN_HEIGHT]) ** -2.0)
UNKNOWN = np.diag(np.array([math.pi, math.pi, PLANES_OFFSET]) ** -2.0)


@dataclass(frozen=True, eq=False)
class _Standing:
    """N objects and one plane under them.

    residuals: at a plane very near to it
    weight: (N, 3, 3) inverse covariances of the residuals, the plane given
    step: (3,) motion from that plane to this one; spread: (3, 3) its covariance
    evidence: logarithm of the odds, this plane against none
    """

    objects: _Objects
    plane: _Planes
    residuals: _Residuals
    weight: FloatArray
    step: FloatArray
    spread: FloatArray
    evidence: float

    def corrections(self) -> tuple[FloatArray, FloatArray]:
        """(N, 6) motions of the poses, and their covariances (N, 6, 6)."""
        of_pose, of_plane = self.residuals.of_pose[0], self.residuals.of_plane[0]
        covariance = self.objects.covariance
        gain = covariance @ np.swapaxes(of_pose, -1, -2) @ self.weight
        motion = -(gain @ (self.residuals.value[0] + of_plane @ self.step)[..., None])[..., 0]
        left = covariance - gain @ of_pose @ covariance
        return motion, left + _through(gain @ of_plane, self.spread)


def _fit(objects: _Objects, start: _Planes, prior: FloatArray) -> _Standing:
    """The plane near `start`. prior: (3, 3) inverse covariance of its motion from there."""
    planes, spread = start, np.zeros((1, 3, 3))
    for _ in range(ROUNDS):
        residuals = objects.against(planes, objects.settled)
        stand = objects.stand(residuals.log_ratio(spread)).clip(1e-6)
        weight = np.linalg.inv(_with_noise(residuals.covariance, residuals.noise / stand[..., None]))
        back = np.swapaxes(residuals.of_plane, -1, -2) @ weight
        spread = np.linalg.inv((back @ residuals.of_plane).sum(1) + prior)
        slope = (back @ residuals.value[..., None])[..., 0].sum(1) + planes.since(start) @ prior
        step = -(spread @ slope[..., None])[..., 0]
        planes = planes.moved(step)
    # The integral over all planes, by Laplace's method.
    likely = objects.evidence(residuals.log_ratio(np.zeros((1, 3, 3)))).sum()
    volume = 1.5 * math.log(2 * math.pi) + 0.5 * np.linalg.slogdet(spread)[1][0]
    evidence = likely + volume - math.log(2 * math.pi * PLANES_OFFSET)
    return _Standing(objects, planes, residuals, weight[0], step[0], spread[0], float(evidence))


def _through(slopes: FloatArray, covariance: FloatArray) -> FloatArray:
    """(..., A, A) covariances of what depends by `slopes` (..., A, B) on something of covariance (..., B, B)."""
    return np.asarray(slopes @ covariance @ np.swapaxes(slopes, -1, -2))


def _with_noise(covariance: FloatArray, noise: FloatArray) -> FloatArray:
    """(..., 3, 3) covariances, with variances (..., 3) added."""
    total = covariance.copy()
    total[..., range(3), range(3)] += noise
    return total
