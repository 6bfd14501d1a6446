"""What scores are worth: the share of right poses among those of one score, and how far off the scores are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pose_regressor.types import FloatArray

BINS = 10


@dataclass(frozen=True, eq=False)
class Reliability:
    """Of the bins of scores that hold any: count (B,), mean score (B,) and share of right poses (B,).

    ece: expected calibration error, the mean of their difference, weighted by count (Guo et al., ICML 2017); NaN if
    there is nothing.
    """

    count: FloatArray
    score: FloatArray
    right: FloatArray

    @property
    def ece(self) -> float:
        return float(np.average(np.abs(self.score - self.right), weights=self.count)) if len(self.count) else np.nan


def are_probabilities(scored: FloatArray) -> bool:
    """Whether scores, (N, 2) as for `reliability`, can be judged so: BOP does not ask for it."""
    return bool(len(scored) and ((scored[:, 0] >= 0) & (scored[:, 0] <= 1)).all())


def reliability(scored: FloatArray, bins: int = BINS) -> Reliability:
    """scored: (N, 2) scores in [0, 1] and rightness, 0 or 1; bins: of equal width."""
    place = np.minimum((scored[:, 0] * bins).astype(int), bins - 1)
    count = np.bincount(place, minlength=bins).astype(np.float64)
    full = count > 0
    sums = (np.bincount(place, weights=column, minlength=bins)[full] for column in scored.T)
    score, right = (total / count[full] for total in sums)
    return Reliability(count[full], score, right)
