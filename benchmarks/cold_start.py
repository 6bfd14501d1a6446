"""How long from the start of a process to its first pose, how much memory does it hold?

    PYTHONPATH=. python benchmarks/cold_start.py [--model box] [--against COMMIT] [--rounds 5] [--json FILE]

A process imports the package, loads one bundle, and searches the first frame of the demo's clip, without warming up.
Files are in the system's cache: each build runs once before it counts. Times are of the wall clock and of the process's
own CPU time, which says more on a busy machine.

--against does the same with an earlier build, in turns.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from headlines import Headline, finish
from unchanged import ROOT, unpack

from pose_regressor.assets import demo_folder, find_model

#: What the process runs: it prints its times and its memory.
CHILD = """
import sys, time
from pose_regressor import PoseEstimator
from pose_regressor.files.cameras import load_camera
from pose_regressor.sources import open_source
source, camera, model = sys.argv[1:]
imported = time.process_time()
estimator = PoseEstimator(model, "cpu")
loaded = time.process_time()
with open_source(source, load_camera(camera)) as clip:
    frame = next(iter(clip))
assert estimator.estimate(frame)
import json, resource
first = time.process_time()
memory = int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 1e6
stages = {"import": imported, "load": loaded - imported, "pose": first - loaded}
print(json.dumps({**stages, "cpu": first, "memory": memory}))
"""


def start(tree: Path, model: Path) -> dict[str, float]:
    """One process of the build in a checkout: CPU seconds of its stages, seconds in all, and MB of memory."""
    demo = demo_folder()
    command = [sys.executable, "-c", CHILD, str(demo / "box.mp4"), str(demo / "camera.json"), str(model)]
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    begin = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, cwd=tree, env=environment, check=True)
    wall = time.perf_counter() - begin
    return {**json.loads(done.stdout), "wall": wall}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="box", help="bundle: file, or name of a shipped one (default: %(default)s)")
    parser.add_argument("--against", metavar="COMMIT", help="compare with the build of this commit")
    parser.add_argument("--rounds", type=int, default=5, help="processes of each build (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        trees = {"here": ROOT}
        if options.against:
            commit = unpack(options.against, Path(folder) / "commit")
            trees[f"build {commit[:9]}"] = Path(folder) / "commit"
        model = find_model(options.model)
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in trees}
        for number in range(options.rounds + 1):
            for name, tree in trees.items():
                run = start(tree, model)
                if number:  # the first one fills the cache
                    runs[name].append(run)
    medians = {name: {key: statistics.median(run[key] for run in own) for key in own[0]} for name, own in runs.items()}
    for name, figures in medians.items():
        stages = ", ".join(f"{stage} {figures[stage]:.2f}" for stage in ("import", "load", "pose"))
        print(f"{name}: CPU seconds: {stages}, all {figures['cpu']:.2f}; memory {figures['memory']:.0f} MB")
    rival = next((name for name in medians if name != "here"), "")
    headlines = []
    named = {"wall": ("start to first pose", "s"), "cpu": ("the same, CPU time", "s"), "memory": ("memory", "MB")}
    for key, (what, unit) in named.items():
        value, other = medians["here"][key], medians[rival][key] if rival else None
        headlines.append(Headline(what, value, unit, rival, other, other / value if other else None))
    finish(headlines, options.json, model=options.model, runs=runs)
    return 0


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
