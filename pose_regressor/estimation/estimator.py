"""From one frame to the poses of the objects in it. Knows nothing of ROS, files or time."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from pose_regressor.estimation.boxes import (
    FIND_MORE_THRESHOLD,
    FIND_THRESHOLD,
    MAX_CANDIDATES,
    distinct,
    map_box,
    peaks,
    projected_box,
    shared_area,
)
from pose_regressor.estimation.correspondences import Correspondences, decode_pnp, quarter_turns
from pose_regressor.estimation.decode import Shape, estimates_of
from pose_regressor.estimation.refine_colors import ZOOM
from pose_regressor.estimation.threads import one_thread
from pose_regressor.estimation.windows import MOST_ENLARGED, Window, crop_window, finer_window, frame_window
from pose_regressor.network.bundle import Bundle
from pose_regressor.network.heads import PoseOutput
from pose_regressor.network.runners import choose_backend, open_runner
from pose_regressor.settings import SCORE_THRESHOLD
from pose_regressor.types import Camera, FloatArray, Frame, InputError, ObjectModel, PoseEstimate

#: A first look, at a coarse box, is worth a second one from half of the raw score that counts on, or from here on.
AGAIN = 0.25
#: An object of which nothing is found that is right with this probability is searched for once more, in an image so
#: many times as fine, where what is small or half hidden shows.
SURE, FINER = 0.5, 2


@dataclass(frozen=True, eq=False)
class _Candidate:
    """Where to look: the number of the bundle, the object's channel in it, and a box in ideal pinhole pixels."""

    bundle: int
    channel: int
    box: FloatArray


