"""Compares every estimate of a result file with the true poses: errors, what became of each target, which are right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from pose_regressor.geometry.errors import add, rotation_error, translation_error
from pose_regressor.types import FloatArray
from pose_regressor_training.evaluate.dataset import EvaluatedObject, EvaluationSet
from pose_regressor_training.evaluate.errors import add_s, mspd, mssd_each
from pose_regressor_training.evaluate.matching import TAUS, WIDTH, match
from pose_regressor_training.evaluate.results import Result
from pose_regressor_training.evaluate.targets import Target
from pose_regressor_training.evaluate.vsd import DepthRenderer, distances, vsd

#: A pose is right if its ADD(-S) is below this share of the diameter.
RIGHT = 0.1


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of one object that was to be found. Errors are those of the estimate taken for it; inf if there is
    none.

    target: of the object
    truth: (4, 4) true pose
    visibility: visible share of the object
    estimate: taken for it
    add, add_s: metres
    error: the one of add and add_s that counts for the object
    rotation: radians, to the nearest (by MSSD) of the poses that equal the true one
    translation: metres, to the same pose
    """

    target: Target
    truth: FloatArray
    visibility: float
    estimate: Result | None = None
    add: float = np.inf
    add_s: float = np.inf
    error: float = np.inf
    rotation: float = np.inf
    translation: float = np.inf

    @property
    def distance(self) -> float:
        """Distance of the object from the camera, metres."""
        return float(np.linalg.norm(self.truth[:3, 3]))


@dataclass(frozen=True, eq=False)
class Judged:
    """The estimates for one target, judged. E: the best of them, as many as are to be found; G: wanted true poses.

    target: of the estimates
    add, add_s, mssd: (E, G) metres
    mspd: (E, G) pixels in an image of 640 columns
    vsd: (E, G, T); None without test depth
    outcomes: of each wanted true pose
    scored: of all estimates for this object and image, score and whether the pose is right
    """

    target: Target
    add: FloatArray
    add_s: FloatArray
    mssd: FloatArray
    mspd: FloatArray
    vsd: FloatArray | None
    outcomes: tuple[Outcome, ...]
    scored: tuple[tuple[float, bool], ...]


@dataclass(frozen=True, eq=False)
class _Errors:
    """Errors of E estimates against G true poses.

    add, add_s, mssd: (E, G) metres
    mspd: (E, G) pixels
    nearest: (E, G, 4, 4) the nearest of the poses that equal the true one
    """

    add: FloatArray
    add_s: FloatArray
    mssd: FloatArray
    mspd: FloatArray
    nearest: FloatArray


@dataclass
class Judge:
    """Judges estimates on a dataset.

    dataset: with the true poses
    with_vsd: also VSD, whose rendering takes most of the time; it needs test depth
    device: of the renderer
    """

    dataset: EvaluationSet
    with_vsd: bool = True
    device: str = "cpu"
    _renderer: DepthRenderer | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if self.with_vsd and self.dataset.has_depth:
            self._places = {obj_id: place for place, obj_id in enumerate(self.dataset.objects)}
            self._renderer = DepthRenderer([o.mesh for o in self.dataset.objects.values()], self.device)

    def judge(self, results: Sequence[Result], progress: Callable[[int], None] = lambda done: None) -> list[Judged]:
        """Judge the estimates for every target, in order. progress: called with the number of targets done."""
        by_target: dict[tuple[int, int, int], list[Result]] = {}
        for result in sorted(results, key=lambda result: -result.score):
            by_target.setdefault((result.scene_id, result.im_id, result.obj_id), []).append(result)
        judged: list[Judged] = []
        # An image's depth is read once for all of its objects.
        for _, targets in groupby(self.dataset.targets, key=lambda target: (target.scene_id, target.im_id)):
            for target, estimates, discrepancies in self._of_image(list(targets), by_target):
                judged.append(self._judged(target, estimates, discrepancies))
                progress(len(judged))
        return judged

    def _of_image(
        self, targets: list[Target], by_target: dict[tuple[int, int, int], list[Result]]
    ) -> Iterator[tuple[Target, list[Result], FloatArray | None]]:
        """Each target with its estimates and their VSD."""
        test = None
        for target in targets:
            estimates = by_target.get((target.scene_id, target.im_id, target.obj_id), [])
            if self._renderer is None:
                yield target, estimates, None
                continue
            if test is None:
                test = distances(target.scene.depth(target.im_id).astype(np.float64), target.camera_matrix)
            yield target, estimates, self._discrepancies(target, estimates[: target.count], test)

    def _discrepancies(self, target: Target, estimates: list[Result], test: FloatArray) -> FloatArray:
        """(E, G, T) VSD of estimates against wanted true poses."""
        assert self._renderer is not None
        truth = target.truth[target.wanted]
        values = np.ones((len(estimates), len(truth), len(TAUS)))
        if not estimates:
            return values
        poses = np.concatenate([np.stack([estimate.cam_from_obj for estimate in estimates]), truth])
        which = [self._places[target.obj_id]] * len(poses)
        seen = distances(self._renderer.render(which, poses, target.camera_matrix, *test.shape), target.camera_matrix)
        diameter = self.dataset.objects[target.obj_id].diameter
        for e in range(len(estimates)):
            for g in range(len(truth)):
                values[e, g] = vsd(seen[e], seen[len(estimates) + g], test, diameter)
        return values

    def _judged(self, target: Target, estimates: list[Result], discrepancies: FloatArray | None) -> Judged:
        item = self.dataset.objects[target.obj_id]
        considered, truth = estimates[: target.count], target.truth[target.wanted]
        errors = _errors(item, considered, truth, target.camera_matrix, WIDTH / self.dataset.width)
        return Judged(
            target, errors.add, errors.add_s, errors.mssd, errors.mspd, discrepancies,
            outcomes=tuple(_outcomes(item, target, considered, errors)),
            scored=tuple(_scored(item, target, estimates)),
        )  # fmt: skip


