"""What measured depth adds to poses: LM-O's eight objects, each bundle by itself, with and without depth.

    python benchmarks/depth.py --rgbd SCENE --lmo FOLDER [--every N] [--json FILE] [--results FOLDER]
    python benchmarks/depth.py --pathtraced DATASET [--sensor KIND ...] [--bias SHARE] [--draw N ...] [--alone]

real       SCENE, a BOP scene with a real sensor's depth. The objects of which at least half is seen. With --lmo,
           also how far each given pose is from its own measured depth.
simulated  The images of FOLDER/dev/000002, with depth made of their given poses: the eight objects and a table, seen by
           a structured-light sensor, a tenth of which is holes. The objects of FOLDER/dev_targets_bop19.json.
pathtraced DATASET, made by `generate --renderer photoreal` as docs/depth.md says; simulated sensors measure its true
           depth. Headlines are those of the first sensor.

Right: ADD, or ADD-S of a symmetric object, of the pose with the best score is below 0.1 and 0.05 diameters.
The rival is the same program without depth, in the same run.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from headlines import Headline, finish
from lmo_depth import DepthSimulator
from pathtraced_depth import report as report_pathtraced
from rich.console import Console
from rich.table import Table

from pose_regressor.assets import find_model
from pose_regressor.estimation.estimator import PoseEstimator
from pose_regressor.files.bop import ImageResult, TruePose, read_scene_gt, result_writer
from pose_regressor.files.io import read_json
from pose_regressor.geometry.errors import add
from pose_regressor.sources import open_source
from pose_regressor.types import FloatArray, Frame, InputError, ObjectModel, PoseEstimate
from pose_regressor_training.evaluate.errors import add_s
from pose_regressor_training.samples.sensor_depth import BIAS, KINDS, SensorDepth

NAMES = ("ape", "can", "cat", "driller", "duck", "eggbox", "glue", "holepuncher")
TIGHT, WIDE = 0.05, 0.1
#: Share of an object that must be seen in the real frame.
SEEN = 0.5
HOLES = 0.1


@dataclass(frozen=True, eq=False)
class Shot:
    """A frame with depth, the poses in it, and the ids of the objects that are to be found."""

    frame: Frame
    poses: Sequence[TruePose]
    wanted: frozenset[int]

    def truth(self, obj_id: int) -> FloatArray:
        return next(pose.cam_from_obj for pose in self.poses if pose.obj_id == obj_id)


def real_shots(scene: Path) -> Iterator[Shot]:
    poses, info = read_scene_gt(scene / "scene_gt.json"), read_json(scene / "scene_gt_info.json")
    for frame in open_source(scene, depth="auto"):
        if frame.depth is None:
            raise InputError(f"{scene}: expected depth for image {frame.index}")
        rows = zip(poses[frame.index], info[str(frame.index)], strict=True)
        wanted = frozenset(pose.obj_id for pose, row in rows if row["visib_fract"] >= SEEN)
        yield Shot(frame, poses[frame.index], wanted)


def simulated_shots(folder: Path, every: int) -> Iterator[Shot]:
    scene = folder / "dev" / "000002"
    poses = read_scene_gt(scene / "scene_gt.json")
    simulator = DepthSimulator(folder / "models", SensorDepth("structured_light", holes=HOLES))
    targets = {(row["im_id"], row["obj_id"]) for row in read_json(folder / "dev_targets_bop19.json")}
    for number, frame in enumerate(open_source(scene)):
        if number % every == 0:
            depth = simulator.depth(poses[frame.index], frame.camera, np.random.default_rng(frame.index))
            wanted = frozenset(obj_id for im_id, obj_id in targets if im_id == frame.index)
            yield Shot(replace(frame, depth=depth), poses[frame.index], wanted)


def report_given(shots: Sequence[Shot], simulator: DepthSimulator) -> list[dict[str, float]]:
    """Prints, and returns, how far the given poses of real frames are from the depth that was measured there."""
    table, rows = Table(title="real, given poses"), []
    for heading in ("frame", "object", "seen %", "measured minus drawn, median mm"):
        table.add_column(heading, justify="right")
    for shot in shots:
        found = simulator.disagreement(shot.poses, shot.frame.depth, shot.frame.camera)
        for pose, (apart, seen) in zip(shot.poses, found, strict=True):
            row = {"frame": shot.frame.index, "obj_id": pose.obj_id, "seen": 100 * seen, "apart_mm": 1000 * apart}
            rows.append(row)
            table.add_row(*(f"{value:.1f}" if isinstance(value, float) else str(value) for value in row.values()))
    Console(width=120).print(table)
    return rows


def error(estimates: Sequence[PoseEstimate], truth: FloatArray, model: ObjectModel) -> float:
    """ADD(-S) in diameters of the best pose; inf if there is none."""
    if not estimates:
        return np.inf
    measure = add_s if len(model.symmetries) else add
    return measure(estimates[0].cam_from_obj, truth, model.points) / model.diameter


def errors_of(shots: Sequence[Shot], results: Path | None) -> dict[str, dict[str, FloatArray]]:
    """Name of the object -> "rgb" and "rgbd" -> (N,) errors in diameters.

    results: folder for a CSV of each
    """
    found: dict[str, dict[str, FloatArray]] = {}
    with ExitStack() as stack:
        write = {
            kind: stack.enter_context(result_writer(results / f"{kind}.csv")) if results else None
            for kind in ("rgb", "rgbd")
        }
        for name in NAMES:
            estimator = PoseEstimator(find_model(f"lmo_{name}"), "cpu")
            (model,) = estimator.objects
            errors: dict[str, list[float]] = {"rgb": [], "rgbd": []}
            for shot in shots:
                if model.obj_id not in shot.wanted:
                    continue
                for kind, frame in (("rgb", replace(shot.frame, depth=None)), ("rgbd", shot.frame)):
                    estimates = estimator.estimate(frame)
                    errors[kind].append(error(estimates, shot.truth(model.obj_id), model))
                    if add_row := write[kind]:
                        add_row(ImageResult(2, frame.index, estimates))
            found[name] = {kind: np.array(values) for kind, values in errors.items()}
    return {name: errors for name, errors in found.items() if len(errors["rgb"])}


def report(title: str, errors: dict[str, dict[str, FloatArray]]) -> list[Headline]:
    table = Table(title=title)
    columns = [(kind, below) for below in (WIDE, TIGHT) for kind in ("rgb", "rgbd")]
    for heading in ("object", "frames", *(f"{kind} {below:g} d" for kind, below in columns)):
        table.add_column(heading, justify="right" if heading != "object" else "left")
    shares = {name: [float(np.mean(own[kind] < below)) for kind, below in columns] for name, own in errors.items()}
    for name, row in shares.items():
        table.add_row(name, str(len(errors[name]["rgb"])), *(f"{100 * share:.1f}" for share in row))
    means = 100 * np.mean(list(shares.values()), axis=0)
    table.add_row("mean", "", *(f"{mean:.1f}" for mean in means))
    Console(width=120).print(table)
    return [
        Headline(f"{title} within {below:g} d", with_depth, "%", "without depth", without, with_depth / max(without, 1))
        for below, without, with_depth in ((WIDE, means[0], means[1]), (TIGHT, means[2], means[3]))
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rgbd", type=Path, metavar="SCENE", help="BOP scene with real depth")
    parser.add_argument("--lmo", type=Path, metavar="FOLDER", help="LM-O with models/, dev/ and targets")
    parser.add_argument("--pathtraced", type=Path, metavar="DATASET", help="path-traced frames of our own objects")
    parser.add_argument(
        "--sensor", action="append", choices=KINDS, help="of the path-traced frames; repeat it (default: stereo)"
    )
    parser.add_argument(
        "--bias", type=float, default=BIAS, metavar="SHARE",
        help="of the distance: what the depths of a path-traced frame are wrong by together (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--draw", action="append", type=int, metavar="N",
        help="draw of the sensors' errors; repeat it to count several together (default: 0)",
    )  # fmt: skip
    parser.add_argument(
        "--alone", action="store_true", help="path-traced: each bundle by itself, not all objects in one program"
    )
    parser.add_argument("--every", type=int, default=1, help="take one frame in this many (default: %(default)s)")
    parser.add_argument("--results", type=Path, metavar="FOLDER", help="also write BOP result CSVs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    options = parser.parse_args()
    parts = {}
    if options.rgbd and options.rgbd.is_dir():
        parts["real"] = list(real_shots(options.rgbd))
    if options.lmo and options.lmo.is_dir():
        parts["simulated"] = list(simulated_shots(options.lmo, options.every))
    headlines: list[Headline] = []
    results: dict[str, object] = {}
    if options.pathtraced and options.pathtraced.is_dir():
        headlines, results["pathtraced"] = report_pathtraced(
            options.pathtraced, options.sensor or ["stereo"], options.bias, options.draw or [0], options.alone
        )
    elif not parts:
        print("skipped: none of --rgbd, --lmo and --pathtraced names a folder that is there")
        return
    if "real" in parts and options.lmo and options.lmo.is_dir():
        simulator = DepthSimulator(options.lmo / "models", SensorDepth())
        results["given"] = report_given(parts["real"], simulator)
    for title, shots in parts.items():
        errors = errors_of(shots, options.results / title if options.results else None)
        headlines += report(title, errors)
        results[title] = {name: {kind: values.tolist() for kind, values in own.items()} for name, own in errors.items()}
    finish(headlines, options.json, results=results)


if __name__ == "__main__":
    main()
