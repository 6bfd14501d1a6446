"""Own objects on a table in path-traced frames: what the plane that they stand on adds to their poses.

    python benchmarks/support_plane.py --dataset DIR

DIR is a BOP dataset of the photoreal domain (docs/photoreal.md) with the objects of `pathtraced_depth.OWN`. All of them
are looked for in each frame three times: with no plane, with the one that is found under them, and with the one under
their true poses, as a robot may know its table.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from headlines import Headline, finish
from pathtraced_depth import OWN, Judged, Outcome, Shot, judge, shots
from rich.console import Console
from rich.table import Table

from pose_regressor.assets import find_model
from pose_regressor.estimation.estimator import PoseEstimator
from pose_regressor.estimation.support_plane import SupportPlane
from pose_regressor.types import ObjectModel, Plane, PoseEstimate
from pose_regressor_training.evaluate.reliability import reliability
from pose_regressor_training.samples.sensor_depth import SensorDepth

KINDS = NONE, FOUND, KNOWN = "no plane", "plane found", "plane known"
#: Variance of true poses: as good as none.
EXACT = 1e-8


def true_plane(models: list[ObjectModel], shot: Shot) -> Plane | None:
    """The plane under the true poses. None: fewer than two objects, or they stand on no common one."""
    exact = [
        PoseEstimate(models[number - 1], pose, EXACT * np.eye(6), 0.99)
        for number, pose in zip(shot.obj_id, shot.cam_from_obj, strict=True)
    ]
    support = SupportPlane().find(exact)
    return support.plane if support else None


def measure(dataset: Path) -> tuple[dict[str, dict[str, Outcome]], dict[str, list[float]], int]:
    """What was found by kind and object, milliseconds of each frame by kind, and how many frames have a true plane."""
    estimators = {
        kind: PoseEstimator([find_model(n) for n in OWN], "cpu", support_plane=kind == FOUND) for kind in KINDS
    }
    models = list(estimators[NONE].objects)
    outcomes = {kind: dict.fromkeys(OWN, Outcome(0, (), 0)) for kind in KINDS}
    times: dict[str, list[float]] = {kind: [] for kind in KINDS}
    with_plane = 0
    for number, shot in enumerate(shots(dataset, SensorDepth("stereo"))):
        frame = replace(shot.frame, depth=None)
        known = true_plane(models, shot)
        with_plane += known is not None
        for kind, estimator in estimators.items():
            own = replace(frame, support_plane=known) if kind == KNOWN else frame
            if number == 0:
                estimator.warm_up(frame.camera.width, frame.camera.height)
                estimator.estimate(own)
            start = time.perf_counter()
            estimates = estimator.estimate(own)
            times[kind].append(1000 * (time.perf_counter() - start))
            for place, model in enumerate(models, 1):
                true, before = shot.of(place), outcomes[kind][model.name]
                # The estimators hold models of their own.
                same = [replace(estimate, model=model) for estimate in estimates if estimate.model.name == model.name]
                poses: tuple[Judged, ...] = (*before.poses, *judge(model, same, true, 0))
                outcomes[kind][model.name] = Outcome(before.targets + int(true.visible.sum()), poses, before.frames + 1)
    return outcomes, times, with_plane


def side_view(dataset: Path, index: int, path: Path) -> None:
    """A picture of one frame from the side: its objects along the table and above it, as they are and as found.

    index: of the frame, from 0
    """
    from matplotlib.figure import Figure

    estimator, plane = PoseEstimator([find_model(name) for name in OWN], "cpu"), SupportPlane()
    models = list(estimator.objects)
    shot = shots(dataset, SensorDepth("stereo"))[index]
    found = list(estimator.search(replace(shot.frame, depth=None)).poses)
    table = true_plane(models, shot)
    if table is None:
        raise SystemExit(f"frame {index}: expected two objects or more on one plane")
    forward = np.array([0, 0, 1]) - table.normal[2] * table.normal
    forward /= np.linalg.norm(forward)
    true = [(models[n - 1], p) for n, p in zip(shot.obj_id, shot.cam_from_obj, strict=True)]
    figure = Figure((9, 5.4), layout="constrained")
    for axis, (title, estimates) in zip(
        figure.subplots(2, 1, sharex=True), (("colours alone", found), (FOUND, plane.settle(found))), strict=True
    ):
        for color, size, poses in (
            ("0.7", 4.0, true), ("tab:red", 0.5, [(e.model, e.cam_from_obj) for e in estimates])
        ):  # fmt: skip
            for model, pose in poses:
                points = model.points @ pose[:3, :3].T + pose[:3, 3]
                axis.scatter(100 * points @ forward, 100 * (points @ table.normal - table.offset), size, color)
        axis.axhline(0, color="0.3", linewidth=1)
        axis.set(title=title, ylabel="above the table, cm", aspect="equal")
    axis.set_xlabel("along the table, away from the camera, cm")
    figure.savefig(path, dpi=110)


def report(outcomes: dict[str, dict[str, Outcome]]) -> dict[str, dict[str, float]]:
    table, figures = Table(), {}
    for heading in (
        "object",
        "",
        "objects",
        "0.1 d %",
        "0.05 d %",
        "mm",
        "degrees",
        "in 95 % ellipsoid",
        "false a frame",
        "calibration error",
    ):
        table.add_column(heading, justify="right")
    for name in (*OWN, "all"):
        for kind, own in outcomes.items():
            parts = list(own.values()) if name == "all" else [own[name]]
            whole = Outcome(sum(p.targets for p in parts), sum((p.poses for p in parts), ()), parts[0].frames)
            one = figures[f"{name}, {kind}"] = whole.figures()
            shares = [f"{one[key]:.1f}" for key in ("right", "precise", "translation", "rotation", "inside")]
            one["calibration"] = reliability(np.array([(p.found.score, p.found.right) for p in whole.poses], float)).ece
            table.add_row(name, kind, str(whole.targets), *shares, f"{one['false']:.2f}", f"{one['calibration']:.3f}")
    Console(width=140).print(table)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dataset", type=Path, required=True, metavar="DIR", help="BOP dataset with a split `test`")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--figure", type=Path, metavar="FILE", help="only draw one frame from the side, and end")
    parser.add_argument("--frame", type=int, default=0, metavar="N", help="that frame, from 0 (%(default)s)")
    options = parser.parse_args()
    if options.figure:
        side_view(options.dataset, options.frame, options.figure)
        return
    outcomes, times, with_plane = measure(options.dataset)
    figures = report(outcomes)
    print(f"{with_plane} of {len(times[NONE])} frames have a true plane under two objects or more")
    before = figures[f"all, {NONE}"]["right"]
    lines = [
        Headline(
            f"path-traced, {kind}, objects right within 0.1 d", figures[f"all, {kind}"]["right"], "%", NONE, before
        )
        for kind in (FOUND, KNOWN)
    ]
    alone = float(np.median(times[NONE]))
    lines += [
        Headline(f"a frame, {kind}, median", float(np.median(times[kind])), "ms", NONE, alone)
        for kind in (FOUND, KNOWN)
    ]
    finish(lines, options.json, figures=figures)


if __name__ == "__main__":
    main()
