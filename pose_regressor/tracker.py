"""Which object is which from frame to frame, and where to look next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pose_regressor.estimator import PoseEstimator
from pose_regressor.types import Frame, InputError, PoseEstimate


class Tracker:
    """Follows objects through a sequence of frames.

    A followed object is looked for around its last place alone; the whole frame is searched only for objects that
    are not being followed. With ``follow=False`` every frame is searched anew, and instances still keep their numbers.
    objects: names to look for (all, if none are given).
    """

    def __init__(self, estimator: PoseEstimator, follow: bool = True, objects: Sequence[str] = ()) -> None:
        self.estimator = estimator
        self.follow = follow
        self.objects = self.wanted(objects)
        self.stages = dict.fromkeys(estimator.stages, 0.0)
        self._last: list[PoseEstimate] = []

    @property
    def device(self) -> str:
        return str(self.estimator.device)

    def wanted(self, objects: Sequence[str]) -> tuple[str, ...]:
        """`objects`, or all that are known if none are given. InputError: one that no bundle knows."""
        known = tuple(model.name for model in self.estimator.objects)
        if unknown := [name for name in objects if name not in known]:
            raise InputError(f"objects: {unknown[0]!r} is in none of the bundles, expected one of {', '.join(known)}")
        return tuple(objects) or known

    def tune(self, follow: bool, objects: Sequence[str], score_threshold: float) -> None:
        """From the next update on; objects that are no longer wanted are forgotten."""
        self.objects = self.wanted(objects)
        self.follow = follow
        self.estimator.score_threshold = score_threshold
        self._last = [estimate for estimate in self._last if estimate.model.name in self.objects]

    def reset(self) -> None:
        """Forget every object."""
        self._last = []

    def update(self, frame: Frame) -> list[PoseEstimate]:
        """The poses in this frame, best score first, each with its instance number."""
        self.stages = dict.fromkeys(self.stages, 0.0)
        followed = self._estimate(frame, follow=self._last) if self.follow and self._last else []
        known = {estimate.model.name for estimate in followed}
        missing = [name for name in self.objects if name not in known]
        found = self._estimate(frame, objects=missing) if missing else []
        self._last = followed + self._number(found)
        return sorted(self._last, key=lambda estimate: -estimate.score)

    def _estimate(self, frame: Frame, **options: object) -> list[PoseEstimate]:
        estimates = self.estimator.estimate(frame, **options)  # type: ignore[arg-type]
        for name, seconds in self.estimator.stages.items():
            self.stages[name] += seconds
        return estimates

    def _number(self, found: list[PoseEstimate]) -> list[PoseEstimate]:
        """An instance keeps the number of the nearest one of the last frame; others get the lowest that is free."""
        numbered: list[PoseEstimate] = []
        for estimate in found:
            taken = {e.instance for e in numbered if e.model is estimate.model}
            before = [e for e in self._last if e.model is estimate.model and e.instance not in taken]
            if before:
                nearest = min(before, key=lambda e: float(np.linalg.norm(e.translation - estimate.translation)))
                number = nearest.instance
            else:
                number = next(i for i in range(len(found)) if i not in taken)
            numbered.append(replace(estimate, instance=number))
        return numbered
