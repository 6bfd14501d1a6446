"""Which estimate is meant for which object, and BOP's recalls."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: BOP's thresholds of correctness. SHARES: of VSD, and of MSSD in diameters. PIXELS: of MSPD, in an image of WIDTH
#: columns.
SHARES = np.arange(0.05, 0.51, 0.05)
PIXELS = np.arange(5.0, 51.0, 5.0)
WIDTH = 640
#: VSD's tolerances of misalignment, as shares of the diameter.
TAUS = np.arange(0.05, 0.51, 0.05)


def match(errors: NDArray, threshold: float) -> NDArray[np.int64]:
    """(E,) the true object that each estimate is taken for; -1 for none.

    errors: (E, G) of every estimate, best score first, against every true object

    Greedy, as in BOP: each estimate in turn takes, of the objects not yet taken, the one with the lowest error, if that
        is below the threshold.
    """
    matched = np.full(len(errors), -1)
    left = errors.copy()
    for estimate in range(len(errors)):
        row = left[estimate]
        best = int(row.argmin()) if row.size else -1
        if best >= 0 and row[best] < threshold:
            matched[estimate] = best
            left[:, best] = np.inf
    return matched


def hits(errors: NDArray, thresholds: NDArray) -> NDArray[np.int64]:
    """(T,) how many true objects are found at each of T thresholds. errors: (E, G) as in `match`."""
    return np.array([(match(errors, float(threshold)) >= 0).sum() for threshold in thresholds], np.int64)
