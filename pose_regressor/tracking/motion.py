"""How one object moves, from its measured poses: a filter that knows rest and motion apart.

With one model of motion a filter must choose between trembling at rest and lagging in motion. Two of them, each with
the probability that it holds now, need not: the interacting multiple model algorithm of Blom and Bar-Shalom, IEEE
Transactions on Automatic Control 33(8), 1988.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pose_regressor.tracking.kalman import State, corrected, mixed, moving, still
from pose_regressor.types import FloatArray

#: Neither model is ever ruled out, or it could not come back.
_LEAST_PROBABILITY = 1e-6


@dataclass(frozen=True)
class MotionNoise:
    """How objects move.

    acceleration (m²/s³), angular_acceleration (rad²/s³): power spectral densities of a moving one's acceleration: after
    t seconds it has changed a speed by sqrt(density t), a position by sqrt(density t³ / 3). speed, angular_speed:
    standard deviations for one that was not seen before, m/s and rad/s. creep (m/sqrt(s)), angular_creep: a random walk
    of one at rest. rests, moves: seconds that it does each before it does the other, on average.
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
    """Where an object is and how it moves; from a first measured pose (4, 4) with its covariance (6, 6)."""

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
        """Probability that it is at rest."""
        return float(self._probabilities[0])

    def predict(self, seconds: float) -> None:
        """Go on for so many seconds, none or more."""
        if seconds == 0:
            return
        leave = 1 - np.exp(-seconds / self._durations)
        # [i, j]: it was in i and is in j.
        joint = self._probabilities[:, None] * np.array([[1 - leave[0], leave[0]], [leave[1], 1 - leave[1]]])
        self._probabilities = joint.sum(0)
        at_rest, in_motion = (mixed(self._models, joint[:, j] / self._probabilities[j]) for j in range(2))
        self._models = [
            still(at_rest, seconds, self._creep, self._start),
            moving(in_motion, seconds, self._acceleration),
        ]
        self.state = mixed(self._models, self._probabilities)

    def update(self, pose: FloatArray, covariances: Sequence[FloatArray], shares: Sequence[float] = (1.0,)) -> None:
        """Take in a measured pose (4, 4). What is new in its error has one of these covariances (6, 6), each in such a
        share of cases: a Gaussian mixture (Sorenson and Alspach, Recursive Bayesian estimation using Gaussian sums,
        Automatica 7, 1971), whose outcomes each model mixes into one state again.
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
