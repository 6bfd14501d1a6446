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
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pose_regressor.estimation.box_plane import standing_box
from pose_regressor.estimation.resting import Resting
from pose_regressor.estimation.standing import STANDS, Objects, Planes, through
from pose_regressor.geometry.rigid import moved
from pose_regressor.types import Camera, FloatArray, ObjectModel, Plane, PoseEstimate

#: Standard deviations of a plane that is known: of its height at the objects, metres, and of its tilt, radians. They
#: also hold a plane that was found in a search when objects are put on it: those that told of it would move it twice.
KNOWN_HEIGHT, KNOWN_TILT = 0.005, 0.01
#: Probability that a known plane is right, before the objects are asked: TF may be wrong.
KNOWN_RIGHT = 0.98
#: Planes are spread evenly over so many metres.
PLANES_OFFSET = 2.0
#: Rounds of expectation maximisation. Of the planes that it starts from, the one with the most evidence counts.
ROUNDS = 5
#: Logarithm of the odds, a plane against none, at which both are as likely: 20 to 1.
LEAST_EVIDENCE = 3.0
#: A pose stays as it was if the plane would move it by more standard deviations than this: one of the two is wrong.
MOST_MOVED = 5.0
#: Shares of the wrong poses that lie on the plane as right ones do; the others are spread evenly. The second: of poses
#: that were looked for on the plane.
WRONG_STANDS, WRONG_SOUGHT_STANDS = 0.05, 0.5

#: Covariances (3, 3) of a plane's motion before objects are seen on it.
KNOWN: FloatArray = np.diag(np.square([KNOWN_TILT, KNOWN_TILT, KNOWN_HEIGHT]))
UNKNOWN: FloatArray = np.diag(np.square([math.pi, math.pi, PLANES_OFFSET]))


@dataclass(frozen=True, eq=False)
class Support:
    """What is known of the plane before the objects of an image are put on it.

    plane: in the camera's frame
    probability: that objects stand on it
    spread: (3, 3) covariance of its motion
    known: whether it is known from elsewhere, not found
    rest: how an object can lie
    """

    plane: Plane
    probability: float
    spread: FloatArray
    known: bool
    rest: Callable[[ObjectModel], Resting]

    def scored(self, estimates: Sequence[PoseEstimate], sought: Sequence[bool]) -> list[PoseEstimate]:
        """The estimates, in their order, with scores that say what the plane says too.

        A pose that stands on the plane is more likely to be right, another one less. One that surely stands elsewhere
        keeps a tenth of its odds: so many objects do.

        sought: whether each was looked for on the plane, so that wrong ones are near it as well
        """
        places = [place for place, estimate in enumerate(estimates) if _finite([estimate])]
        scored = list(estimates)
        if not places:
            return scored
        own = [estimates[place] for place in places]
        objects = Objects(own, [self.rest(estimate.model) for estimate in own])
        ratio = np.exp(objects.against(objects.shifted(self.plane)).log_ratio(self.spread[None])[0])
        score = np.array([estimate.score for estimate in own])
        right, wrong = score * (STANDS * ratio + 1 - STANDS), WRONG_STANDS * ratio + 1 - WRONG_STANDS
        near = np.maximum(wrong, WRONG_SOUGHT_STANDS * ratio + 1 - WRONG_SOUGHT_STANDS)
        wrong = (1 - score) * np.where([sought[place] for place in places], near, wrong)
        mixed = self.probability * right / (right + wrong) + (1 - self.probability) * score
        for place, estimate, value in zip(places, own, mixed, strict=True):
            scored[place] = replace(estimate, score=float(value))
        return scored

    def box(self, box: FloatArray, model: ObjectModel, camera: Camera) -> FloatArray | None:
        """A box (4,) as large as the object would be there on the plane; None: it cannot be it. See `standing_box`."""
        return standing_box(box, model, self.rest(model).heights, camera, self.plane)


