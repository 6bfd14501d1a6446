"""Own objects on a table in path-traced frames: what the plane that they stand on adds to their poses.

    python benchmarks/support_plane.py --dataset DIR

DIR is a BOP dataset of the photoreal domain (docs/photoreal.md) with the objects of `pathtraced_depth.OWN`. All of them
are looked for in each frame, once. Then they are put on no plane, on the one that is found under them, and on the one
under their true poses, as a robot may know its table.
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
from pose_regressor_training.samples.sensor_depth import SensorDepth

NONE, FOUND, KNOWN = "no plane", "plane found", "plane known"
#: Variance of true poses: as good as none.
EXACT = 1e-8


def true_plane(plane: SupportPlane, models: list[ObjectModel], shot: Shot) -> Plane | None:
    """The plane under the true poses. None: fewer than two objects, or they stand on no common one."""
    exact = [
        PoseEstimate(models[number - 1], pose, EXACT * np.eye(6), 0.99)
        for number, pose in zip(shot.obj_id, shot.cam_from_obj, strict=True)
    ]
    return plane.find(exact)


def measure(dataset: Path) -> tuple[dict[str, dict[str, Outcome]], list[float], int]:
    """What was found by kind and object, milliseconds of each search for a plane, and how many frames have one."""
    estimator, plane = PoseEstimator([find_model(name) for name in OWN], "cpu"), SupportPlane()
    models = list(estimator.objects)
    plane.prepare(models)
    outcomes = {kind: dict.fromkeys(OWN, Outcome(0, (), 0)) for kind in (NONE, FOUND, KNOWN)}
    times, with_plane = [], 0
    for shot in shots(dataset, SensorDepth("stereo")):
        found = list(estimator.search(replace(shot.frame, depth=None)).poses)
        start = time.perf_counter()
        on_found = plane.settle(found)
        times.append(1000 * (time.perf_counter() - start))
        known = true_plane(plane, models, shot)
        with_plane += known is not None
        kinds = {NONE: found, FOUND: on_found, KNOWN: plane.settle(found, known) if known else found}
        for number, model in enumerate(models, 1):
            true = shot.of(number)
            for kind, estimates in kinds.items():
                before = outcomes[kind][model.name]
                poses: tuple[Judged, ...] = (*before.poses, *judge(model, estimates, true, 0))
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
    table = true_plane(plane, models, shot)
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
    ):
        table.add_column(heading, justify="right")
    for name in (*OWN, "all"):
        for kind, own in outcomes.items():
            parts = list(own.values()) if name == "all" else [own[name]]
            whole = Outcome(sum(p.targets for p in parts), sum((p.poses for p in parts), ()), parts[0].frames)
            one = figures[f"{name}, {kind}"] = whole.figures()
            shares = [f"{one[key]:.1f}" for key in ("right", "precise", "translation", "rotation", "inside")]
            table.add_row(name, kind, str(whole.targets), *shares, f"{one['false']:.2f}")
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
    print(f"{with_plane} of {len(times)} frames have a true plane under two objects or more")
    before = figures[f"all, {NONE}"]["right"]
    lines = [
        Headline(
            f"path-traced, {kind}, objects right within 0.1 d", figures[f"all, {kind}"]["right"], "%", NONE, before
        )
        for kind in (FOUND, KNOWN)
    ]
    lines.append(Headline("search for the plane, median", float(np.median(times)), "ms"))
    finish(lines, options.json, figures=figures)


if __name__ == "__main__":
    main()
