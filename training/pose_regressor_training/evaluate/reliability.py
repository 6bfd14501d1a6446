"""Reliability of scores: the share of right poses among those with one score, and how far scores differ from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pose_regressor.types import FloatArray

BINS = 10


@dataclass(frozen=True, eq=False)
class Reliability:
    """Bins of scores; empty ones are left out.

    count: (B,) number of poses
    score: (B,) mean score
    right: (B,) share of right poses
    """

    count: FloatArray
    score: FloatArray
    right: FloatArray

    @property
    def ece(self) -> float:
        """Expected calibration error: the mean of |score - right|, weighted by count (Guo et al., ICML 2017). NaN
        without poses.
        """
        return float(np.average(np.abs(self.score - self.right), weights=self.count)) if len(self.count) else np.nan


def are_probabilities(scored: FloatArray) -> bool:
    """Whether scores, (N, 2) as for `reliability`, lie in [0, 1]; BOP does not ask for it."""
    return bool(len(scored) and ((scored[:, 0] >= 0) & (scored[:, 0] <= 1)).all())


def reliability(scored: FloatArray, bins: int = BINS) -> Reliability:
    """scored: (N, 2) scores in [0, 1] and 1 or 0 for a right or wrong pose; bins: number of bins of equal width."""
    place = np.minimum((scored[:, 0] * bins).astype(int), bins - 1)
    count = np.bincount(place, minlength=bins).astype(np.float64)
    full = count > 0
    sums = (np.bincount(place, weights=column, minlength=bins)[full] for column in scored.T)
    score, right = (total / count[full] for total in sums)
    return Reliability(count[full], score, right)
