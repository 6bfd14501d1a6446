"""Calibration of a bundle: its distances, scores and covariances are set to what synthetic frames show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from pose_regressor.estimation.boxes import ideal_box
from pose_regressor.estimation.estimator import PoseEstimator
from pose_regressor.estimation.refine_colors import BLURS, POINTS
from pose_regressor.network.bundle import Bundle
from pose_regressor.network.calibration import RGBD_CALIBRATION, Calibration
from pose_regressor.types import FloatArray, InputError
from pose_regressor_training.bop.models_info import read_models_info
from pose_regressor_training.calibrate.frames import check_meshes, true_frames
from pose_regressor_training.calibrate.trial import FRAMES, RAW, Trial, try_out
from pose_regressor_training.meshes.mesh import Mesh
from pose_regressor_training.meshes.surface_colors import with_colors
from pose_regressor_training.randomize.config import RandomizeConfig
from pose_regressor_training.samples.sensor_depth import SensorDepth

#: Poses of lower raw scores are left out: they are many, and hardly any is right.
LEAST_RAW = 0.1
#: Each knot of the score map stands for at least GROUP poses, and there are at most GROUPS knots.
GROUP, GROUPS = 40, 12
#: The covariance is scaled so that the ellipsoid that should hold this share of the true poses does hold it.
HELD = 0.95
#: Fewest distances from which the distance factor is measured.
LEAST_DISTANCES = 32
#: Added to a training's seed for the frames on which its bundle is calibrated.
CALIBRATION_SEED = 3_000
#: Added to the seed for the frames of the distance factor. `measure` adds 1.
DISTANCE_SEED = 2


@dataclass(frozen=True, eq=False)
class Calibrated:
    """What a calibration was measured on.

    depth_scale: the distance factor, as it was measured or left
    trial: the poses by which scores and covariances were calibrated, with their raw scores; those of the images alone,
        unless only those with depth were calibrated
    """

    depth_scale: float
    trial: Trial


def calibrate(
    bundle: Bundle,
    meshes: Sequence[Mesh],
    seed: int,
    frames: int | None = None,
    config: RandomizeConfig | None = None,
    device: str = "cpu",
    keep_distances: bool = False,
    progress: Callable[[int], None] = lambda done: None,
    sensor: SensorDepth | None = None,
    only_depth: bool = False,
) -> Calibrated:
    """Measure the distance factor, the score map and the covariance scale of a bundle, and set them in it.

    meshes: of the bundle's objects, in their order
    seed: of the synthetic frames; must not be one that the network was trained with
    frames: how many are searched; FRAMES by default. Half as many more serve the distance factor.
    config: what is randomized; everything by default, with the poses that the bundle was trained for
    keep_distances: leave `bundle.depth_scale` as it is
    progress: called with the number of frames searched
    sensor: None calibrates the image alone; else the same frames, with the depth that this sensor measures, also
        calibrate `bundle.rgbd_calibration`, which doubles the time
    only_depth: leave all else as it is; needs a sensor

    Whatever too few poses were found for keeps its default: a factor of 1, raw scores, covariances as PnP gives them.
    Raises InputError if a mesh is not the one of its object, or if `only_depth` comes without a sensor.
    """
    if only_depth and sensor is None:
        raise InputError("calibrate: expected a sensor whose depth is to be calibrated, got none")
    frames = frames or FRAMES
    if not only_depth:
        if not keep_distances:
            bundle.depth_scale = distance_factor(bundle, meshes, seed, max(frames // 2, 1), config, device)
        plain = replace(bundle, calibration=RAW)
        trial = try_out(plain, meshes, seed, frames, config, device, LEAST_RAW, progress)
        bundle.calibration = calibration_of(trial)
    if sensor:
        # Depth weighs poses by the image's calibrated covariances, so these stay as they are now.
        plain = replace(bundle, rgbd_calibration=RAW)
        measured = try_out(plain, meshes, seed, frames, config, device, LEAST_RAW, progress, sensor)
        own = calibration_of(measured.with_depth(), RGBD_CALIBRATION)
        bundle.rgbd_calibration = replace(own, at_most=RGBD_CALIBRATION)
    return Calibrated(bundle.depth_scale, measured if only_depth else trial)


def distance_factor(
    bundle: Bundle,
    meshes: Sequence[Mesh],
    seed: int,
    frames: int,
    config: RandomizeConfig | None = None,
    device: str = "cpu",
) -> float:
    """The factor that brings the median of PnP's distances to the true ones: a dense regression errs to one side.

    The network looks at the true box of each visible object; poses are not refined. 1 if PnP answers too seldom.
    """
    estimator = PoseEstimator(replace(bundle, depth_scale=1.0, calibration=RAW), device)
    ratios: list[float] = []
    for true in true_frames(bundle, meshes, seed + DISTANCE_SEED, frames, config, device):
        models = [bundle.objects[channel] for channel in true.channel[true.visible]]
        poses = true.cam_from_obj[true.visible]
        places = [
            (model.name, ideal_box(model, pose, true.frame.camera)) for model, pose in zip(models, poses, strict=True)
        ]
        for estimate, pose in zip(estimator.look(true.frame, places, refined=False), poses, strict=True):
            if estimate.method == "pnp":
                ratios.append(float(pose[2, 3] / estimate.translation[2]))
    return round(float(np.median(ratios)), 4) if len(ratios) >= LEAST_DISTANCES else 1.0


def calibration_of(trial: Trial, default: Calibration | None = None) -> Calibration:
    """The score map and the covariance scale that fit a trial with raw scores; `default` where it has too few poses."""
    distances, calibration = trial.mahalanobis(), default or Calibration()
    raw, right = trial.scored().T
    if len(raw) >= 2 * GROUP:
        calibration = replace(calibration, score=score_map(raw, right > 0))
    if len(distances) >= 2 * GROUP:
        scale = float(np.quantile(distances, HELD) / chi2.ppf(HELD, 6))
        calibration = replace(calibration, covariance_scale=round(scale, 4))
    return calibration


def score_map(raw: FloatArray, right: NDArray[np.bool_]) -> tuple[tuple[float, float], ...]:
    """Knots of a strictly increasing map from raw scores (N,) in [0, 1] to the share of those that are right (N,).

    The poses are sorted by score and cut into groups of equal size; neighbouring groups whose shares fall are pooled
    (isotonic regression by pool-adjacent-violators: Zadrozny and Elkan, KDD 2002). Each group counts half a right and
    half a wrong pose more than it has, so that nothing is certain.
    """
    order = np.argsort(raw, kind="stable")
    count = int(np.clip(len(raw) // GROUP, 1, GROUPS))
    pooled: list[NDArray] = []  # number of poses, sum of raw scores, number of right ones
    for group in np.array_split(order, count):
        pooled.append(np.array([len(group), raw[group].sum(), right[group].sum()]))
        while len(pooled) > 1 and (_share(pooled[-2]) >= _share(pooled[-1]) or _raw(pooled[-2]) >= _raw(pooled[-1])):
            pooled[-2:] = [pooled[-2] + pooled[-1]]
    knots = [(0.0, 0.0)]
    for block in pooled:
        knot = round(_raw(block), 6), round(_share(block), 6)
        if knots[-1][0] < knot[0] < 1 and knots[-1][1] < knot[1]:
            knots.append(knot)
    last = max(knots[-1][1], _share(pooled[-1]))
    return (*knots, (1.0, round(last + 0.1 * (1 - last), 6)))


def _share(block: NDArray) -> float:
    return float((block[2] + 0.5) / (block[0] + 1))


def _raw(block: NDArray) -> float:
    return float(block[1] / block[0])


def take_symmetries(bundle: Bundle, models_info: Path) -> None:
    """Give the bundle's objects the symmetries of a BOP models_info.json. Those that it does not name keep theirs.

    Raises InputError if it names none of them.
    """
    infos = read_models_info(models_info)
    ids = [model.obj_id for model in bundle.objects]
    if not set(ids) & set(infos):
        wanted, got = ", ".join(map(str, ids)), ", ".join(map(str, infos))[:100]
        raise InputError(f"{models_info}: expected one of the bundle's objects ({wanted}), got {got}")
    bundle.objects = tuple(
        replace(model, symmetries=infos[model.obj_id].symmetries.discretised()) if model.obj_id in infos else model
        for model in bundle.objects
    )


def add_colors(bundle: Bundle, meshes: Sequence[Mesh]) -> None:
    """Give the objects of an old bundle the surface colours that today's refinement needs, from their meshes."""
    check_meshes(bundle, meshes)
    bundle.objects = tuple(
        model if model.colors.shape[:2] == (max(POINTS), len(BLURS)) else with_colors(model, mesh)
        for model, mesh in zip(bundle.objects, meshes, strict=True)
    )
