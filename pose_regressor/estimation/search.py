"""One search of one frame: first at a coarse size of the frame, then finer, for what was not surely found.

At each size, three steps choose what the next one looks at: the box heads' peaks over the whole frame; a glance at each
peak; a look at each place that the glance confirms. A glance needs no PnP, and one of a crop's four quarter turns. With
measured depth, a quick look takes the place of the glance: depth brings it to the right distance.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from pose_regressor.estimation.box_depth import MOST_FITTING, PEAKS, fitting
from pose_regressor.estimation.boxes import (
    FIND_MORE_THRESHOLD,
    FIND_THRESHOLD,
    distinct,
    ideal_box,
    overlap,
    same_place,
)
from pose_regressor.estimation.estimates import Stopwatch
from pose_regressor.estimation.look import Candidate, Look
from pose_regressor.estimation.observer import Glance, Observer, Survey
from pose_regressor.estimation.support_plane import Support
from pose_regressor.types import Camera, FloatArray, Frame, PoseEstimate

#: A glance confirms a place with this share of the presence that a look needs to score enough: its crop is less exact.
CONFIRMED = 0.8
#: Boxes of one object that overlap as much as this show the same.
ALIKE = 0.8
#: With depth, a quick look is worth another from half of the least raw score that counts, or from here on.
AGAIN = 0.25
#: An object that is not found with at least this probability of being right is searched for once more, in an image
#: this many times as fine, where small and half hidden objects show.
SURE, FINER = 0.2, 2
#: The same in frames with depth, of poses that depth was compared with and of others. Most right poses are surer there,
#: and false ones often exceed SURE.
SURE_BY_DEPTH, SURE_BESIDE_DEPTH = 0.85, 0.5
#: The same of scores that count a plane; and with a plane: least presence of a peak, most peaks of each object at each
#: size of the frame, and the share of the least probability that a pose needs before the plane is asked.
SURE_ON_PLANE = 0.85
LEAST_ON_PLANE, MOST_ON_PLANE, WORTH_ON_PLANE = 0.03, 4, 0.2
#: A pose agrees with the box that was looked at if its own overlaps that one as much: two parts of the network must
#: vouch for it, correspondences and regression.
AGREES = 0.5


class Search:
    """A search of one frame. Poses come from `level`, one or two calls, then `poses`.

    frame: without depth if none was measured in it, see `without_empty_depth`
    known: poses that were already found in this frame and need no second look
    least: probability that a pose scores at least, to count
    """

    def __init__(
        self, observer: Observer, frame: Frame, known: Sequence[PoseEstimate], least: float, watch: Stopwatch
    ) -> None:
        self._observer, self._frame, self._watch = observer, frame, watch
        self._known, self._least = known, least
        self._looks: list[Look] = []
        self._looked_at: dict[str, list[FloatArray]] = {}
        self._surveys: list[Survey] = []
        self._refined: list[Look] = []
        self._sought: list[Look] = []
        self._support: Support | None = None

    def level(self, wanted: Collection[str], finer: int = 1) -> None:
        """Search for these objects. finer: factor of the usual size of the frame."""
        frame, observer, watch = self._frame, self._observer, self._watch
        least = FIND_MORE_THRESHOLD if self._known else FIND_THRESHOLD
        surveys = observer.survey(frame, wanted, watch, finer)
        self._surveys += surveys
        with watch.stage("decode"):
            candidates = self._unknown(self._peaks(surveys, wanted, least))
        if frame.depth is None:
            self._look(self._chosen(observer.glance(frame, candidates, watch)))
        else:
            self._look_with_depth(candidates)

    def stand_on(self, support: Support) -> None:
        """From now on, scores count whether poses stand on this plane. For frames without depth."""
        self._support = support

    def places_on_plane(self, wanted: Collection[str], support: Support) -> None:
        """Search for these objects once more, where they are as large as they would be on the plane.

        A pose that stands there needs less of a score. So weaker peaks are worth a look. The second look, at the place
        of the first one's pose, is the exact one.
        """
        frame, observer, watch = self._frame, self._observer, self._watch
        candidates: list[Candidate] = []
        with watch.stage("decode"):
            for survey in self._surveys:
                peaks = self._unknown(observer.peaks(survey, frame, wanted, LEAST_ON_PLANE, PEAKS))
                boxes = [support.box(peak.box, peak.model, frame.camera) for peak in peaks]
                fit = [replace(peak, box=box) for peak, box in zip(peaks, boxes, strict=True) if box is not None]
                for model in dict.fromkeys(candidate.model for candidate in fit):
                    candidates += [candidate for candidate in fit if candidate.model is model][:MOST_ON_PLANE]
        first = self._unrefined(self._chosen(observer.glance(frame, candidates, watch)))
        self._sought = self._unrefined([self._moved(look) for look in first])

    def _peaks(self, surveys: Sequence[Survey], wanted: Collection[str], least: float) -> list[Candidate]:
        """Where to look: peaks of the box heads; with depth, those that are as large as the object is there."""
        frame, depth = self._frame, self._frame.depth
        if depth is None:
            return [c for survey in surveys for c in self._observer.peaks(survey, frame, wanted, least)]
        candidates = []
        for survey in surveys:
            peaks = self._observer.peaks(survey, frame, wanted, least, PEAKS)
            for model in dict.fromkeys(peak.model for peak in peaks):
                own = [peak for peak in peaks if peak.model is model]
                boxes = fitting([peak.box for peak in own], model, frame.camera, depth)[:MOST_FITTING]
                candidates += [replace(own[0], box=box) for box in boxes]
        return candidates

    def _unknown(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Those that show no object whose pose is known."""
        camera = self._frame.camera
        return [c for c in candidates if not any(_shows(pose, c, camera) for pose in self._known)]

    def _look(self, candidates: Sequence[Candidate]) -> None:
        """Look at places, and keep the poses that agree with them."""
        looks = self._unrefined(candidates)
        self._looks += [look for look in looks if self._agrees(look)]
        # A glance at a coarse box may see the object elsewhere than the look that follows, which is more exact.
        moved = [self._moved(look) for look in looks if not self._agrees(look)]
        self._looks += [look for look in self._unrefined(self._undiscovered(moved)) if self._agrees(look)]

    def _unrefined(self, candidates: Sequence[Candidate]) -> list[Look]:
        """Looks that may score enough. Outline and colours change no score, so they come last: see `poses`."""
        return self._observer.look(self._frame, candidates, self._watch, refined=False, least=self._worth)

    @property
    def _worth(self) -> float:
        """Probability that a pose must reach before the plane is asked, to be worth the time."""
        return self._least if self._support is None else WORTH_ON_PLANE * self._least

    def _look_with_depth(self, candidates: Sequence[Candidate]) -> None:
        """A quick look at boxes of the coarse frame, then one at the places where it saw the objects."""
        observer, watch = self._observer, self._watch
        again = [
            self._moved(first)
            for first in observer.look(self._frame, candidates, watch, most_turns=1, refined=False)
            if first.score >= min(AGAIN, observer.calibration(first).raw(self._least) / 2)
        ]
        self._looks += observer.look(self._frame, again, watch)

    def _undiscovered(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Those at which no pose of the same object that counts was found yet."""
        estimates = self._estimates(self._looks)
        found = [self._moved(look) for look, e in zip(self._looks, estimates, strict=True) if e.score >= self._least]
        return [
            candidate
            for candidate in candidates
            if not any(f.model is candidate.model and same_place(f.box, candidate.box) for f in found)
        ]

    def _moved(self, look: Look) -> Candidate:
        """To look at the place of the look's own pose."""
        model = look.candidate.model
        return replace(look.candidate, box=ideal_box(model, look.cam_from_obj, self._frame.camera))

    def _agrees(self, look: Look) -> bool:
        """Whether the pose is where the look was directed to, and as large."""
        return overlap(look.candidate.box, self._moved(look).box) >= AGREES

    def _chosen(self, glances: Sequence[Glance]) -> list[Candidate]:
        """What is worth a look: confirmed places that were not looked at yet."""
        chosen = []
        for glance in sorted(glances, key=lambda glance: -glance.presence):
            candidate = glance.candidate
            needed = self._observer.least_presence(candidate, self._worth)
            before = self._looked_at.setdefault(candidate.model.name, [])
            if glance.presence >= CONFIRMED * needed and not any(overlap(candidate.box, b) > ALIKE for b in before):
                before.append(candidate.box)
                chosen.append(candidate)
        return chosen

    def surely_found(self) -> set[str]:
        """Names of the objects that were found with so high a score that no further search is needed."""
        sure = [e for e in self._estimates(self._looks) if e.score >= self._sure_from(e)]
        return {e.model.name for e in (*self._known, *sure)}

    def _sure_from(self, estimate: PoseEstimate) -> float:
        if self._frame.depth is None:
            return SURE if self._support is None else SURE_ON_PLANE
        return SURE_BESIDE_DEPTH if estimate.depth_share is None else SURE_BY_DEPTH

    def poses(self) -> list[PoseEstimate]:
        """The poses that count, refined, best score first."""
        if self._frame.depth is not None:
            return [estimate for _, estimate in self._counting(self._looks, self._least)]
        if self._support is None:
            looks = [look for look, _ in self._counting(self._looks, self._worth)]
        else:  # of two looks at one place, the plane knows the better one when both are refined
            looks = [*self._looks, *self._sought]
            scores = [estimate.score for estimate in self._estimates(looks)]
            looks = [look for look, score in zip(looks, scores, strict=True) if score >= self._worth]
        fresh = [look for look in looks if not any(look is other for other in self._refined)]
        self._observer.refine(self._frame, fresh, self._watch)
        self._refined += fresh
        return [estimate for _, estimate in self._counting(looks, self._least)]

    def _counting(self, looks: Sequence[Look], least: float) -> list[tuple[Look, PoseEstimate]]:
        """The looks that score at least so much, without duplicates, with their estimates, best score first."""
        estimates = self._estimates(looks)
        look_of = {id(estimate): look for look, estimate in zip(looks, estimates, strict=True)}
        return [(look_of[id(e)], e) for e in distinct([e for e in estimates if e.score >= least])]

    def _estimates(self, looks: Sequence[Look]) -> list[PoseEstimate]:
        estimates = self._observer.estimates(looks, self._frame.camera)
        if self._support is None:
            return estimates
        return self._support.scored(estimates, [any(look is other for other in self._sought) for look in looks])


def without_empty_depth(frame: Frame) -> Frame:
    """The frame, without its depth if nothing was measured. Depth that is worked out on demand is taken as measured."""
    depth = frame.depth
    if isinstance(depth, np.ndarray) and not ((depth > 0) & (depth < np.inf)).any():
        return replace(frame, depth=None)
    return frame


def _shows(pose: PoseEstimate, candidate: Candidate, camera: Camera) -> bool:
    """Whether a candidate is most likely the object of a known pose."""
    box = ideal_box(pose.model, pose.cam_from_obj, camera)
    return pose.model is candidate.model and same_place(box, candidate.box)
