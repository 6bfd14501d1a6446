"""All followed objects: which pose belongs to which, which are new, which are gone."""

from __future__ import annotations

import math
from collections.abc import Container, Sequence
from itertools import count

import numpy as np

from pose_regressor.tracking.association import assign
from pose_regressor.tracking.track import Track, TrackingParameters
from pose_regressor.types import FloatArray, PoseEstimate

#: Seconds between two frames without time stamps.
NOMINAL_STEP = 1 / 30
#: Most metres per second that an object moves while it is unseen.
REACH = 2.0
NANOSECONDS = 1_000_000_000


class Tracks:
    """For each frame, give its stamp to `advance`, then its poses to `take`."""

    def __init__(self, parameters: TrackingParameters) -> None:
        self._parameters = parameters
        self._tracks: list[Track] = []
        self._stamp: int | None = None

    def reset(self) -> None:
        self._tracks.clear()
        self._stamp = None

    def keep(self, names: Container[str]) -> None:
        """Forget objects of other names."""
        self._tracks = [track for track in self._tracks if track.model.name in names]

    def advance(self, stamp: int) -> None:
        """Go on to the time of a frame, nanoseconds; 0: unknown."""
        before, self._stamp = self._stamp, stamp
        if before is None:
            return
        seconds = (stamp - before) / NANOSECONDS if stamp != before or stamp else NOMINAL_STEP
        for track in self._tracks:
            if 0 <= seconds <= self._parameters.coast:
                track.advance(seconds)
            else:  # the clock was set, a bag started over, or the motion was seen too long ago
                track.lose_time()

    def expected(self) -> list[PoseEstimate]:
        """The expected poses of the objects that need no search of the whole image."""
        return [track.expected() for track in self._tracks if track.in_sight]

    def number_of(self, name: str) -> int:
        """How many objects of this name are followed."""
        return sum(track.model.name == name for track in self._tracks)

    def take(self, found: Sequence[PoseEstimate], threshold: float, smooth: bool) -> list[PoseEstimate]:
        """The poses to report for a frame, with the numbers of their objects, best score first.

        Left out are objects that are followed but not seen, and poses that are not believed yet. If such a pose puts
        the object at its expected place, the expected pose is reported instead (only with smooth).

        found: the estimator's poses
        threshold: least score of a pose that counts
        smooth: True: poses come from the tracks' filters; False: as they were measured
        """
        seen: list[Track] = []
        doubted: list[Track] = []
        for name in {estimate.model.name for estimate in found}:
            matched, left = self._take_alike(name, [e for e in found if e.model.name == name], (1 + threshold) / 2)
            seen += matched
            doubted += left
        for track in self._tracks:
            if track not in seen:
                track.miss()
        self._tracks = [track for track in self._tracks if not track.ended]
        self._number()
        reports = [track.report(smooth) for track in seen if track.confirmed]
        if smooth:
            reports += [track.report(smooth) for track in doubted]
        return sorted(reports, key=lambda estimate: -estimate.score)

    def _take_alike(self, name: str, found: list[PoseEstimate], sure: float) -> tuple[list[Track], list[Track]]:
        """Match the poses of one kind of object, which all look the same, to tracks; begin tracks for the rest.

        Returns the tracks that were seen, and those whose object was seen in a pose that is not believed. sure: least
        score at which one pose confirms a track.
        """
        tracks = [track for track in self._tracks if track.model.name == name]
        pairs = assign(_table([[track.cost(e) for e in found] for track in tracks], len(found)))
        for i, j in pairs:
            tracks[i].match(found[j])
        seen = [tracks[i] for i, _ in pairs]
        left = [e for j, e in enumerate(found) if j not in {j for _, j in pairs}]
        # A pose that fits no prediction may be an object that was expected elsewhere.
        waiting = [track for track in tracks if track.confirmed and track not in seen]
        pairs = assign(_table([[_reach(track, e) for e in left] for track in waiting], len(left)))
        doubted = []
        for i, j in pairs:
            if waiting[i].contradict(left[j]):
                seen.append(waiting[i])
            elif waiting[i].in_place(left[j]):
                doubted.append(waiting[i])
        new = [e for j, e in enumerate(left) if j not in {j for _, j in pairs}]
        self._tracks += (born := [Track(e, e.score >= sure, self._parameters) for e in new])
        return seen + born, doubted

    def _number(self) -> None:
        """Give each confirmed track without a number the lowest one that no other track of its kind has."""
        for track in self._tracks:
            if track.confirmed and track.instance is None:
                taken = {other.instance for other in self._tracks if other.model.name == track.model.name}
                track.instance = next(number for number in count() if number not in taken)


def _table(rows: list[list[float]], columns: int) -> FloatArray:
    return np.array(rows, dtype=np.float64).reshape(len(rows), columns)


def _reach(track: Track, seen: PoseEstimate) -> float:
    """Metres between the pose and the expected one; infinite if the object cannot have come so far."""
    distance = track.distance(seen)
    return distance if distance <= track.model.diameter + REACH * track.unseen else math.inf
