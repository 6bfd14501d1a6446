"""Base of the parts of the randomization."""

from __future__ import annotations

from dataclasses import dataclass

from pose_regressor.settings import Config, switch

#: A value is chosen between these two, uniformly or, where the field says so, uniformly in the logarithm.
Span = tuple[float, float]


@dataclass(frozen=True)
class Part(Config):
    """One part of the randomization: the ranges and chances that its values are drawn from.

    random: choose at random; False: all values of this part are fixed
    """

    random: bool = switch(True, "choose at random; false: all values of this part are fixed")
