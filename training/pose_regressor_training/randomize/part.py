"""Base of the parts of the randomization."""

from __future__ import annotations

from dataclasses import dataclass

from pose_regressor.settings import Config, switch

#: A drawn value lies between these two, uniformly or, where the field says so, uniformly in the logarithm.
Span = tuple[float, float]


@dataclass(frozen=True)
class Part(Config):
    """One part of the randomization: the ranges and chances that its values are drawn from.

    random: draw at random; False: all values of this part are fixed
    """

    random: bool = switch(True, "draw at random; false: everything of this part is fixed")
