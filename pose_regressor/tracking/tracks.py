"""All objects that are followed: whose pose is whose, which are new, which are gone."""

from __future__ import annotations

import math
from collections.abc import Container, Sequence
from itertools import count

import numpy as np

from pose_regressor.tracking.association import assign
from pose_regressor.tracking.track import Track, TrackingParameters
from pose_regressor.types import FloatArray, PoseEstimate

#: Seconds between two frames that carry no time.
NOMINAL_STEP = 1 / 30
#: Metres per second that an object may have moved, unseen, to be taken for the same one.
REACH = 2.0
NANOSECONDS = 1_000_000_000


class Tracks:
    """Give each frame's stamp to `advance`, and then its poses to `take`."""

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
        """To the time of a frame: nanoseconds, 0 if it is not known."""
        before, self._stamp = self._stamp, stamp
        if before is None:
            return
        seconds = (stamp - before) / NANOSECONDS if stamp != before or stamp else NOMINAL_STEP
        for track in self._tracks:
            if 0 <= seconds <= self._parameters.coast:
                track.advance(seconds)
            else:  # the clock was set, a bag starts over, or a motion seen so long ago says nothing of now
                track.lose_time()

    def expected(self) -> list[PoseEstimate]:
        """Where to look for what is followed."""
        return [track.expected() for track in self._tracks if track.in_sight]

    def number_of(self, name: str) -> int:
        """How many objects of this name are followed."""
        return sum(track.model.name == name for track in self._tracks)

    def take(self, found: Sequence[PoseEstimate], threshold: float, smooth: bool) -> list[PoseEstimate]:
        """The poses of a frame, with the numbers of their objects, best score first.

        threshold: least score that a pose can have, which says how sure one is; smooth: poses as their tracks have
        them. Poses that are not believed yet are left out, or replaced by the expected one where the object is seen in
        its place; objects that are followed but not seen are left out.
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
        """Of objects of one kind, which look the same: the tracks that were seen, and those whose object is seen to be
        there, but with a pose that is not believed.
        """
        tracks = [track for track in self._tracks if track.model.name == name]
        pairs = assign(_table([[track.cost(e) for e in found] for track in tracks], len(found)))
        for i, j in pairs:
            tracks[i].match(found[j])
        seen = [tracks[i] for i, _ in pairs]
        left = [e for j, e in enumerate(found) if j not in {j for _, j in pairs}]
        # What is not where anything was expected may be what was expected elsewhere.
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
        """Every confirmed track that has none gets the lowest number that none of its kind has."""
        for track in self._tracks:
            if track.confirmed and track.instance is None:
                taken = {other.instance for other in self._tracks if other.model.name == track.model.name}
                track.instance = next(number for number in count() if number not in taken)


def _table(rows: list[list[float]], columns: int) -> FloatArray:
    return np.array(rows, dtype=np.float64).reshape(len(rows), columns)


def _reach(track: Track, seen: PoseEstimate) -> float:
    """Metres from where the object is expected, infinite if it cannot have come so far."""
    distance = track.distance(seen)
    return distance if distance <= track.model.diameter + REACH * track.unseen else math.inf
