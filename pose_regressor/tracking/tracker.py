"""Follows objects from frame to frame: where to look, which object is which, how each moves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pose_regressor.estimation.boxes import distinct
from pose_regressor.estimation.estimates import Estimates
from pose_regressor.tracking.track import TrackingParameters
from pose_regressor.tracking.tracks import Tracks
from pose_regressor.types import Frame, InputError, PoseEstimate

if TYPE_CHECKING:  # it loads OpenCV
    from pose_regressor.estimation.estimator import PoseEstimator

#: Frames after which the whole image is searched again, for more objects of the kinds that are followed.
SEARCH_EVERY = 15


class Tracker:
    """Follows objects through a sequence of frames.

    A followed object is looked for only around its expected place. The whole frame is searched for objects that are not
    followed or were not seen, and every SEARCH_EVERY frames, thoroughly, for more objects of the same kinds.

    estimator: finds poses in a frame
    follow: False: search every frame as a whole; objects still keep their numbers
    objects: names to look for; none: all
    smooth: True: poses come from a filter of each object's motion; False: as they were measured
    parameters: of tracks and their motion; None: the defaults
    """

    def __init__(
        self,
        estimator: PoseEstimator,
        follow: bool = True,
        objects: Sequence[str] = (),
        smooth: bool = True,
        parameters: TrackingParameters | None = None,
    ) -> None:
        self.estimator = estimator
        self.follow, self.smooth = follow, smooth
        self.objects = self.wanted(objects)
        self._tracks = Tracks(parameters or TrackingParameters())
        self._since_search = 0

    @property
    def device(self) -> str:
        """Where the networks run: cpu, cuda or cuda:N."""
        return self.estimator.device

    @property
    def execution(self) -> str:
        """What runs the networks, in words."""
        return self.estimator.execution

    def wanted(self, objects: Sequence[str]) -> tuple[str, ...]:
        """`objects`, or all that the bundles know if it is empty. InputError: one that no bundle knows."""
        known = tuple(model.name for model in self.estimator.objects)
        if unknown := [name for name in objects if name not in known]:
            raise InputError(f"objects: {unknown[0]!r} is in none of the bundles, expected one of {', '.join(known)}")
        return tuple(objects) or known

    def tune(self, follow: bool, objects: Sequence[str], score_threshold: float, smooth: bool = True) -> None:
        """Change settings from the next frame on; objects that are no longer wanted are forgotten.

        InputError, and nothing changes: an object that no bundle knows, a threshold outside [0, 1].
        """
        wanted = self.wanted(objects)
        self.estimator.score_threshold = score_threshold
        self.objects, self.follow, self.smooth = wanted, follow, smooth
        self._tracks.keep(wanted)

    def reset(self) -> None:
        """Forget every object."""
        self._tracks.reset()

    def update(self, frame: Frame) -> list[PoseEstimate]:
        """The poses in this frame, best score first, each with its instance number."""
        return list(self.track(frame).poses)

    def track(self, frame: Frame) -> Estimates:
        """The same as `update`, with the seconds that the estimator spent."""
        self._tracks.advance(frame.stamp)
        expected = self._tracks.expected() if self.follow else []
        found = self.estimator.follow(frame, expected) if expected else Estimates()
        poses, seconds, support = list(found.poses), found.seconds, None
        thorough = self._search_is_due(poses)
        if missing := self.objects if thorough else self._missing(poses):
            more = self.estimator.search(frame, missing, known=poses, thorough=thorough)
            poses, seconds, support = distinct([*poses, *more.poses]), seconds + more.seconds, more.support
        found = self.estimator.settle(frame, Estimates(tuple(poses), seconds, support))
        return Estimates(
            tuple(self._tracks.take(found.poses, self.estimator.score_threshold, self.smooth)), found.seconds
        )

    def _search_is_due(self, found: list[PoseEstimate]) -> bool:
        """Whether to search the whole frame thoroughly, for all objects."""
        self._since_search = 0 if not found or self._since_search >= SEARCH_EVERY - 1 else self._since_search + 1
        return self._since_search == 0

    def _missing(self, found: list[PoseEstimate]) -> tuple[str, ...]:
        """Names of the objects to search the whole frame for: not followed yet, or not seen this time."""
        seen = [estimate.model.name for estimate in found]
        return tuple(name for name in self.objects if seen.count(name) < max(1, self._tracks.number_of(name)))
