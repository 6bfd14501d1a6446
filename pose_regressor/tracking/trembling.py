"""How much the poses of one object tremble, measured as they come: what a network's own covariance does not know."""

from __future__ import annotations

import itertools
from collections import deque

import numpy as np

from pose_regressor.geometry.rigid import difference
from pose_regressor.types import FloatArray

#: Seconds over which it is averaged, and between frames at most: over longer ones, motion is no longer even.
MEMORY, LONGEST = 0.7, 0.1
#: Steps are of one length if their times differ by no more than this share.
EVEN = 0.3
#: No single step says more than this, so that one wrong pose does not count for a second.
MOST = 3.0


class Trembling:
    """What is new in each pose, as a share of its variance, if it is more than `expected`.

    Third differences see it and hardly any motion: in a tenth of a second no acceleration changes much, and those of
    poses with independent errors have twenty times the variance of one (1 + 9 + 9 + 1).
    """

    def __init__(self, expected: float) -> None:
        self._expected = self._share = expected
        self._seen: deque[tuple[FloatArray, float]] = deque(maxlen=4)

    @property
    def excess(self) -> float:
        """The variance of what is new is so many times the expected one, 1 or more."""
        return max(1.0, self._share / self._expected)

    def see(self, pose: FloatArray, covariance: FloatArray, seconds: float) -> None:
        """A pose (4, 4) with its covariance (6, 6), so long after the one before."""
        self._seen.append((pose, seconds))
        times = [seconds for _, seconds in self._seen][1:]
        if len(times) < 3 or max(times) > LONGEST or max(times) - min(times) > EVEN * max(times):
            return
        poses = [pose for pose, _ in self._seen]
        steps = [difference(after, before) for before, after in itertools.pairwise(poses)]
        third = steps[2] - 2 * steps[1] + steps[0]
        share = float(third @ np.linalg.solve(20 * covariance, third)) / len(third)
        self._share += (min(share, MOST) - self._share) * min(1.0, seconds / MEMORY)
