"""What the networks of all bundles see in a frame: where objects may be, and which pose each of these places shows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np

from pose_regressor.estimation.boxes import MAX_CANDIDATES, ideal_box, map_box
from pose_regressor.estimation.decode import decode, regressed_pose
from pose_regressor.estimation.estimates import Stopwatch
from pose_regressor.estimation.look import Candidate, Look, as_batch, ask_network, cut_finer, cut_windows
from pose_regressor.estimation.networks import Network, Parallel, open_networks
from pose_regressor.estimation.refine import Shape, refine
from pose_regressor.estimation.sensor_bias import told_by_others
from pose_regressor.estimation.windows import MOST_ENLARGED, Window, frame_window
from pose_regressor.network.bundle import Bundle
from pose_regressor.network.calibration import Calibration
from pose_regressor.network.outputs import BoxOutput, peaks
from pose_regressor.network.runners import Execution
from pose_regressor.types import Camera, FloatArray, Frame, InputError, PoseEstimate

#: Covariances with depth are multiplied with at least this. Calibration often asks for less, but it sees images like
#: those of the training. On others the image errs more, and so does the distance that it and the sensor agree on.
LEAST_WITH_DEPTH = 1.0

K = TypeVar("K")
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Glance:
    """What the network says of a crop at once, without correspondences.

    candidate: with the box of the regressed pose
    presence: probability that the crop shows the object
    """

    candidate: Candidate
    presence: float


@dataclass(frozen=True, eq=False)
class Survey:
    """What a network's box head says of a whole frame.

    network: its number
    window: the frame as the network saw it
    output: of the box head
    """

    network: int
    window: Window
    output: BoxOutput


class Observer:
    """Asks the networks of several bundles about frames.

    bundles: of objects with different names
    executions: how each bundle's network is run
    at_once: most networks that run at the same time
    """

    def __init__(self, bundles: Sequence[Bundle], executions: Sequence[Execution], at_once: int = 1) -> None:
        self.bundles = bundles
        self.networks = open_networks(bundles, executions)
        self._parallel = Parallel(min(at_once, len(self.networks)))
        self._shapes = {model.name: Shape.of(model) for bundle in bundles for model in bundle.objects}
        # Of each object, how to look for it anywhere.
        self._objects = {
            model.name: Candidate(number, bundle, first + place, model, np.zeros(4))
            for number, network in enumerate(self.networks)
            for bundle, first in zip(network.bundles, network.first_channels, strict=True)
            for place, model in enumerate(bundles[bundle].objects)
        }

    def candidate(self, name: str, box: FloatArray) -> Candidate:
        """To look for the object of this name in a box (4,). InputError: no bundle knows it."""
        return replace(self._known(name), box=box)

    def _known(self, name: str) -> Candidate:
        if name not in self._objects:
            known = ", ".join(model.name for bundle in self.bundles for model in bundle.objects)
            raise InputError(f"object {name!r}: is in none of the bundles, expected one of {known}")
        return self._objects[name]

    def survey(self, frame: Frame, wanted: Collection[str], watch: Stopwatch, finer: int = 1) -> list[Survey]:
        """What the box heads say of the whole frame, one for each network that knows some of the objects.

        wanted: names of objects; finer: factor of the usual size of the frame
        InputError: no bundle knows an object of this name.
        """
        windows: dict[int, Window] = {}
        jobs = []
        with watch.stage("preprocess"):
            for number, network in enumerate(self.networks):
                size = finer * self._first(network).config.find_size
                too_fine = finer > 1 and size > MOST_ENLARGED * max(frame.camera.width, frame.camera.height)
                if too_fine or not any(self._known(name).network == number for name in wanted):
                    continue
                if size not in windows:
                    windows[size] = frame_window(frame.image, frame.camera, size)
                jobs.append(((number, windows[size]), partial(_searched, network, windows[size])))
        return [Survey(number, window, output) for (number, window), output in self._answers(jobs, watch)]

    def peaks(
        self, survey: Survey, frame: Frame, wanted: Collection[str], least: float, most: int = MAX_CANDIDATES
    ) -> list[Candidate]:
        """Where a survey shows objects, the surest place of each object first.

        wanted: names of objects; least: presence of a peak; most: peaks of each object
        """
        scores, boxes = peaks(survey.output, most)
        pinhole_from_window = frame.camera.matrix @ np.linalg.inv(survey.window.camera_matrix)
        return [
            replace(target, box=map_box(pinhole_from_window, box))
            for target in self._objects.values()
            if target.network == survey.network and target.model.name in wanted
            for score, box in zip(scores[target.channel], boxes[target.channel], strict=True)
            if score > least
        ]

    def glance(self, frame: Frame, candidates: Sequence[Candidate], watch: Stopwatch) -> list[Glance]:
        """A quick look at every candidate, as it is: whether the object is there, and in which box."""
        glances: dict[int, Glance] = {}
        for looked in self._looked(frame, candidates, watch, most_turns=1):
            with watch.stage("decode"):
                for place, look in looked.items():
                    box = ideal_box(look.candidate.model, regressed_pose(look), frame.camera)
                    glances[place] = Glance(replace(look.candidate, box=box), look.answer.presence)
        return [glances[place] for place in range(len(candidates))]

    def look(
        self,
        frame: Frame,
        candidates: Sequence[Candidate],
        watch: Stopwatch,
        most_turns: int = 4,
        refined: bool = True,
        least: float = 0.0,
    ) -> list[Look]:
        """One look at every candidate, in at most `most_turns` orientations of its crop; see `estimation.look`.

        refined: refine poses on outline and colours; on measured depth they are refined in any case
        least: leave out looks that cannot score as much as this probability; for frames without depth
        """
        done: dict[int, Look] = {}
        for looked in self._looked(frame, candidates, watch, most_turns):
            with watch.stage("decode"):
                promising = {place: look for place, look in looked.items() if self._may_reach(look, least)}
                self._decode(frame, list(promising.values()), refined)
                done |= promising
        return [done[place] for place in sorted(done)]

    def _looked(
        self, frame: Frame, candidates: Sequence[Candidate], watch: Stopwatch, most_turns: int
    ) -> Iterator[dict[int, Look]]:
        """For each network, the looks at its candidates by their numbers, with the network's answers."""
        jobs = []
        with watch.stage("preprocess"):
            for network, places in self._by_network(candidates):
                bundle = self._first(network)
                looks = cut_windows(frame, [candidates[place] for place in places], bundle.config)
                turns = min(most_turns, bundle.turns)
                jobs.append((dict(zip(places, looks, strict=True)), partial(ask_network, looks, network.runner, turns)))
        for looked, _ in self._answers(jobs, watch):
            yield looked

    def _decode(self, frame: Frame, looks: Sequence[Look], refined: bool) -> None:
        """Decodes the looks of one network, and refines them as `look` says."""
        for number in sorted({look.candidate.bundle for look in looks}):
            own = [look for look in looks if look.candidate.bundle == number]
            decode(own, self.bundles[number].depth_scale)
            for look in own if refined or frame.depth is not None else ():
                self._refine(frame, look, image=refined)

    def refine(self, frame: Frame, looks: Sequence[Look], watch: Stopwatch) -> None:
        """Refines looks on outline and colours that were taken with `refined=False`."""
        with watch.stage("decode"):
            for look in looks:
                self._refine(frame, look)

    def _refine(self, frame: Frame, look: Look, image: bool = True) -> None:
        bundle = self.bundles[look.candidate.bundle]
        if image:
            cut_finer(frame, look, bundle.config)
        refine(look, self._shapes[look.candidate.model.name], bundle.calibration.covariance_scale, image)

    def estimates(self, looks: Sequence[Look], camera: Camera) -> list[PoseEstimate]:
        """The calibrated estimates of one frame. With depth, each object is told what the others say of the sensor."""
        estimates = [self.calibrated(look, camera) for look in looks]
        return told_by_others(estimates, [look.bias for look in looks], [self._scale(look) for look in looks], camera)

    def calibrated(self, look: Look, camera: Camera) -> PoseEstimate:
        """The estimate, with a probability as score and with a covariance of its measured scale."""
        score = self.calibration(look).probability(look.score)
        return replace(look.estimate(camera), score=score, covariance=self._scale(look) * look.covariance)

    def _scale(self, look: Look) -> float:
        """What the look's covariance is multiplied with."""
        if look.evidence:
            return max(self.calibration(look).covariance_scale, LEAST_WITH_DEPTH)
        return self.calibration(look).covariance_scale if look.method == "pnp" else 1.0

    def calibration(self, look: Look) -> Calibration:
        """Of the look's score and covariance."""
        bundle = self.bundles[look.candidate.bundle]
        return bundle.rgbd_calibration if look.evidence else bundle.calibration

    def least_presence(self, candidate: Candidate, probability: float) -> float:
        """The presence that a look without depth needs at least, to score this probability."""
        # The raw score is the geometric mean of the presence and of a share that is 1 at most.
        return self.bundles[candidate.bundle].calibration.raw(probability) ** 2

    def _may_reach(self, look: Look, least: float) -> bool:
        return not least or look.answer.presence >= self.least_presence(look.candidate, least)

    def _first(self, network: Network) -> Bundle:
        """One of the network's bundles: they have the same configuration and turns."""
        return self.bundles[network.bundles[0]]

    def _by_network(self, candidates: Sequence[Candidate]) -> list[tuple[Network, list[int]]]:
        """Each network that knows some of the candidates, with their numbers."""
        places = [[i for i, c in enumerate(candidates) if c.network == n] for n in range(len(self.networks))]
        return [(network, own) for network, own in zip(self.networks, places, strict=True) if own]

    def _answers(self, jobs: Sequence[tuple[K, Callable[[], T]]], watch: Stopwatch) -> Iterator[tuple[K, T]]:
        """Each job's key with the result of its call, which asks a network. While one is used, later calls run."""
        results = self._parallel.results([call for _, call in jobs])
        for key, _ in jobs:
            with watch.stage("network"):
                answer = next(results)
            yield key, answer


def _searched(network: Network, window: Window) -> BoxOutput:
    return network.runner.find(as_batch([window]))
