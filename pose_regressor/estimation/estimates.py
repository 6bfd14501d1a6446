"""What an estimator answers: poses, and the seconds that each stage of the work took. Imports no cv2."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field
from typing import TYPE_CHECKING

from pose_regressor.types import InputError, PoseEstimate

if TYPE_CHECKING:
    from pose_regressor.estimation.support_plane import Support


def checked_threshold(value: float) -> float:
    """`value` if it can be a least score, a number from 0 to 1; else InputError."""
    if not 0 <= value <= 1:
        raise InputError(f"score_threshold: expected a number from 0 to 1, got {value}")
    return value


@dataclass(frozen=True)
class Stages:
    """Seconds spent in each stage of the work on one frame.

    preprocess: cutting windows out of the frame
    network: running the networks
    decode: turning their outputs into boxes and poses
    """

    preprocess: float = 0.0
    network: float = 0.0
    decode: float = 0.0

    def __add__(self, other: Stages) -> Stages:
        return Stages(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    @property
    def total(self) -> float:
        return self.preprocess + self.network + self.decode


@dataclass(frozen=True, eq=False)
class Estimates:
    """The answer to one frame.

    poses: best score first
    seconds: what the answer cost
    support: the plane that objects stand on, if a search was told of one or found one
    """

    poses: tuple[PoseEstimate, ...] = ()
    seconds: Stages = field(default_factory=Stages)
    support: Support | None = None


class Stopwatch:
    """Adds up the seconds of one frame's stages."""

    def __init__(self) -> None:
        self._seconds = dict.fromkeys(("preprocess", "network", "decode"), 0.0)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Counts the time inside the block for the stage of this name."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[name] += time.perf_counter() - start

    @property
    def seconds(self) -> Stages:
        return Stages(**self._seconds)