def false_alarms(dataset: EvaluationSet, results: Sequence[Result]) -> list[tuple[float, bool]]:
    """As `Judged.scored`: estimates of the dataset's objects in images of its targets that do not show them."""
    scenes = {(target.scene_id, target.im_id): target.scene for target in dataset.targets}
    there = {(*image, pose.obj_id) for image, scene in scenes.items() for pose in scene.poses[image[1]]}
    return [
        (result.score, False)
        for result in results
        if (result.scene_id, result.im_id) in scenes
        and result.obj_id in dataset.objects
        and (result.scene_id, result.im_id, result.obj_id) not in there
    ]


def _errors(
    item: EvaluatedObject, estimates: list[Result], truth: FloatArray, camera_matrix: FloatArray, scale: float
) -> _Errors:
    shape = len(estimates), len(truth)
    values = {name: np.full(shape, np.inf) for name in ("add", "add_s", "mssd", "mspd")}
    nearest = np.empty((*shape, 4, 4))
    for e, estimate in enumerate(estimates):
        for g, true in enumerate(truth):
            pose = estimate.cam_from_obj
            each = mssd_each(pose, true, item.hull, item.symmetries)
            nearest[e, g] = true @ item.symmetries[each.argmin()]
            values["mssd"][e, g] = each.min()
            values["mspd"][e, g] = scale * mspd(pose, true, item.vertices, item.symmetries, camera_matrix)
            values["add"][e, g] = add(pose, true, item.points)
            values["add_s"][e, g] = add_s(pose, true, item.points)
    return _Errors(**values, nearest=nearest)


def _outcomes(item: EvaluatedObject, target: Target, estimates: list[Result], errors: _Errors) -> Iterator[Outcome]:
    """Matches estimates and true poses as everywhere, but without a limit of the error."""
    counting = errors.add_s if item.symmetric else errors.add
    matched = match(counting, np.inf)
    for g, (true, visibility) in enumerate(
        zip(target.truth[target.wanted], target.visibility[target.wanted], strict=True)
    ):
        (found,) = np.nonzero(matched == g)
        if not len(found):
            yield Outcome(target, true, float(visibility))
            continue
        e = int(found[0])
        pose, nearest = estimates[e].cam_from_obj, errors.nearest[e, g]
        yield Outcome(
            target, true, float(visibility), estimates[e], float(errors.add[e, g]), float(errors.add_s[e, g]),
            float(counting[e, g]), rotation_error(pose, nearest), translation_error(pose, nearest),
        )  # fmt: skip


def _scored(item: EvaluatedObject, target: Target, estimates: list[Result]) -> Iterator[tuple[float, bool]]:
    """All estimates against all true poses: a pose of a hardly visible object is not called wrong."""
    measure = add_s if item.symmetric else add
    errors: NDArray = np.array(
        [[measure(e.cam_from_obj, true, item.points) for true in target.truth] for e in estimates]
    )
    matched = match(errors.reshape(len(estimates), len(target.truth)), RIGHT * item.diameter)
    for estimate, place in zip(estimates, matched, strict=True):
        yield estimate.score, bool(place >= 0)
