"""From one frame to the poses of the objects in it. Knows nothing of ROS, files or time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from pose_regressor.estimation.box_depth import MOST_FITTING, PEAKS, fitting
from pose_regressor.estimation.boxes import (
    FIND_MORE_THRESHOLD,
    FIND_THRESHOLD,
    MAX_CANDIDATES,
    distinct,
    ideal_box,
    map_box,
    shared_area,
)
from pose_regressor.estimation.correspondences import Correspondences
from pose_regressor.estimation.decode import decode, decode_pnp
from pose_regressor.estimation.estimates import Estimates, Stopwatch, checked_threshold
from pose_regressor.estimation.look import Candidate, Look, as_batch, ask_network, cut_windows
from pose_regressor.estimation.refine import Shape, refine
from pose_regressor.estimation.sensor_bias import told_by_others
from pose_regressor.estimation.windows import MOST_ENLARGED, frame_window
from pose_regressor.geometry.camera import project
from pose_regressor.network.bundle import Bundle
from pose_regressor.network.calibration import Calibration
from pose_regressor.network.outputs import peaks
from pose_regressor.network.runners import choose_execution, open_runner, select_device
from pose_regressor.settings import SCORE_THRESHOLD
from pose_regressor.types import Camera, FloatArray, Frame, InputError, ObjectModel, PoseEstimate

#: A first look, at a coarse box, is worth a second one from half of the least raw score that counts, or from here on.
AGAIN = 0.25
#: An object that is not found with at least this probability of being right is searched for once more, in an image
#: this many times as fine, where small and half hidden objects show.
SURE, FINER = 0.5, 2
#: The same for poses that depth was compared with. Most right ones are surer there, and false ones often exceed SURE.
SURE_WITH_DEPTH = 0.85


class PoseEstimator:
    """Finds the objects of one or several bundles.

    model: a bundle, its path, or several of either
    device: auto, cpu, cuda or cuda:N
    score_threshold: `search` and `follow` leave out poses with a lower score
    backend: what runs the network: auto, openvino, onnxruntime or torch
    precision: of the network's arithmetic: auto, fp32 or bf16
    threads: of the CPU for the network; 0: the default, see `network.runners.choose_execution`
    """

    def __init__(
        self,
        model: str | Path | Bundle | Sequence[str | Path | Bundle],
        device: str = "auto",
        score_threshold: float = SCORE_THRESHOLD,
        backend: str = "auto",
        precision: str = "auto",
        threads: int = 0,
    ) -> None:
        models = [model] if isinstance(model, str | Path | Bundle) else list(model)
        if not models:
            raise InputError("model: expected at least one bundle")
        self.score_threshold = score_threshold
        self.execution = choose_execution(backend, select_device(device), precision, threads)
        self.bundles = [m if isinstance(m, Bundle) else Bundle.load(m) for m in models]
        if any(bundle.is_start for bundle in self.bundles):
            raise InputError(
                "model: this bundle is a start for trainings and knows no object; give one that `train` wrote"
            )
        names = [o.name for o in self.objects]
        if len(set(names)) != len(names):
            raise InputError(f"model: expected bundles of different objects, got {', '.join(names)}")
        self._shapes = [[Shape.of(model) for model in bundle.objects] for bundle in self.bundles]
        self._runners = [open_runner(bundle.weights, self.execution) for bundle in self.bundles]

    @property
    def device(self) -> str:
        """Where the networks run: cpu, cuda or cuda:N."""
        return self.execution.device

    @property
    def objects(self) -> tuple[ObjectModel, ...]:
        return tuple(model for bundle in self.bundles for model in bundle.objects)

    @property
    def score_threshold(self) -> float:
        """Least score of a pose that counts. Setting it raises InputError outside [0, 1]."""
        return self._score_threshold

    @score_threshold.setter
    def score_threshold(self, value: float) -> None:
        self._score_threshold = checked_threshold(value)

    def estimate(self, frame: Frame) -> list[PoseEstimate]:
        """The poses of all objects seen in the frame, best score first."""
        return list(self.search(frame).poses)

    def search(
        self,
        frame: Frame,
        objects: Iterable[str] | None = None,
        known: Sequence[PoseEstimate] = (),
        thorough: bool = True,
    ) -> Estimates:
        """Look for objects in the whole frame. Poses come best score first.

        objects: names to look for; None: all
        known: poses that were already found in this frame and need no second look
        thorough: search for objects that were not surely found once more, in a finer image; this doubles the time
        """
        watch = Stopwatch()
        wanted = {model.name for model in self.objects} if objects is None else set(objects)
        looks = self._search(frame, wanted, known, watch)
        estimates = self._calibrated(looks, frame.camera)
        sure = [e for e in estimates if e.score >= (SURE if e.depth_share is None else SURE_WITH_DEPTH)]
        found = {e.model.name for e in (*known, *sure)}
        if thorough and (more := self._search(frame, wanted - found, known, watch, FINER)):
            estimates = self._calibrated(looks + more, frame.camera)
        return Estimates(tuple(distinct([e for e in estimates if e.score >= self.score_threshold])), watch.seconds)

    def follow(self, frame: Frame, last: Sequence[PoseEstimate]) -> Estimates:
        """Look only around poses from a frame shortly before. Poses come best score first.

        last: those poses; each comes back with its own instance number if the object is still there
        """
        watch = Stopwatch()
        candidates = [
            self._candidate(pose.model.name, ideal_box(pose.model, pose.cam_from_obj, frame.camera)) for pose in last
        ]
        looks = self._look(frame, candidates, watch)
        estimates = [
            replace(estimate, instance=pose.instance)
            for pose, estimate in zip(last, self._calibrated(looks, frame.camera), strict=True)
            if estimate.score >= self.score_threshold
        ]
        return Estimates(tuple(distinct(estimates)), watch.seconds)

    def look(self, frame: Frame, places: Sequence[tuple[str, FloatArray]], refined: bool = True) -> list[PoseEstimate]:
        """One pose for each place, in the same order, however low its score.

        Scores are raw and covariances uncalibrated: what calibration is measured on.

        places: an object's name and the box (4,) around it, x0 y0 x1 y1 in ideal pinhole pixels
        refined: refine poses on the outline and the colours; on measured depth they are refined in any case
        InputError: an object that no bundle knows.
        """
        candidates = [self._candidate(name, np.asarray(box, np.float64)) for name, box in places]
        looks = self._look(frame, candidates, Stopwatch(), refined=refined)
        return [look.estimate(frame.camera) for look in looks]

    def warm_up(self, width: int, height: int) -> None:
        """Run everything once, so that the first real frames do not pay for allocation and kernel selection.

        Every network runs on as many crops as a search without depth may bring.

        width, height: of the frames to come, pixels
        """
        focal, watch = float(max(width, height)), Stopwatch()
        camera = Camera(width, height, np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]]))
        frame = Frame(np.zeros((height, width, 3), np.uint8), camera)
        middle = np.array([width, height, width, height]) / 2 + np.array([-1, -1, 1, 1]) * min(width, height) / 4
        everywhere = [self._candidate(bundle.objects[0].name, middle) for bundle in self.bundles]
        for finer in (1, FINER):
            self._find(frame, {o.name for o in self.objects}, watch, finer=finer)
        for count in range(1, MAX_CANDIDATES + 1):
            self._look(frame, everywhere * count, watch, most_turns=1)
            self._look(frame, everywhere * count, watch)
        # An empty frame gives no correspondences, so PnP has to be tried by itself.
        for model in self.objects:
            pixels = project(model.points + [0, 0, 3 * model.diameter], camera.matrix)
            seen = Correspondences(pixels, model.points.copy(), np.ones(len(pixels)))
            for count in range(1, MAX_CANDIDATES + 1):
                decode_pnp([seen] * count, [camera.matrix] * count, width)

    def _search(
        self, frame: Frame, wanted: set[str], known: Sequence[PoseEstimate], watch: Stopwatch, finer: int = 1
    ) -> list[Look]:
        """Looks at all of these objects in the whole frame, at some perhaps several times. finer: as in `_find`."""
        least = FIND_MORE_THRESHOLD if known else FIND_THRESHOLD
        candidates = [
            candidate
            for candidate in self._find(frame, wanted, watch, least, finer)
            if not any(_shows(pose, candidate, frame.camera) for pose in known)
        ]
        # The first look is quick, at a box of the coarse frame. The second is at the place where the first saw it.
        again = [
            replace(first.candidate, box=ideal_box(first.candidate.model, first.cam_from_obj, frame.camera))
            for first in self._look(frame, candidates, watch, most_turns=1, refined=False)
            if first.score >= min(AGAIN, self._calibration(first).raw(self.score_threshold) / 2)
        ]
        return self._look(frame, again, watch)

    def _find(
        self, frame: Frame, wanted: set[str], watch: Stopwatch, least: float = FIND_THRESHOLD, finer: int = 1
    ) -> list[Candidate]:
        """Peaks of the box heads over the whole frame. least: presence of a peak; finer: factor of the usual size."""
        candidates = []
        for number, bundle in enumerate(self.bundles):
            size = finer * bundle.config.find_size
            too_fine = finer > 1 and size > MOST_ENLARGED * max(frame.camera.width, frame.camera.height)
            if too_fine or wanted.isdisjoint(model.name for model in bundle.objects):
                continue
            with watch.stage("preprocess"):
                window = frame_window(frame.image, frame.camera, size)
            with watch.stage("network"):
                output = self._runners[number].find(as_batch([window]))
                scores, boxes = peaks(output, MAX_CANDIDATES if frame.depth is None else PEAKS)
            with watch.stage("decode"):
                pinhole_from_window = frame.camera.matrix @ np.linalg.inv(window.camera_matrix)
                for channel, model in enumerate(bundle.objects):
                    if model.name not in wanted:
                        continue
                    found = [
                        map_box(pinhole_from_window, box)
                        for score, box in zip(scores[channel], boxes[channel], strict=True)
                        if score > least
                    ]
                    if frame.depth is not None:
                        found = fitting(found, model, frame.camera, frame.depth)[:MOST_FITTING]
                    candidates += [Candidate(number, channel, model, box) for box in found]
        return candidates

    def _look(
        self, frame: Frame, candidates: Sequence[Candidate], watch: Stopwatch, most_turns: int = 4, refined: bool = True
    ) -> list[Look]:
        """One look at every candidate, in at most `most_turns` orientations of its crop; see `estimation.look`."""
        done: dict[int, Look] = {}
        for number, bundle in enumerate(self.bundles):
            mine = [i for i, candidate in enumerate(candidates) if candidate.bundle == number]
            if not mine:
                continue
            with watch.stage("preprocess"):
                looks = cut_windows(frame, [candidates[i] for i in mine], bundle.config, finer=refined)
            with watch.stage("network"):
                ask_network(looks, self._runners[number], min(most_turns, bundle.turns))
            with watch.stage("decode"):
                decode(looks, bundle.depth_scale)
                for look in looks if refined or frame.depth is not None else ():
                    shape, scale = self._shapes[number][look.candidate.channel], bundle.calibration.covariance_scale
                    refine(look, shape, scale, image=refined)
            done |= dict(zip(mine, looks, strict=True))
        return [done[i] for i in range(len(candidates))]

    def _calibrated(self, looks: Sequence[Look], camera: Camera) -> list[PoseEstimate]:
        """Estimates whose scores are probabilities, and whose covariances have their measured scale.

        Where several objects have depth, each is told what the others say of the sensor.
        """
        calibrated, scales = [], []
        for look in looks:
            calibration = self._calibration(look)
            scale = calibration.covariance_scale if look.method == "pnp" or look.evidence else 1.0
            score = calibration.probability(look.score)
            calibrated.append(replace(look.estimate(camera), score=score, covariance=scale * look.covariance))
            scales.append(scale)
        return told_by_others(calibrated, [look.bias for look in looks], scales, camera)

    def _calibration(self, look: Look) -> Calibration:
        bundle = self.bundles[look.candidate.bundle]
        return bundle.rgbd_calibration if look.evidence else bundle.calibration

    def _candidate(self, name: str, box: FloatArray) -> Candidate:
        """To look for the object of this name in a box (4,). InputError: no bundle knows it."""
        for number, bundle in enumerate(self.bundles):
            for channel, model in enumerate(bundle.objects):
                if model.name == name:
                    return Candidate(number, channel, model, box)
        known = ", ".join(model.name for model in self.objects)
        raise InputError(f"object {name!r}: is in none of the bundles, expected one of {known}")


def _shows(pose: PoseEstimate, candidate: Candidate, camera: Camera) -> bool:
    """Whether a candidate is most likely the object of a known pose."""
    box = ideal_box(pose.model, pose.cam_from_obj, camera)
    return pose.model is candidate.model and shared_area(box, candidate.box) > 0.5