class SupportPlane:
    """Puts objects on the plane that they stand on."""

    def __init__(self) -> None:
        self._resting: dict[str, Resting] = {}

    def settle(self, estimates: Sequence[PoseEstimate], support: Support | None = None) -> list[PoseEstimate]:
        """The estimates, in their order, with poses and covariances corrected by the plane.

        An object that surely stands elsewhere stays where it is. So do all if no plane explains them.

        support: the plane; None: it is found. Two objects are seldom enough
        """
        standing = self._standing(estimates, support)
        if standing is None:
            return list(estimates)
        return [
            _moved(estimate, motion, covariance)
            for estimate, motion, covariance in zip(estimates, standing.motions, standing.covariances, strict=True)
        ]

    def known(self, plane: Plane, estimates: Sequence[PoseEstimate] = ()) -> Support:
        """A plane that is known, such as from TF.

        estimates: if they stand elsewhere, the plane is doubted, the more the surer they are
        """
        probability = 1.0
        if told := [estimate for estimate in estimates if _finite([estimate])]:
            objects = self._objects(told)
            ratio = objects.against(objects.shifted(plane)).log_ratio(KNOWN[None])
            odds = math.log(KNOWN_RIGHT / (1 - KNOWN_RIGHT)) + float(objects.evidence(ratio).sum())
            probability = 1 / (1 + math.exp(min(-odds, 500.0)))
        return Support(plane, probability, KNOWN, True, self._rest)

    def find(self, estimates: Sequence[PoseEstimate]) -> Support | None:
        """The plane that most of the objects stand on. None: no plane explains them."""
        standing = self._standing(estimates, None)
        if standing is None or standing.probability < 0.5:
            return None
        return Support(standing.plane, standing.probability, standing.spread + KNOWN, False, self._rest)

    def _standing(self, estimates: Sequence[PoseEstimate], support: Support | None) -> _Standing | None:
        if len(estimates) < (1 if support else 2) or not _finite(estimates):
            return None
        objects = self._objects(estimates)
        if support:
            return _fit(objects, objects.shifted(support.plane), support)
        starts = objects.likeliest()
        return _fit(objects, starts) if starts else None

    def _objects(self, estimates: Sequence[PoseEstimate]) -> Objects:
        return Objects(estimates, [self._rest(estimate.model) for estimate in estimates])

    def prepare(self, models: Iterable[ObjectModel]) -> None:
        """Finds the sides of these objects before they are seen; it takes up to 0.1 s each."""
        for model in models:
            self._rest(model)

    def _rest(self, model: ObjectModel) -> Resting:
        if model.name not in self._resting:
            self._resting[model.name] = Resting(model)
        return self._resting[model.name]


@dataclass(frozen=True, eq=False)
class _Standing:
    """N objects and the plane under them.

    plane: in the camera's frame
    probability: that objects stand on it
    spread: (3, 3) covariance of its motion, the same in both directions of tilt
    motions: (N, 6) that put the objects on the plane
    covariances: (N, 6, 6) of the poses after that
    """

    plane: Plane
    probability: float
    spread: FloatArray
    motions: FloatArray
    covariances: FloatArray


def _fit(objects: Objects, starts: Planes, support: Support | None = None) -> _Standing:
    """The plane near one of `starts`. support: what is known of it; None: only what the objects say."""
    prior = np.linalg.inv(KNOWN if support else UNKNOWN)
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
    probability = 1 / (1 + math.exp(min(LEAST_EVIDENCE - evidence[best], 500.0)))
    uncertain = spread[best]
    tilt, offset = np.trace(uncertain[:2, :2]) / 2, uncertain[2, 2]
    if support:
        probability = support.probability
        uncertain = uncertain if support.known else support.spread  # the same objects again make it no surer
    on_plane = covariance - gain @ of_pose @ covariance + through(gain @ of_plane, uncertain)
    share = (probability * stand[best])[:, None, None]
    mixed = share * on_plane + (1 - share) * covariance + share * (1 - share) * motions[:, :, None] * motions[:, None]
    plane = objects.in_camera(planes, best)
    return _Standing(plane, probability, np.diag([tilt, tilt, offset]), share[..., 0] * motions, mixed)


def _finite(estimates: Sequence[PoseEstimate]) -> bool:
    return all(np.isfinite(e.covariance).all() and np.isfinite(e.cam_from_obj).all() for e in estimates)


def _moved(estimate: PoseEstimate, motion: FloatArray, covariance: FloatArray) -> PoseEstimate:
    """The estimate after a motion (6,), or as it was if that cannot be."""
    pose = moved(estimate.cam_from_obj, motion)
    far = motion @ np.linalg.pinv(estimate.covariance, hermitian=True) @ motion > MOST_MOVED**2
    if far or pose[2, 3] < estimate.model.diameter / 2:
        return estimate
    return replace(estimate, cam_from_obj=pose, covariance=covariance)
