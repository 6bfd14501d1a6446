"""What the depth sensor is wrong by is mostly the same for all objects in a frame, so they find it out together.

One object cannot tell a sensor that measures too far from an image that puts the object too near. Several can: the
distance of each comes from its own part of the image, and these err independently. What the other objects say of the
sensor takes the place of the prior, which knew nothing of it. Each pose takes it in by a Kalman update.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pose_regressor.estimation.boxes import distinct, image_box
from pose_regressor.estimation.least_squares import stepped
from pose_regressor.types import Camera, FloatArray, PoseEstimate

#: Standard deviation of what all depths in a crop are wrong by: metres, and as a share of the distance. The share is
#: the same in the whole frame.
BIAS_SIGMA, BIAS_SHARE = 0.001, 0.003
#: Only poses that are right with at least this probability tell others of the sensor.
TELLS = 0.5
#: What an object adds is at least this share of what the prior knows: keeps divisions finite.
LEAST_ADDED = 1e-6


@dataclass(frozen=True, eq=False)
class BiasBelief:
    """What an object's image and depth together say of the sensor's error around it.

    mean, variance: of the error, metres and m²
    prior: its variance before the object was seen, m²; the mean was 0
    with_pose: (6,) covariance of the error with the pose as `least_squares.stepped` moves it
    distance: of the object along z, metres
    """

    mean: float
    variance: float
    prior: float
    with_pose: FloatArray
    distance: float

    @property
    def added(self) -> tuple[float, float]:
        """What the object by itself says, without the prior: its information (1/m²), and that times its error (1/m)."""
        return max(1 / self.variance - 1 / self.prior, LEAST_ADDED / self.prior), self.mean / self.variance


def told_by_others(
    estimates: Sequence[PoseEstimate],
    beliefs: Sequence[BiasBelief | None],
    scales: Sequence[float],
    camera: Camera,
) -> list[PoseEstimate]:
    """The estimates of one frame, each improved by what the other objects say of the sensor.

    beliefs: of each estimate; None: no depth moved its pose, which stays as it is
    scales: what the covariance of each estimate was multiplied with
    camera: of the frame
    """
    if sum(belief is not None for belief in beliefs) < 2:
        return list(estimates)
    # A wrong pose must not tell, and a second answer for the same object knows nothing new.
    telling = distinct([e for e, belief in zip(estimates, beliefs, strict=True) if belief and e.score >= TELLS])
    tells = [any(e is one for one in telling) for e in estimates]
    told = []
    for estimate, own, scale in zip(estimates, beliefs, scales, strict=True):
        others = [b for e, b, s in zip(estimates, beliefs, tells, strict=True) if b and s and not _same(e, estimate)]
        if own is None or not others:
            told.append(estimate)
            continue
        step, narrower = _told(own, others)
        pose = stepped(estimate.cam_from_obj, step)
        covariance = estimate.covariance - scale * narrower
        box = image_box(estimate.model, pose, camera)
        told.append(replace(estimate, cam_from_obj=pose, covariance=covariance, box=box))
    return told


def _same(one: PoseEstimate, other: PoseEstimate) -> bool:
    """Whether both are answers for the same object."""
    return one is other or (one.model is other.model and len(distinct([one, other])) == 1)


def _told(own: BiasBelief, others: Sequence[BiasBelief]) -> tuple[FloatArray, FloatArray]:
    """The step (6,) of a pose after it was told by others, and what (6, 6) its covariance loses."""
    # All depths of a frame are wrong by one share of the distance. Around each object there is an error of its own.
    information, pull = 1 / BIAS_SHARE**2, 0.0
    for other in others:
        added, product = other.added
        variance = 1 / added + BIAS_SIGMA**2
        information += other.distance**2 / variance
        pull += other.distance * product / (added * variance)
    expected = own.distance * pull / information
    prior = own.distance**2 / information + BIAS_SIGMA**2
    added, product = own.added
    variance = 1 / (added + 1 / prior)
    mean = variance * (product + expected / prior)
    gain = own.with_pose / own.variance
    return (mean - own.mean) * gain, (own.variance - variance) * np.outer(gain, gain)
