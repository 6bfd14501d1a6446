"""What does it cost to search an image for eight objects, each with a bundle of its own, and how many are found?

    PYTHONPATH=.:training python benchmarks/many_objects.py --lmo FOLDER [--against COMMIT] [--rounds 3] [--json FILE]
    PYTHONPATH=.:training python benchmarks/many_objects.py --scene SCENE ... --quick

The images are those of FOLDER/dev/000002 with the targets of FOLDER/dev_targets_bop19.json, or all of a BOP scene. Each
is searched without depth in two ways: for LM-O's eight objects together, and for each by itself. One object's time is
the mean over the eight. Right: ADD, or ADD-S of a symmetric object, of the pose with the best score is below 0.1
diameters.

--against does the same with an earlier build, in turns: the images are dealt into as many parts as there are rounds.
The CPU's time counts all threads of the process. It says more than the clock's on a busy machine, and less of what two
cores save.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from headlines import Headline, finish
from rich.console import Console
from rich.table import Table
from unchanged import ROOT, unpack

NAMES = ("ape", "can", "cat", "driller", "duck", "eggbox", "glue", "holepuncher")
#: A pose is right if its error is below this many diameters.
RIGHT = 0.1
#: A pose is false if its error is above this many diameters, or if the object is not there.
FALSE = 0.5
#: With --quick: one image in this many.
QUICK = 10
WAYS = ("eight objects", "one object")


# ------------------------------------------------------------------ inside a build


def work(scene: Path, targets: set[tuple[int, int]], frames: Sequence[int], models: Path) -> dict[str, Any]:
    """Searches frames of a scene in both ways.

    For each way: `wall` and `cpu`, mean milliseconds of a search; `false`, poses in an image; and `errors`, of each
    object's best pose, diameters.
    """
    from pose_regressor.files.bop import read_scene_gt
    from pose_regressor.sources import open_source

    images = [frame for number, frame in enumerate(open_source(scene, depth="off")) if number in frames]
    truth = {
        (image, pose.obj_id): pose.cam_from_obj
        for image, poses in read_scene_gt(scene / "scene_gt.json").items()
        for pose in poses
    }
    wanted = targets or set(truth)
    bundles = [models / f"lmo_{name}.safetensors" for name in NAMES]
    each = [search_all([bundle], images, truth, wanted) for bundle in bundles]
    alone = {key: statistics.mean(one[key] for one in each) for key in ("wall", "cpu", "false")}
    errors = {name: values for one in each for name, values in one["errors"].items()}
    return dict(zip(WAYS, (search_all(bundles, images, truth, wanted), {**alone, "errors": errors}), strict=True))


def search_all(
    bundles: list[Path], images: list[Any], truth: dict[tuple[int, int], Any], wanted: set[tuple[int, int]]
) -> dict[str, Any]:
    """One way of `work`. truth: (4, 4) by image and object; wanted: those whose errors count."""
    from pose_regressor.estimation.estimator import PoseEstimator
    from pose_regressor.geometry.errors import add
    from pose_regressor_training.evaluate.errors import add_s

    estimator = PoseEstimator(bundles, "cpu")
    estimator.warm_up(images[0].camera.width, images[0].camera.height)
    errors: dict[str, list[float]] = {model.name: [] for model in estimator.objects}
    false = 0
    wall, cpu = time.perf_counter(), time.process_time()
    found = [estimator.estimate(image) for image in images]
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    for image, estimates in zip(images, found, strict=True):
        for model in estimator.objects:
            true, own = truth.get((image.index, model.obj_id)), [e for e in estimates if e.model is model]
            measure = add_s if len(model.symmetries) else add
            off = [float("inf") if true is None else measure(e.cam_from_obj, true, model.points) for e in own]
            false += sum(distance > FALSE * model.diameter for distance in off)
            if (image.index, model.obj_id) in wanted:
                errors[model.name].append(off[0] / model.diameter if off else float("inf"))
    per_image = {"wall": 1e3 * wall, "cpu": 1e3 * cpu, "false": false}
    return {**{key: value / len(images) for key, value in per_image.items()}, "errors": errors}


# ------------------------------------------------------------------ comparison


def run_build(tree: Path, scene: Path, targets: Path | None, frames: Sequence[int]) -> dict[str, Any]:
    """`work` by the build in a checkout, in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tree), str(tree / "training")])}
    chosen = ",".join(map(str, frames))
    command = [sys.executable, str(Path(__file__).resolve()), "--work", str(scene), str(targets or ""), chosen]
    done = subprocess.run([*command, str(ROOT / "models")], capture_output=True, text=True, cwd=tree, env=environment)
    if done.returncode:
        raise SystemExit(f"error: {tree}: the run failed: {' '.join(done.stderr.split())[-500:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def together(parts: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The results of all rounds as one."""
    whole = {}
    for way in WAYS:
        own = [part[way] for part in parts]
        figures = {key: statistics.mean(part[key] for part in own) for key in ("wall", "cpu", "false")}
        errors = {name: [error for part in own for error in part["errors"][name]] for name in own[0]["errors"]}
        right = {name: float(np.mean(np.array(values) < RIGHT)) for name, values in errors.items() if values}
        whole[way] = {**figures, "right": right, "recall": 100 * statistics.mean(right.values())}
    return whole


def show(results: dict[str, dict[str, dict[str, Any]]], images: int) -> None:
    names = list(next(iter(results.values()))[WAYS[0]]["right"])
    table = Table(title=f"{images} images, a search", title_justify="left")
    for heading in ("build", "for", "ms", "CPU ms", "false", "right %", *names):
        table.add_column(heading, justify="left" if heading in ("build", "for") else "right")
    for build, ways in results.items():
        for way, own in ways.items():
            shares = [f"{100 * own['right'][name]:.0f}" for name in names]
            table.add_row(
                build,
                way,
                f"{own['wall']:.0f}",
                f"{own['cpu']:.0f}",
                f"{own['false']:.2f}",
                f"{own['recall']:.1f}",
                *shares,
            )
    Console(width=150).print(table)


def headlines_of(results: dict[str, dict[str, dict[str, Any]]]) -> list[Headline]:
    here, rival = results["here"], next((name for name in results if name != "here"), "")
    many, one = (here[way] for way in WAYS)
    lines = [
        Headline("eight objects, time", many["wall"], "ms", "one object", one["wall"], many["wall"] / one["wall"]),
        Headline("eight objects, CPU time", many["cpu"], "ms", "one object", one["cpu"], many["cpu"] / one["cpu"]),
    ]
    for way, own in results.get(rival, {}).items():
        for key, what in (("wall", "time"), ("cpu", "CPU time")):
            ratio = own[key] / here[way][key]
            lines.append(Headline(f"{way}, {what}", here[way][key], "ms", rival, own[key], ratio))
        lines.append(Headline(f"{way}, right", here[way]["recall"], "%", rival, own["recall"]))
    return lines


def main() -> int:
    if sys.argv[1:2] == ["--work"]:
        scene, targets, frames, models = sys.argv[2:]
        wanted = {(row["im_id"], row["obj_id"]) for row in json.loads(Path(targets).read_text())} if targets else set()
        print(json.dumps(work(Path(scene), wanted, [int(number) for number in frames.split(",")], Path(models))))
        return 0
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--lmo", type=Path, metavar="FOLDER", help="LM-O with dev/ and dev_targets_bop19.json")
    parser.add_argument("--scene", type=Path, metavar="SCENE", help="a BOP scene with LM-O's objects, instead of --lmo")
    parser.add_argument("--against", metavar="COMMIT", help="compare with the build of this commit")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each build (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help=f"take one image in {QUICK}, in one round")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    options = parser.parse_args()
    scene, targets = options.scene, None
    if options.lmo:
        scene, targets = options.lmo / "dev" / "000002", options.lmo / "dev_targets_bop19.json"
    if scene is None or not scene.is_dir():
        print("skipped: neither --lmo nor --scene names a folder that is there")
        return 0
    count = len(json.loads((scene / "scene_camera.json").read_text()))
    numbers, rounds = range(0, count, QUICK if options.quick else 1), 1 if options.quick else options.rounds
    with tempfile.TemporaryDirectory() as folder:
        trees = {"here": ROOT}
        if options.against:
            commit = unpack(options.against, Path(folder) / "commit")
            trees[f"build {commit[:9]}"] = Path(folder) / "commit"
        parts: dict[str, list[dict[str, Any]]] = {name: [] for name in trees}
        for turn in range(rounds):
            for name, tree in trees.items():
                parts[name].append(
                    run_build(tree, scene.resolve(), targets and targets.resolve(), numbers[turn::rounds])
                )
    results = {name: together(own) for name, own in parts.items()}
    show(results, len(numbers))
    finish(headlines_of(results), options.json, scene=str(scene), results=results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
