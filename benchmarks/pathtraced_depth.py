"""Own objects in path-traced frames: what simulated depth adds to their poses and covariances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from headlines import Headline
from rich.console import Console
from rich.table import Table
from scipy.stats import chi2

from pose_regressor.assets import find_model
from pose_regressor.estimation.estimator import PoseEstimator
from pose_regressor.types import Camera, Frame, ObjectModel, PoseEstimate
from pose_regressor_training.bop.reader import open_split
from pose_regressor_training.calibrate.frames import TrueFrame, with_wall
from pose_regressor_training.calibrate.trial import FALSE, Found, judged
from pose_regressor_training.samples.sensor_depth import SensorDepth

#: Bundles whose objects the frames show. Their numbers in the dataset are 1, 2 and so on.
OWN = ("box", "toy", "symmetric", "cube", "dragon")
#: Least share of an object that must be seen, and its distances, metres, for it to count among those to be found.
SEEN, NEAREST, FARTHEST = 0.5, 0.4, 1.5
PROBABILITY = 0.95


@dataclass(frozen=True, eq=False)
class Shot:
    """A frame with depth, and what is in it.

    frame: with the sensor's depth
    obj_id: (N,) of the objects; cam_from_obj: (N, 4, 4) true poses; visible: (N,) whether they should be found
    """

    frame: Frame
    obj_id: np.ndarray
    cam_from_obj: np.ndarray
    visible: np.ndarray

    def of(self, obj_id: int) -> TrueFrame:
        """The part of one object, as channel 0."""
        own = self.obj_id == obj_id
        return TrueFrame(self.frame, np.zeros(own.sum(), np.int64), self.cam_from_obj[own], self.visible[own])


@dataclass(frozen=True)
class Judged:
    """A pose with what it turned out to be.

    ray: its standard deviation along the ray, metres
    along, across: its error along the ray and across it, metres
    draw: number of the sensor's draw
    """

    found: Found
    ray: float
    along: float
    across: float
    draw: int


@dataclass(frozen=True)
class Outcome:
    """All poses of one object in `frames` frames, with `targets` objects to be found."""

    targets: int
    poses: tuple[Judged, ...]
    frames: int

    def figures(self) -> dict[str, float]:
        """Shares in percent, lengths in millimetres; NaN where nothing was found."""
        wanted = [one for one in self.poses if one.found.right and one.found.visible]
        distances = np.array([one.found.mahalanobis for one in self.poses])
        distances = distances[np.isfinite(distances)]
        return {
            "right": 100 * len(wanted) / max(self.targets, 1),
            "precise": 100 * sum(one.found.error < 0.05 for one in wanted) / max(self.targets, 1),
            "translation": 1000 * _median([one.found.translation for one in wanted]),
            "along": 1000 * _median([one.along for one in wanted]),
            "across": 1000 * _median([one.across for one in wanted]),
            "rotation": float(np.degrees(_median([one.found.rotation for one in wanted]))),
            "ray": 1000 * _median([one.ray for one in wanted]),
            "inside": 100 * float(np.mean(distances < chi2.ppf(PROBABILITY, 6))) if len(distances) else np.nan,
            "poses": len(distances),
            "false": sum(one.found.error >= FALSE for one in self.poses) / max(self.frames, 1),
        }

    def per_draw(self) -> list[tuple[float, float]]:
        """Of each draw: the median translation error in mm, and the share in the ellipsoid in percent."""
        draws = sorted({one.draw for one in self.poses})
        own = [replace(self, poses=tuple(one for one in self.poses if one.draw == draw)) for draw in draws]
        return [(figures["translation"], figures["inside"]) for figures in (one.figures() for one in own)]


def _median(values: Sequence[float]) -> float:
    return float(np.median(values)) if len(values) else np.nan


def shots(dataset: Path, sensor: SensorDepth, draw: int = 0) -> list[Shot]:
    """The frames of DATASET/test; their true depth, measured by the sensor. The same ones for the same draw."""
    made = []
    for scene in open_split(dataset / "test"):
        for im_id in scene.im_ids:
            image = scene.image(im_id)
            camera = Camera(image.shape[1], image.shape[0], scene.cameras[im_id])
            rng = np.random.default_rng((im_id, draw) if draw else im_id)
            depth = sensor.measure(with_wall(scene.depth(im_id), camera, rng), camera.matrix, rng)
            poses = np.array([pose.cam_from_obj for pose in scene.poses[im_id]]).reshape(-1, 4, 4)
            shares = np.array([one.fraction for one in scene.visibility[im_id]])
            within = (poses[:, 2, 3] > NEAREST) & (poses[:, 2, 3] < FARTHEST)
            obj_id = np.array([pose.obj_id for pose in scene.poses[im_id]])
            made.append(Shot(Frame(image, camera, depth=depth, index=im_id), obj_id, poses, (shares >= SEEN) & within))
    return made


def judge(model: ObjectModel, estimates: Sequence[PoseEstimate], true: TrueFrame, draw: int) -> list[Judged]:
    ranked = sorted((e for e in estimates if e.model is model), key=lambda estimate: -estimate.score)
    rows = []
    for found, estimate in zip(judged([model], ranked, true), ranked, strict=True):
        ray = estimate.translation / np.linalg.norm(estimate.translation)
        along = across = np.nan
        if len(off := true.cam_from_obj[:, :3, 3] - estimate.translation):
            along = abs(float(off[np.linalg.norm(off, axis=1).argmin()] @ ray))
            across = float(np.sqrt(max(found.translation**2 - along**2, 0)))
        sigma = float(np.sqrt(ray @ estimate.covariance[:3, :3] @ ray))
        rows.append(Judged(found, sigma, along, across, draw))
    return rows


def measure(
    dataset: Path, kinds: Sequence[str], bias: float, draws: Sequence[int], alone: bool
) -> dict[str, dict[str, Outcome]]:
    """ "rgb" and the kinds of sensors -> name of the object -> what was found. The arguments are those of `report`."""
    bundles = [find_model(name) for name in OWN]
    estimators = [PoseEstimator(own, "cpu") for own in (bundles if alone else [bundles])]
    outcomes: dict[str, dict[str, Outcome]] = {kind: dict.fromkeys(OWN, Outcome(0, (), 0)) for kind in ("rgb", *kinds)}
    # What the image alone says does not depend on the draw.
    for kind, draw in [("rgb", draws[0]), *((kind, draw) for kind in kinds for draw in draws)]:
        sensor = SensorDepth(kinds[0] if kind == "rgb" else kind, bias=bias)  # type: ignore[arg-type]
        for shot in shots(dataset, sensor, draw):
            frame = replace(shot.frame, depth=None) if kind == "rgb" else shot.frame
            for estimator in estimators:
                _add(outcomes[kind], shot, estimator, frame, draw)
    return outcomes


def _add(outcomes: dict[str, Outcome], shot: Shot, estimator: PoseEstimator, frame: Frame, draw: int) -> None:
    """Search a frame for the estimator's objects, shown or not, and add what was found to the outcomes."""
    estimates = estimator.search(frame).poses
    for model in estimator.objects:
        true, before = shot.of(OWN.index(model.name) + 1), outcomes[model.name]
        poses = before.poses + tuple(judge(model, estimates, true, draw))
        outcomes[model.name] = Outcome(before.targets + int(true.visible.sum()), poses, before.frames + 1)


