"""How far a network's scores and covariances can be trusted: measured on synthetic images it was not trained on."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pose_regressor.types import InputError

#: Of a bundle that was never calibrated: roughly what others were measured to have. The 0.15 is such a measurement; it
#: need not follow SCORE_THRESHOLD, which has the same value.
SCORE_MAP = ((0.0, 0.0), (0.5, 0.15), (1.0, 1.0))
#: The same for poses that measured depth was compared with. One map serves all bundles: their scores hang on how well
#: the surface agrees, more than on the network. It is measured on path-traced images and on real ones with simulated
#: depth, in which more than half of the objects that were looked for are not there. Maps of single bundles are too
#: sure: in the images of the calibration, little but the object fits the depth.
RGBD_SCORE_MAP = (
    (0.0, 0.0), (0.25, 0.02), (0.32, 0.05), (0.37, 0.15), (0.43, 0.38), (0.48, 0.57), (0.53, 0.72), (0.58, 0.92),
    (0.65, 0.95), (0.75, 0.98), (1.0, 0.995),
)  # fmt: skip


@dataclass(frozen=True)
class Calibration:
    """Measured by `pose-regressor calibrate`.

    score: (raw, share) knots of a map from raw scores to the share of poses that are right (ADD(-S) below 0.1
        diameters); linear between knots, both strictly increasing, from raw 0 to raw 1
    covariance_scale: factor for covariances of poses by PnP, or of poses refined on depth
    at_most: no probability is above that of this calibration; not saved
    """

    score: tuple[tuple[float, float], ...] = SCORE_MAP
    covariance_scale: float = 1.0
    at_most: Calibration | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        try:
            knots = np.array(self.score, np.float64)
        except (TypeError, ValueError, OverflowError):
            knots = np.zeros((0, 2))
        fits = knots.ndim == 2 and knots.shape[1] == 2 and len(knots) >= 2
        fits = fits and (np.diff(knots, axis=0) > 0).all() and (knots >= 0).all() and (knots <= 1).all()
        if not fits or knots[0, 0] != 0 or knots[-1, 0] != 1:
            raise InputError(
                f"calibration: expected increasing pairs of a raw score, from 0 to 1, and a share, got {self.score!r}"
            )
        scale = self.covariance_scale
        if isinstance(scale, bool) or not isinstance(scale, int | float) or not 0 < scale <= sys.float_info.max:
            raise InputError(f"calibration: expected a covariance_scale above 0, got {scale!r}")
        object.__setattr__(self, "score", tuple((float(raw), float(share)) for raw, share in knots))

    def probability(self, raw: float) -> float:
        """The score that is reported for a raw one."""
        raws, shares = zip(*self.score, strict=True)
        own = float(np.interp(raw, raws, shares))
        return min(own, self.at_most.probability(raw)) if self.at_most else own

    def raw(self, probability: float) -> float:
        """The least raw score for which `probability` is reported; 1 if no score reaches it."""
        raws, shares = zip(*self.score, strict=True)
        own = float(np.interp(probability, shares, raws))
        return max(own, self.at_most.raw(probability)) if self.at_most else own

    def to_dict(self) -> dict[str, Any]:
        return {"score": [list(knot) for knot in self.score], "covariance_scale": self.covariance_scale}

    @classmethod
    def from_dict(cls, values: Any) -> Calibration:
        """From plain JSON. InputError: a missing or unknown key, or a value that does not fit."""
        if not isinstance(values, dict) or values.keys() != {"score", "covariance_scale"}:
            raise InputError(f"calibration: expected score and covariance_scale, got {values!r}")
        score = values["score"]
        if not isinstance(score, Sequence) or not all(isinstance(knot, Sequence) and len(knot) == 2 for knot in score):
            raise InputError(f"calibration: expected pairs in score, got {score!r}")
        return cls(tuple((knot[0], knot[1]) for knot in score), values["covariance_scale"])


#: Of bundles that were never calibrated with depth.
RGBD_CALIBRATION = Calibration(RGBD_SCORE_MAP)