def select_device(name: str) -> torch.device:
    """``auto`` is CUDA where there is one. Raises InputError for a device that is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError(f"device {name!r}: expected auto, cpu, cuda or cuda:N") from error
    if device.type not in ("cpu", "cuda"):
        raise InputError(f"device {name!r}: expected auto, cpu, cuda or cuda:N")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(
            f"device {name!r}: this machine has {torch.cuda.device_count()} CUDA devices that torch can use"
        )
    return device


class PoseEstimator:
    """Finds the objects of one or several bundles.

    model: a bundle, its path, or several of either; score_threshold: poses of a lower score are not returned;
    backend: what runs the network, see `model.backend.choose_backend`;
    `stages` holds the seconds that the last `estimate` spent in "preprocess", "network" and "decode".
    """

    def __init__(
        self,
        model: str | Path | Bundle | Sequence[str | Path | Bundle],
        device: str = "auto",
        score_threshold: float = SCORE_THRESHOLD,
        backend: str = "auto",
    ) -> None:
        models = [model] if isinstance(model, str | Path | Bundle) else list(model)
        if not models:
            raise InputError("model: expected at least one bundle")
        if not 0 <= score_threshold <= 1:
            raise InputError(f"score_threshold: expected a number from 0 to 1, got {score_threshold}")
        self.device = select_device(device)
        self.score_threshold = score_threshold
        self.bundles = [m if isinstance(m, Bundle) else Bundle.load(m) for m in models]
        names = [o.name for o in self.objects]
        if len(set(names)) != len(names):
            raise InputError(f"model: expected bundles of different objects, got {', '.join(names)}")
        self._shapes = [[Shape.of(model) for model in bundle.objects] for bundle in self.bundles]
        self.backend = choose_backend(backend, self.device)
        self._runners = [open_runner(bundle.network, self.backend, self.device) for bundle in self.bundles]
        self.stages = {"preprocess": 0.0, "network": 0.0, "decode": 0.0}

    @property
    def objects(self) -> tuple[ObjectModel, ...]:
        return tuple(model for bundle in self.bundles for model in bundle.objects)

    @torch.inference_mode()
    def warm_up(self, width: int, height: int) -> None:
        """Run every network, on as many crops as a search may bring, so that the first real frames do not pay for
        allocation and kernel selection.
        """
        focal = float(max(width, height))
        camera = Camera(width, height, np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]]))
        frame = Frame(np.zeros((height, width, 3), np.uint8), camera)
        middle = np.array([width, height, width, height]) / 2 + np.array([-1, -1, 1, 1]) * min(width, height) / 4
        everywhere = [_Candidate(b, 0, middle) for b in range(len(self.bundles))]
        for finer in (1, FINER):
            self._find(frame, {o.name for o in self.objects}, finer=finer)
        for count in range(1, MAX_CANDIDATES + 1):
            self._look(frame, everywhere * count, most_turns=1)
            self._look(frame, everywhere * count)
        # Nothing was seen in an empty frame: PnP has to be tried by itself.
        for model in self.objects:
            in_camera = model.points + [0, 0, 3 * model.diameter]
            pixels = focal * in_camera[:, :2] / in_camera[:, 2:] + camera.matrix[:2, 2]
            for count in range(1, MAX_CANDIDATES + 1):
                decode_pnp(
                    [Correspondences(pixels, model.points.copy(), np.ones(len(pixels)))] * count,
                    [camera.matrix] * count,
                    width,
                )

    @torch.inference_mode()
    def estimate(
        self,
        frame: Frame,
        follow: Sequence[PoseEstimate] = (),
        objects: Iterable[str] | None = None,
        known: Sequence[PoseEstimate] = (),
        thorough: bool = True,
    ) -> list[PoseEstimate]:
        """The poses of all objects seen in the frame, best score first.

        follow: poses from a frame shortly before: then only the crops around these are looked at, and each comes
        back, in its own turn, if it is still there. objects: names to look for (all, if not given). known: what was
        seen in this frame already, and need not be looked at again. thorough: whether objects that are not surely
        found are searched for once more, in a finer image, for twice the time.
        """
        self.stages = dict.fromkeys(self.stages, 0.0)
        if follow:
            return self._follow(frame, follow)
        wanted = {model.name for model in self.objects} if objects is None else set(objects)
        estimates = self._search(frame, wanted, known)
        if thorough:
            found = {e.model.name for e in (*known, *(e for e in estimates if e.score >= SURE))}
            estimates += self._search(frame, wanted - found, known, FINER)
        return distinct([e for e in estimates if e.score >= self.score_threshold])

    def _search(
        self, frame: Frame, wanted: set[str], known: Sequence[PoseEstimate], finer: int = 1
    ) -> list[PoseEstimate]:
        """What is seen of these objects in the whole frame, some perhaps several times; finer: as `_find` has it."""
        least = FIND_MORE_THRESHOLD if known else FIND_THRESHOLD
        candidates = [c for c in self._find(frame, wanted, least, finer) if not self._is_known(c, known, frame.camera)]
        # The first look is at a box of the coarse frame, and quick; the second, at where the first saw the object.
        first = self._look(frame, candidates, most_turns=1, refined=False)
        again = [
            replace(candidate, box=self._box(estimate, frame.camera))
            for candidate, estimate in zip(candidates, first, strict=True)
            if estimate.score >= min(AGAIN, self.bundles[candidate.bundle].calibration.raw(self.score_threshold) / 2)
        ]
        return self._calibrated(again, self._look(frame, again))

    def _follow(self, frame: Frame, follow: Sequence[PoseEstimate]) -> list[PoseEstimate]:
        place = {
            model.name: (b, channel)
            for b, bundle in enumerate(self.bundles)
            for channel, model in enumerate(bundle.objects)
        }
        candidates = [_Candidate(*place[last.model.name], self._box(last, frame.camera)) for last in follow]
        estimates = []
        looks = self._calibrated(candidates, self._look(frame, candidates))
        for last, estimate in zip(follow, looks, strict=True):
            if estimate.score >= self.score_threshold:
                estimates.append(replace(estimate, instance=last.instance))
        return distinct(estimates)

    def _calibrated(self, candidates: list[_Candidate], estimates: list[PoseEstimate]) -> list[PoseEstimate]:
        """With scores that are probabilities, and covariances by PnP to their measured scale."""
        calibrated = []
        for candidate, estimate in zip(candidates, estimates, strict=True):
            calibration = self.bundles[candidate.bundle].calibration
            scale = calibration.covariance_scale if estimate.method == "pnp" else 1.0
            score = calibration.probability(estimate.score)
            calibrated.append(replace(estimate, score=score, covariance=scale * estimate.covariance))
        return calibrated

    def _find(self, frame: Frame, wanted: set[str], least: float = FIND_THRESHOLD, finer: int = 1) -> list[_Candidate]:
        """Peaks of the box heads, from this presence on, over the whole frame, so many times as fine as usual."""
        candidates = []
        for number, bundle in enumerate(self.bundles):
            size = finer * bundle.config.find_size
            too_fine = finer > 1 and size > MOST_ENLARGED * max(frame.camera.width, frame.camera.height)
            if too_fine or wanted.isdisjoint(model.name for model in bundle.objects):
                continue
            with self._stage("preprocess"):
                window = frame_window(frame.image, frame.camera, size)
            with self._stage("network"):
                output = self._runners[number].find(self._tensor([window]))
                scores, boxes = peaks(output)
            with self._stage("decode"):
                pinhole_from_window = frame.camera.matrix @ np.linalg.inv(window.camera_matrix)
                for channel, model in enumerate(bundle.objects):
                    if model.name not in wanted:
                        continue
                    for score, box in zip(scores[channel], boxes[channel], strict=True):
                        if score > least:
                            candidates.append(_Candidate(number, channel, map_box(pinhole_from_window, box)))
        return candidates

    def _is_known(self, candidate: _Candidate, known: Sequence[PoseEstimate], camera: Camera) -> bool:
        model = self.bundles[candidate.bundle].objects[candidate.channel]
        return any(
            estimate.model is model and shared_area(self._box(estimate, camera), candidate.box) > 0.5
            for estimate in known
        )

    def _look(
        self, frame: Frame, candidates: list[_Candidate], most_turns: int = 4, refined: bool = True
    ) -> list[PoseEstimate]:
        """One estimate for every candidate, whatever its raw score, from at most so many orientations of its crop."""
        estimates: dict[int, PoseEstimate] = {}
        for number, bundle in enumerate(self.bundles):
            mine = [i for i, candidate in enumerate(candidates) if candidate.bundle == number]
            if not mine:
                continue
            config, turns = bundle.config, min(most_turns, bundle.turns)
            with self._stage("preprocess"):
                windows = [
                    crop_window(frame.image, frame.camera, candidates[i].box, config.crop_margin, config.crop_size)
                    for i in mine
                ]
                finer = [
                    finer_window(window, frame.image, frame.camera, candidates[i].box, config.crop_margin, ZOOM)
                    if refined
                    else None
                    for i, window in zip(mine, windows, strict=True)
                ]
            with self._stage("network"):
                boxes, poses = self._runners[number](quarter_turns(self._tensor(windows), turns))
                presence = boxes.logits.amax((2, 3)).sigmoid().unflatten(0, (turns, -1)).mean(0).cpu().numpy()
                poses = PoseOutput(
                    *(getattr(poses, name).unflatten(0, (turns, -1)).cpu() for name in poses.__dataclass_fields__)
                )
            with self._stage("decode"), one_thread():
                channels = [candidates[i].channel for i in mine]
                decoded = estimates_of(
                    poses, channels, windows, finer, bundle, self._shapes[number], presence, frame.camera, refined
                )
                estimates |= dict(zip(mine, decoded, strict=True))
        return [estimates[i] for i in range(len(candidates))]

    def _tensor(self, windows: list[Window]) -> torch.Tensor:
        stacked = np.stack([window.image for window in windows])
        return torch.from_numpy(stacked).to(self.device, non_blocking=True).permute(0, 3, 1, 2)

    def _box(self, estimate: PoseEstimate, camera: Camera) -> FloatArray:
        """(4,) around the object's points in ideal pinhole pixels."""
        return projected_box(estimate.model, estimate.cam_from_obj, camera.matrix, None)

    def _stage(self, name: str) -> _Stopwatch:
        return _Stopwatch(self.stages, name)


class _Stopwatch:
    """Adds the seconds of a with-block to an entry of a dictionary."""

    def __init__(self, totals: dict[str, float], name: str) -> None:
        self.totals, self.name = totals, name

    def __enter__(self) -> None:
        self.start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.totals[self.name] += time.perf_counter() - self.start
