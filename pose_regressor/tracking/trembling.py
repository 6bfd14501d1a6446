"""How much the poses of one object tremble from frame to frame, which the network's own covariance does not tell."""

from __future__ import annotations

import itertools
from collections import deque

import numpy as np

from pose_regressor.geometry.rigid import difference
from pose_regressor.types import FloatArray

#: Seconds over which it is averaged.
MEMORY = 0.7
#: Most seconds between two frames: over longer steps, motion is not even.
LONGEST = 0.1
#: Steps count as equally long if their times differ by at most this share.
EVEN = 0.3
#: Most that a single step counts, so that one wrong pose does not show for a second.
MOST = 3.0


class Trembling:
    """Measures how much of each pose's error is new, that is, independent of the frame before.

    Third differences of poses show it, and hardly any motion: in a tenth of a second no acceleration changes much.
    Third differences of independent errors have twenty times the variance of one error (1 + 9 + 9 + 1).

    expected: the usual share of a pose's variance that is new
    """

    def __init__(self, expected: float) -> None:
        self._expected = self._share = expected
        self._seen: deque[tuple[FloatArray, float]] = deque(maxlen=4)

    @property
    def excess(self) -> float:
        """The variance of what is new over the expected one, at least 1."""
        return max(1.0, self._share / self._expected)

    def see(self, pose: FloatArray, covariance: FloatArray, seconds: float) -> None:
        """Take in a pose (4, 4) with its covariance (6, 6), `seconds` after the one before."""
        self._seen.append((pose, seconds))
        times = [seconds for _, seconds in self._seen][1:]
        if len(times) < 3 or max(times) > LONGEST or max(times) - min(times) > EVEN * max(times):
            return
        poses = [pose for pose, _ in self._seen]
        steps = [difference(after, before) for before, after in itertools.pairwise(poses)]
        third = steps[2] - 2 * steps[1] + steps[0]
        share = float(third @ np.linalg.solve(20 * covariance, third)) / len(third)
        self._share += (min(share, MOST) - self._share) * min(1.0, seconds / MEMORY)
