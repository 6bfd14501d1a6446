"""From one frame to the poses of the objects in it. Knows nothing of ROS, files or time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from pose_regressor.estimation.boxes import MAX_CANDIDATES, distinct, ideal_box, image_box
from pose_regressor.estimation.correspondences import Correspondences
from pose_regressor.estimation.decode import decode_pnp
from pose_regressor.estimation.estimates import Estimates, Stopwatch, checked_threshold
from pose_regressor.estimation.observer import Observer
from pose_regressor.estimation.search import FINER, WORTH_ON_PLANE, Search, without_empty_depth
from pose_regressor.estimation.support_plane import Support, SupportPlane
from pose_regressor.geometry.camera import project
from pose_regressor.network.bundle import Bundle
from pose_regressor.network.runners import choose_executions, cores, in_words, select_device
from pose_regressor.settings import SCORE_THRESHOLD
from pose_regressor.types import Camera, FloatArray, Frame, InputError, ObjectModel, PoseEstimate


class PoseEstimator:
    """Finds the objects of one or several bundles.

    model: a bundle, its path, or several of either
    device: auto, cpu, cuda or cuda:N
    score_threshold: `search` and `follow` leave out poses with a lower score
    backend: what runs the network: auto, openvino, onnxruntime or torch
    precision: of the network's arithmetic: auto, fp32, bf16 or int8
    threads: of the CPU for each network. 0: the default, see `network.runners.choose_execution`; several networks then
        run at the same time, on as many cores as the process may use
    support_plane: objects stand on one plane, such as a table: `estimate` and `settle` find it and put them on it. A
        plane that a frame names is used in any case

    device: where the networks run: cpu, cuda or cuda:N
    executions: what runs the network of each bundle
    """

    def __init__(
        self,
        model: str | Path | Bundle | Sequence[str | Path | Bundle],
        device: str = "auto",
        score_threshold: float = SCORE_THRESHOLD,
        backend: str = "auto",
        precision: str = "auto",
        threads: int = 0,
        support_plane: bool = False,
    ) -> None:
        models = [model] if isinstance(model, str | Path | Bundle) else list(model)
        if not models:
            raise InputError("model: expected at least one bundle")
        self.score_threshold = score_threshold
        self.device = select_device(device)
        self.bundles = [m if isinstance(m, Bundle) else Bundle.load(m) for m in models]
        if any(bundle.is_start for bundle in self.bundles):
            raise InputError(
                "model: this bundle is a start for trainings and knows no object; give one that `train` wrote"
            )
        names = [o.name for o in self.objects]
        if len(set(names)) != len(names):
            raise InputError(f"model: expected bundles of different objects, got {', '.join(names)}")
        self.executions = choose_executions(self.bundles, backend, self.device, precision, threads)
        # torch shares each network among its own threads, and a GPU among its own processors.
        alone = threads or self.executions[0].backend == "torch"
        self.support_plane = support_plane
        self._support_plane = SupportPlane()
        self._observer = Observer(self.bundles, self.executions, at_once=1 if alone else cores())

    @property
    def execution(self) -> str:
        """What runs the networks, in words."""
        return in_words(self.bundles, self.executions)

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
        return list(self.settle(frame, self.search(frame)).poses)

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
        thorough: search for objects that were not surely found once more, in a finer image, which takes longer
        """
        watch, frame = Stopwatch(), without_empty_depth(frame)
        wanted = {model.name for model in self.objects} if objects is None else set(objects)
        search = Search(self._observer, frame, known, self.score_threshold, watch)
        search.level(wanted)
        if thorough and (missing := wanted - search.surely_found()):
            search.level(missing, FINER)
        poses = [*known, *search.poses()] if self._on_plane(frame) else []
        with watch.stage("decode"):
            support = self._support_under(frame, poses)
        if support and frame.depth is None:
            search.stand_on(support)
            if thorough and (missing := wanted - search.surely_found()):
                search.places_on_plane(missing, support)
        return Estimates(tuple(search.poses()), watch.seconds, support)

    def follow(self, frame: Frame, last: Sequence[PoseEstimate]) -> Estimates:
        """Look only around poses from a frame shortly before. Poses come best score first.

        last: those poses; each comes back with its own instance number if the object is still there
        """
        watch = Stopwatch()
        candidates = [
            self._observer.candidate(pose.model.name, ideal_box(pose.model, pose.cam_from_obj, frame.camera))
            for pose in last
        ]
        found = self._observer.estimates(self._observer.look(frame, candidates, watch), frame.camera)
        with watch.stage("decode"):
            found = self._vouched(frame, found)
        estimates = [
            replace(estimate, instance=pose.instance)
            for pose, estimate in zip(last, found, strict=True)
            if estimate.score >= self.score_threshold
        ]
        return Estimates(tuple(distinct(estimates)), watch.seconds)

    def _on_plane(self, frame: Frame) -> bool:
        """Whether objects of this frame are put on a plane."""
        return self.support_plane or frame.support_plane is not None

    def _support_under(self, frame: Frame, poses: Sequence[PoseEstimate]) -> Support | None:
        """The plane that objects stand on, if it is wanted: the frame's, or one that these poses tell."""
        if frame.support_plane:
            return self._support_plane.known(frame.support_plane, poses)
        return self._support_plane.find(poses) if self.support_plane else None

    def _vouched(self, frame: Frame, followed: list[PoseEstimate]) -> list[PoseEstimate]:
        """Followed poses, with higher scores where they stand on the plane.

        Lower scores they do not get: what was on the plane before may have been lifted.
        """
        if not self._on_plane(frame) or without_empty_depth(frame).depth is not None:
            return followed
        support = self._support_under(frame, [e for e in followed if e.score >= self.score_threshold])
        if support is None:
            return followed
        # They are looked for where they stood. So wrong ones stand there as often as those of a search on the plane.
        scored = support.scored(followed, [True] * len(followed))
        least = WORTH_ON_PLANE * self.score_threshold
        return [
            better if plain.score >= least and better.score > plain.score else plain
            for plain, better in zip(followed, scored, strict=True)
        ]

    def settle(self, frame: Frame, found: Estimates) -> Estimates:
        """What was found in the frame, with the objects put on the plane that they stand on, if that is wanted.

        found: all that is seen in the frame: the more objects, the better the plane is known. `depth_share` stays as it
            was before
        """
        if not self._on_plane(frame):
            return found
        watch = Stopwatch()
        with watch.stage("decode"):
            support = found.support
            if support is None and frame.support_plane:
                support = self._support_plane.known(frame.support_plane, found.poses)
            poses = self._support_plane.settle(found.poses, support)
            boxes = [image_box(pose.model, pose.cam_from_obj, frame.camera) for pose in poses]
            poses = [replace(pose, box=box) for pose, box in zip(poses, boxes, strict=True)]
        return Estimates(tuple(poses), found.seconds + watch.seconds, found.support)

    def look(self, frame: Frame, places: Sequence[tuple[str, FloatArray]], refined: bool = True) -> list[PoseEstimate]:
        """One pose for each place, in the same order, however low its score.

        Scores are raw and covariances uncalibrated: what calibration is measured on.

        places: an object's name and the box (4,) around it, x0 y0 x1 y1 in ideal pinhole pixels
        refined: refine poses on the outline and the colours; on measured depth they are refined in any case
        InputError: an object that no bundle knows.
        """
        candidates = [self._observer.candidate(name, np.asarray(box, np.float64)) for name, box in places]
        looks = self._observer.look(frame, candidates, Stopwatch(), refined=refined)
        return [look.estimate(frame.camera) for look in looks]

    def warm_up(self, width: int, height: int) -> None:
        """Run everything once, so that the first real frames do not pay for allocation and kernel selection.

        Every network runs on as many crops as a search without depth may bring.

        width, height: of the frames to come, pixels
        """
        if self.support_plane:
            self._support_plane.prepare(self.objects)
        focal, watch = float(max(width, height)), Stopwatch()
        camera = Camera(width, height, np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]]))
        frame = Frame(np.zeros((height, width, 3), np.uint8), camera)
        middle = np.array([width, height, width, height]) / 2 + np.array([-1, -1, 1, 1]) * min(width, height) / 4
        observer = self._observer
        everywhere = [observer.candidate(bundle.objects[0].name, middle) for bundle in self.bundles]
        for finer in (1, FINER):
            observer.survey(frame, {o.name for o in self.objects}, watch, finer)
        for count in range(1, MAX_CANDIDATES + 1):
            observer.glance(frame, everywhere * count, watch)
            observer.look(frame, everywhere * count, watch)
        # An empty frame gives no correspondences, so PnP has to be tried by itself.
        for model in self.objects:
            pixels = project(model.points + [0, 0, 3 * model.diameter], camera.matrix)
            seen = Correspondences(pixels, model.points.copy(), np.ones(len(pixels)))
            for count in range(1, MAX_CANDIDATES + 1):
                decode_pnp([seen] * count, [camera.matrix] * count, width)
