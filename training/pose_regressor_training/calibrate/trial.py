"""A bundle tried out on synthetic frames: each pose that the runtime finds, compared with the true ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import chi2

from pose_regressor.estimation.estimator import PoseEstimator
from pose_regressor.geometry.errors import add
from pose_regressor.geometry.rigid import difference
from pose_regressor.network.bundle import Bundle
from pose_regressor.network.calibration import Calibration
from pose_regressor.settings import SCORE_THRESHOLD
from pose_regressor.types import FloatArray, ObjectModel, PoseEstimate
from pose_regressor_training.calibrate.frames import TrueFrame, true_frames
from pose_regressor_training.evaluate.errors import add_s, mssd_each
from pose_regressor_training.evaluate.judge import RIGHT
from pose_regressor_training.evaluate.matching import match
from pose_regressor_training.meshes.mesh import Mesh
from pose_regressor_training.randomize.config import RandomizeConfig
from pose_regressor_training.samples.sensor_depth import SensorDepth

#: Frames that a measurement takes. They hold about 400 objects.
FRAMES = 320
#: A pose that is farther off (ADD(-S) in diameters) is false: it has nothing to do with any true one.
FALSE = 0.5
#: Changes neither scores nor covariances.
RAW = Calibration(((0.0, 0.0), (1.0, 1.0)), 1.0)


@dataclass(frozen=True, eq=False)
class Found:
    """A pose that was found in a synthetic frame. All errors are to the nearest pose that equals the true one.

    channel: number of the object in its bundle
    score: as the estimator gave it
    error: ADD, or ADD-S of a symmetric object, in diameters; inf if the frame does not show the object
    right: whether `error` is below 0.1, and no pose of a higher score is right for the same object
    visible: whether the object that it is right for counts among those to be found
    rotation: error in radians; NaN of a false pose
    translation: error in metres; NaN of a false pose
    mahalanobis: squared Mahalanobis distance of the true pose; NaN of a false pose, and of one that is only regressed
    depth: whether measured depth was compared with the pose
    place: number of the true object that a right pose is for, counted over all frames; -1 of the others
    """

    channel: int
    score: float
    error: float
    right: bool
    visible: bool = True
    rotation: float = np.nan
    translation: float = np.nan
    mahalanobis: float = np.nan
    depth: bool = False
    place: int = -1


@dataclass(frozen=True, eq=False)
class Trial:
    """What an estimator found in synthetic frames.

    found: every pose
    objects: for each of the bundle's objects, how many the frames show well enough that they should be found
    frames: how many were searched
    """

    found: tuple[Found, ...]
    objects: tuple[int, ...]
    frames: int

    def with_depth(self) -> Trial:
        """The part of the poses that measured depth was compared with."""
        return replace(self, found=tuple(one for one in self.found if one.depth))

    def scored(self, calibration: Calibration = RAW) -> FloatArray:
        """(N, 2) scores, mapped by the calibration, and whether each pose is right (0 or 1)."""
        pairs = [(calibration.probability(one.score), one.right) for one in self.found]
        return np.array(pairs, np.float64).reshape(-1, 2)

    def mahalanobis(self) -> FloatArray:
        """Squared Mahalanobis distances of the true poses, where there are any."""
        distances = np.array([one.mahalanobis for one in self.found], np.float64)
        return distances[np.isfinite(distances)]

    def inside(self, share: float, calibration: Calibration = RAW) -> float:
        """The share of the true poses that lie in the ellipsoid which should hold `share` of them; NaN without any."""
        distances = self.mahalanobis() / calibration.covariance_scale
        return float(np.mean(distances < chi2.ppf(share, 6))) if len(distances) else np.nan


def try_out(
    bundle: Bundle,
    meshes: Sequence[Mesh],
    seed: int,
    frames: int = FRAMES,
    config: RandomizeConfig | None = None,
    device: str = "cpu",
    threshold: float = SCORE_THRESHOLD,
    progress: Callable[[int], None] = lambda done: None,
    sensor: SensorDepth | None = None,
) -> Trial:
    """Search synthetic frames for the bundle's objects, as a user's program does.

    meshes, config, sensor: as `true_frames` has them
    threshold: least score of a pose
    progress: called with the number of frames done; a frame takes about a quarter of a second of one CPU core
    """
    estimator = PoseEstimator(bundle, device, threshold)
    [trial] = try_each([estimator], meshes, seed, frames, config, device, progress, sensor)
    return trial


def try_each(
    estimators: Sequence[PoseEstimator],
    meshes: Sequence[Mesh],
    seed: int,
    frames: int,
    config: RandomizeConfig | None = None,
    device: str = "cpu",
    progress: Callable[[int], None] = lambda done: None,
    sensor: SensorDepth | None = None,
) -> list[Trial]:
    """`try_out` of several estimators on the same frames. Each has one bundle, of the same objects."""
    [bundle] = estimators[0].bundles
    found: list[list[Found]] = [[] for _ in estimators]
    objects, before = np.zeros(len(bundle.objects), int), 0
    for done, true in enumerate(true_frames(bundle, meshes, seed, frames, config, device, sensor), start=1):
        objects += np.bincount(true.channel[true.visible], minlength=len(objects))
        for estimator, own in zip(estimators, found, strict=True):
            own += judged(estimator.objects, estimator.estimate(true.frame), true, before)
        before += len(true.channel)
        progress(done)
    return [Trial(tuple(own), tuple(objects.tolist()), frames) for own in found]


def judged(
    models: Sequence[ObjectModel], estimates: Sequence[PoseEstimate], true: TrueFrame, before: int = 0
) -> Iterator[Found]:
    """Compare what was found in a frame with what is there.

    models: of the bundle whose channels `true` names
    before: how many objects the frames before this one have, for `Found.place`
    """
    for channel, model in enumerate(models):
        own = true.channel == channel
        poses, visible = true.cam_from_obj[own], true.visible[own]
        mine = sorted((e for e in estimates if e.model is model), key=lambda estimate: -estimate.score)
        errors = np.array([[_error(estimate, pose) for pose in poses] for estimate in mine])
        errors = errors.reshape(len(mine), len(poses))
        for estimate, row, place in zip(mine, errors, match(errors, RIGHT), strict=True):
            error, right = float(row.min(initial=np.inf)), bool(place >= 0)
            if error >= FALSE:
                yield Found(channel, estimate.score, error, right=False, depth=estimate.depth_share is not None)
                continue
            off = _deviation(estimate, poses[int(row.argmin())])
            measured = estimate.method == "pnp" or estimate.depth_share is not None
            squared = off @ np.linalg.solve(estimate.covariance, off) if measured else np.nan
            yield Found(
                channel, estimate.score, error, right,
                visible=bool(visible[place]) if right else False,
                rotation=float(np.linalg.norm(off[3:])),
                translation=float(np.linalg.norm(off[:3])),
                mahalanobis=float(squared),
                depth=estimate.depth_share is not None,
                place=before + int(np.flatnonzero(own)[place]) if right else -1,
            )  # fmt: skip


def _error(estimate: PoseEstimate, true: FloatArray) -> float:
    """ADD, or ADD-S of a symmetric object, in diameters."""
    model = estimate.model
    measure = add_s if len(model.symmetries) else add
    return measure(estimate.cam_from_obj, true, model.points) / model.diameter


def _deviation(estimate: PoseEstimate, true: FloatArray) -> FloatArray:
    """(6,) the motion from the estimate to the nearest pose that equals the true one, as its covariance has it."""
    model, pose = estimate.model, estimate.cam_from_obj
    symmetries = np.concatenate([np.eye(4)[None], model.symmetries])
    nearest = true @ symmetries[mssd_each(pose, true, model.points, symmetries).argmin()]
    return difference(nearest, pose)