def report(
    dataset: Path, kinds: Sequence[str], bias: float, draws: Sequence[int], alone: bool
) -> tuple[list[Headline], dict[str, object]]:
    """Prints a table; returns the headlines, of the first kind of sensor, and all figures.

    bias: as of SensorDepth; draws: as of `shots`, all counted together
    alone: each bundle searches by itself; else one program searches for all objects
    """
    outcomes = measure(dataset, kinds, bias, draws, alone)
    every = {kind: Outcome(sum(o.targets for o in own.values()), sum((o.poses for o in own.values()), ()),
                           own[OWN[0]].frames) for kind, own in outcomes.items()}  # fmt: skip
    table = Table(title=f"path-traced frames, {every['rgb'].targets} objects at {NEAREST:g} to {FARTHEST:g} m")
    headings = (
        "object", "depth", "objects", "0.1 d %", "0.05 d %", "mm", "along ray", "across", "degrees", "ray sigma mm",
        "in 95 % ellipsoid", "false a frame",
    )  # fmt: skip
    for heading in headings:
        table.add_column(heading, justify="right")
    figures: dict[str, object] = {}
    for name in (*OWN, "all"):
        for kind in ("rgb", *kinds):
            outcome = every[kind] if name == "all" else outcomes[kind][name]
            own = outcome.figures()
            row = [f"{own[key]:.1f}" for key in ("right", "precise")] + [
                f"{own[key]:.2f}" for key in ("translation", "along", "across", "rotation", "ray")
            ]  # fmt: skip
            table.add_row(
                name, kind, str(outcome.targets), *row, f"{own['inside']:.1f} of {own['poses']}", f"{own['false']:.2f}"
            )
            figures[f"{name} {kind}"] = own
    Console(width=140).print(table)
    for kind in kinds if len(draws) > 1 else ():
        own = every[kind].per_draw()
        figures[f"draws {kind}"] = own
        print(f"{kind}, each draw: median " + ", ".join(f"{mm:.2f} mm ({inside:.1f} %)" for mm, inside in own))
    with_depth, without = every[kinds[0]].figures(), every["rgb"].figures()
    worst = min(outcomes[kinds[0]][n].figures()["right"] - outcomes["rgb"][n].figures()["right"] for n in OWN)
    return [
        Headline(
            f"path-traced, {kinds[0]}, median translation error", with_depth["translation"], "mm", "without depth",
            without["translation"], without["translation"] / with_depth["translation"],
        ),
        Headline(
            f"path-traced, {kinds[0]}, standard deviation along the ray", with_depth["ray"], "mm", "without depth",
            without["ray"], without["ray"] / with_depth["ray"],
        ),
        Headline(
            f"path-traced, {kinds[0]}, objects right within 0.1 d", with_depth["right"], "%", "without depth",
            without["right"], with_depth["right"] / without["right"],
        ),
        Headline(f"path-traced, {kinds[0]}, least gain of an object, points", worst),
        Headline(
            f"path-traced, {kinds[0]}, true poses in the 95 % ellipsoid", with_depth["inside"], "%", "without depth",
            without["inside"],
        ),
        Headline(
            f"path-traced, {kinds[0]}, false poses a frame", with_depth["false"], "", "without depth", without["false"]
        ),
    ], figures  # fmt: skip
