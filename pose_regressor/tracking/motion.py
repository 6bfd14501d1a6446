"""How one object moves, from its measured poses: a filter that tells rest from motion.

A filter with one model of motion must choose between trembling at rest and lagging in motion. This one has two models,
each with the probability that it holds now, and so need not choose: the interacting multiple model algorithm (Blom and
Bar-Shalom, IEEE Transactions on Automatic Control 33(8), 1988).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pose_regressor.tracking.kalman import State, corrected, mixed, moving, still
from pose_regressor.types import FloatArray

#: Least probability of a model: one that is ruled out could not come back.
_LEAST_PROBABILITY = 1e-6


@dataclass(frozen=True)
class MotionNoise:
    """How objects move.

    acceleration: power spectral density of a moving object's acceleration, m²/s³: in t seconds it changes the speed by
        sqrt(density t) and the position by sqrt(density t³ / 3), standard deviations
    angular_acceleration: the same of rotations, rad²/s³
    speed: standard deviation of the speed of an object that was not seen before, m/s
    angular_speed: the same of rotations, rad/s
    creep: random walk of an object at rest, m/sqrt(s)
    angular_creep: the same of rotations, rad/sqrt(s)
    start_speed: standard deviation of the speed with which an object begins to move, m/s
    start_angular_speed: the same of rotations, rad/s
    rests: seconds for which an object rests before it moves, on average
    moves: seconds for which it moves before it rests, on average
    """

    acceleration: float = 0.5
    angular_acceleration: float = 20.0
    speed: float = 0.5
    angular_speed: float = 2.0
    creep: float = 1e-3
    angular_creep: float = 0.01
    start_speed: float = 5e-3
    start_angular_speed: float = 0.02
    rests: float = 2.0
    moves: float = 1.0


class MotionFilter:
    """Where an object is and how it moves.

    pose: (4, 4) the first one that was measured
    covariance: (6, 6) of it
    noise: how objects move
    """

    def __init__(self, pose: FloatArray, covariance: FloatArray, noise: MotionNoise) -> None:
        self._acceleration = _axes(noise.acceleration, noise.angular_acceleration)
        self._creep = _axes(noise.creep, noise.angular_creep) ** 2
        self._start = _axes(noise.start_speed, noise.start_angular_speed)
        self._durations = np.array([noise.rests, noise.moves])
        whole = np.zeros((12, 12))
        whole[:6, :6] = covariance
        whole[6:, 6:] = np.diag(_axes(noise.speed, noise.angular_speed) ** 2)
        self.state = State(pose.copy(), np.zeros(6), whole)
        self._models = [self.state, self.state]
        self._probabilities = np.array([0.5, 0.5])

    @property
    def rest(self) -> float:
        """Probability that the object is at rest."""
        return float(self._probabilities[0])

    def predict(self, seconds: float) -> None:
        """Go on by `seconds`, 0 or more."""
        if seconds == 0:
            return
        leave = 1 - np.exp(-seconds / self._durations)
        # joint[i, j]: it was in model i and is now in model j.
        joint = self._probabilities[:, None] * np.array([[1 - leave[0], leave[0]], [leave[1], 1 - leave[1]]])
        self._probabilities = joint.sum(0)
        at_rest, in_motion = (mixed(self._models, joint[:, j] / self._probabilities[j]) for j in range(2))
        self._models = [
            still(at_rest, seconds, self._creep, self._start),
            moving(in_motion, seconds, self._acceleration),
        ]
        self.state = mixed(self._models, self._probabilities)

    def update(self, pose: FloatArray, covariances: Sequence[FloatArray], shares: Sequence[float] = (1.0,)) -> None:
        """Take in a measured pose (4, 4).

        Its new error is a Gaussian mixture (Sorenson and Alspach, Recursive Bayesian estimation using Gaussian sums,
        Automatica 7, 1971). Each model mixes the outcomes into one state again.

        covariances: (6, 6) of each part of the mixture
        shares: how often each part occurs; they sum to one
        """
        outcomes = [[corrected(s, pose, covariance) for covariance in covariances] for s in self._models]
        logs = np.array([[likelihood for _, likelihood in row] for row in outcomes])
        joint = self._probabilities[:, None] * np.asarray(shares) * np.exp(logs - logs.max())
        self._models = [
            mixed([state for state, _ in row], weights / weights.sum())
            for row, weights in zip(outcomes, joint.clip(1e-300), strict=True)
        ]
        weights = (joint.sum(1) / joint.sum()).clip(_LEAST_PROBABILITY)
        self._probabilities = weights / weights.sum()
        self.state = mixed(self._models, self._probabilities)


def _axes(linear: float, angular: float) -> FloatArray:
    return np.repeat([linear, angular], 3)
