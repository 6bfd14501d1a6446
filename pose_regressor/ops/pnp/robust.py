"""Robust losses: points with large errors count less than their squares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from pose_regressor.types import InputError


@dataclass(frozen=True)
class RobustLoss:
    """rho(s) of a point's squared reprojection error s = |r|², in px², with rho(s) = s for small s.

    All are in Barron, A General and Adaptive Robust Loss Function, CVPR 2019.

    kind: huber: s up to c², then 2 c sqrt(s) - c²; cauchy: c² log(1 + s / c²); geman_mcclure: s / (1 + s / c²), at
        most c²
    scale: c, the error in pixels from which on a point counts less
    """

    kind: Literal["huber", "cauchy", "geman_mcclure"]
    scale: float

    def __post_init__(self) -> None:
        if self.kind not in ("huber", "cauchy", "geman_mcclure"):
            raise InputError(f"robust loss: expected huber, cauchy or geman_mcclure, got {self.kind!r}")
        if not self.scale > 0:
            raise InputError(f"robust loss: expected a scale above 0 pixels, got {self.scale}")

    def derivatives(self, squared: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """rho, rho' and rho'' at s."""
        limit = self.scale**2
        if self.kind == "huber":
            outside = squared > limit
            slope = torch.where(outside, self.scale / squared.clamp(min=limit).sqrt(), 1.0)
            value = torch.where(outside, 2 * squared * slope - limit, squared)
            return value, slope, torch.where(outside, -0.5 * slope / squared.clamp(min=limit), 0.0)
        ratio = 1 + squared / limit
        if self.kind == "cauchy":
            return limit * ratio.log(), 1 / ratio, -1 / (limit * ratio.square())
        return squared / ratio, ratio.square().reciprocal(), -2 / (limit * ratio**3)
