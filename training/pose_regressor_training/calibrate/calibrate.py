"""Scores and covariances that mean something: what poses turn out to be on synthetic frames, and the maps from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from scipy.stats import chi2

from pose_regressor.estimation.estimator import PoseEstimator
from pose_regressor.estimation.refine_colors import BLURS, POINTS
from pose_regressor.network.bundle import Bundle
from pose_regressor.network.calibration import Calibration
from pose_regressor.types import Camera, FloatArray, Frame, InputError, ObjectModel, PoseEstimate
from pose_regressor_training.calibrate import crops as evaluate
from pose_regressor_training.evaluate.errors import mssd_each
from pose_regressor_training.evaluate.judge import RIGHT
from pose_regressor_training.evaluate.matching import match
from pose_regressor_training.evaluate.metrics import add, add_s
from pose_regressor_training.evaluate.reliability import reliability
from pose_regressor_training.meshes.mesh import Mesh
from pose_regressor_training.meshes.surface_colors import with_colors
from pose_regressor_training.randomize.config import RandomizeConfig
from pose_regressor_training.randomize.scene import SceneSampler
from pose_regressor_training.samples.batches import Generator

#: Frames that are enough for a map of a few knots: about 500 poses of an object that is found.
FRAMES = 320
WIDTH, HEIGHT = 640, 480
#: Fewest and most objects meant for a frame; a part of them finds no place.
OBJECTS = (0, 3)
#: Poses of lower raw scores are not looked at: hardly any is right, and they are many.
LEAST_RAW = 0.1
#: A group of poses whose share of right ones makes a knot, at least, and so many groups at most.
GROUP, GROUPS = 40, 12
#: A pose that is farther off (ADD(-S) in diameters) is lost: no ellipsoid around it has anything to do with the truth.
LOST = 0.5
#: The ellipsoid that is meant to hold this share of the true poses is the one that does.
HELD = 0.95
#: Scores and covariances as the network and PnP leave them.
RAW = Calibration(((0.0, 0.0), (1.0, 1.0)), 1.0)
_BATCH = 8


@dataclass(frozen=True, eq=False)
class Found:
    """An estimate on a synthetic frame. raw: its score before the map; share: its ADD(-S) in diameters, inf without an
    object in the frame that it could mean; right: whether it counts as one found; held: squared Mahalanobis distance of
    the true pose, as far as the covariance was by PnP and the pose is not lost, else NaN."""

    raw: float
    share: float
    right: bool
    held: float


@dataclass(frozen=True, eq=False)
class Trial:
    """What a bundle says of frames of its own generator; objects: how many there are in all of them."""

    found: tuple[Found, ...]
    objects: int

    def scored(self, calibration: Calibration) -> FloatArray:
        """(N, 2) scores and rightness."""
        pairs = [(calibration.probability(one.raw), one.right) for one in self.found]
        return np.array(pairs, np.float64).reshape(-1, 2)

    def held(self, calibration: Calibration, share: float) -> float:
        """How many of the true poses the ellipsoids hold that are meant to hold this share of them."""
        distances = self._held() / calibration.covariance_scale
        return float(np.mean(distances < chi2.ppf(share, 6))) if len(distances) else np.nan

    def calibration(self) -> Calibration:
        """Its defaults as far as there are too few poses to tell."""
        distances, raw = self._held(), np.array([one.raw for one in self.found])
        calibration = Calibration()
        if len(raw) >= 2 * GROUP:
            calibration = replace(calibration, score=score_map(raw, np.array([one.right for one in self.found])))
        if len(distances) >= 2 * GROUP:
            scale = float(np.quantile(distances, HELD) / chi2.ppf(HELD, 6))
            calibration = replace(calibration, covariance_scale=round(scale, 4))
        return calibration

    def summary(self, calibration: Calibration, threshold: float) -> dict[str, float]:
        """Expected calibration error, coverage, and what passes a threshold: shares of the objects found right, and of
        poses that are right and that are lost."""
        scored = self.scored(calibration)
        passing = [one for one in self.found if calibration.probability(one.raw) >= threshold]
        count = max(len(passing), 1)
        return {
            "ece": reliability(scored).ece,
            "held": self.held(calibration, HELD),
            "recall": sum(one.right for one in passing) / max(self.objects, 1),
            "right": sum(one.right for one in passing) / count,
            "lost": sum(one.share >= LOST for one in passing) / count,
        }

    def _held(self) -> FloatArray:
        distances = np.array([one.held for one in self.found], np.float64)
        return distances[np.isfinite(distances)]


def try_out(
    bundle: Bundle,
    meshes: Sequence[Mesh],
    seed: int,
    frames: int = FRAMES,
    config: RandomizeConfig | None = None,
    device: str = "cpu",
    progress: Callable[[int], None] = lambda done: None,
) -> Trial:
    """Search frames of the bundle's objects, whose meshes are given in their order, as the estimator does.

    config: as `evaluate` has it if it is not given; progress: called with the number of frames done. A frame takes
    about a quarter of a second of a CPU.
    """
    _check(bundle, meshes)
    sampler = SceneSampler(config or evaluate.randomization(bundle), list(bundle.objects), seed)
    generator = Generator(sampler, meshes, device)
    plain = replace(bundle, calibration=RAW)
    estimator = PoseEstimator(plain, device, LEAST_RAW)
    found: list[Found] = []
    objects = 0
    for first in range(0, frames, _BATCH):
        count = min(_BATCH, frames - first)
        samples = generator.frames(np.random.default_rng((seed, first)), count, WIDTH, HEIGHT, OBJECTS)
        images = samples.image.permute(0, 2, 3, 1).contiguous().cpu().numpy()
        scenes, target = samples.drawn.scenes, samples.drawn.target
        for b in range(count):
            estimates = estimator.estimate(Frame(images[b], Camera(WIDTH, HEIGHT, scenes.camera_matrix[b])))
            for channel, model in enumerate(bundle.objects):
                truth = scenes.cam_from_obj[b][target[b] == channel]
                objects += len(truth)
                found += _judged([e for e in estimates if e.model is model], truth, model)
            progress(first + b + 1)
    return Trial(tuple(found), objects)


def calibrate(
    bundle: Bundle, meshes: Sequence[Mesh], seed: int, frames: int | None = None, device: str = "cpu"
) -> Trial:
    """Measure a finished bundle on FRAMES frames, if no other number is given, and set its `calibration`; its
    `depth_scale` must be known by then. Returns what it was measured on."""
    trial = try_out(bundle, meshes, seed, frames or FRAMES, device=device)
    bundle.calibration = trial.calibration()
    return trial


def score_map(raw: FloatArray, right: NDArray[np.bool_]) -> tuple[tuple[float, float], ...]:
    """Knots of the strictly increasing map from raw scores (N,) in [0, 1] to the share of those that are right (N,).

    Shares of groups of equal size, pooled where they fall (isotonic regression by pool-adjacent-violators: Zadrozny and
    Elkan, KDD 2002). Each counts half a right and half a wrong one more than there were, so that nothing is certain.
    """
    order = np.argsort(raw, kind="stable")
    count = int(np.clip(len(raw) // GROUP, 1, GROUPS))
    pooled: list[NDArray] = []  # number, sum of raw scores, number of right ones
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


def _judged(estimates: list[PoseEstimate], truth: FloatArray, model: ObjectModel) -> Iterator[Found]:
    """Of one object in one frame, where it truly is in the poses (G, 4, 4)."""
    measure = add_s if len(model.symmetries) else add
    estimates = sorted(estimates, key=lambda estimate: -estimate.score)
    errors = np.array(
        [
            [measure(estimate.cam_from_obj, true, model.points) / model.diameter for true in truth]
            for estimate in estimates
        ]
    ).reshape(len(estimates), len(truth))
    matched = match(errors, RIGHT)
    for estimate, row, place in zip(estimates, errors, matched, strict=True):
        share, held = float(row.min(initial=np.inf)), np.nan
        if share < LOST and estimate.method == "pnp":
            held = _mahalanobis(estimate, truth[int(row.argmin())], model)
        yield Found(estimate.score, share, bool(place >= 0), held)


def _mahalanobis(estimate: PoseEstimate, true: FloatArray, model: ObjectModel) -> float:
    """Squared, of the nearest pose that is equal to the true one."""
    symmetries = np.concatenate([np.eye(4)[None], model.symmetries])
    pose = estimate.cam_from_obj
    nearest = true @ symmetries[mssd_each(pose, true, model.points, symmetries).argmin()]
    turn = Rotation.from_matrix(nearest[:3, :3] @ pose[:3, :3].T).as_rotvec()
    moved = np.concatenate([nearest[:3, 3] - pose[:3, 3], turn])
    return float(moved @ np.linalg.solve(estimate.covariance, moved))


def add_colors(bundle: Bundle, meshes: Sequence[Mesh]) -> None:
    """Give objects of bundles from before there were any, or so many, the colours of their surfaces."""
    _check(bundle, meshes)
    bundle.objects = tuple(
        model if model.colors.shape[:2] == (max(POINTS), len(BLURS)) else with_colors(model, mesh)
        for model, mesh in zip(bundle.objects, meshes, strict=True)
    )


def _check(bundle: Bundle, meshes: Sequence[Mesh]) -> None:
    if len(meshes) != len(bundle.objects):
        raise InputError(f"meshes: expected those of {len(bundle.objects)} objects, got {len(meshes)}")
    for model, mesh in zip(bundle.objects, meshes, strict=True):
        bounds = np.stack([mesh.vertices.min(0), mesh.vertices.max(0)])
        if np.abs(bounds - model.bounds).max() > 0.01 * model.diameter:
            size = " x ".join(f"{1000 * edge:.0f}" for edge in np.ptp(bounds, axis=0))
            expected = " x ".join(f"{1000 * edge:.0f}" for edge in model.size)
            raise InputError(
                f"mesh of {model.name}: expected the one it was trained on, of {expected} mm, got {size} mm"
            )
