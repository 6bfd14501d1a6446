"""How long from an image message to the transform on /tf, over DDS, and where does the time go?

    PYTHONPATH=. python benchmarks/node_latency.py [--model box] [--source CLIP --camera FILE] [--depth] [--json FILE]
    PYTHONPATH=. python benchmarks/node_latency.py --against COMMIT [--busy 0 1] [--threads 1 2] [--rate 30] [--quick]

The node runs in this process, a camera in another. The camera sends an image, waits for its transform, and sends the
next. All times are of one clock of this machine.

receive     from before the camera writes the image until the node has the frame: transport, deserialisation,
            conversion, hand-over between threads
preprocess, network, decode  the estimator's stages; decode includes the tracker's bookkeeping
publish     until the transform has arrived in the camera's process
follow      the steady state: looks around the last pose; search: looks at the whole image every time

--depth compares VGA images without depth, with aligned depth, and with depth that the node registers, in turn. Depth
shows the object's box before a wall, and is sent before its image. There is no other rival then.

--against compares VGA images with an earlier build, in turns: followed and searched, on an idle machine and beside busy
loops, each of which takes all it gets of one core. With several --threads this build runs with each of them.

--rate sends images at that rate, answered or not, as a camera does, and counts those that the node drops. The load test
is --against COMMIT --busy 0 1 2 4 --rate 30.

Other image sizes than the clip's are made from it by scaling and padding, with the exact intrinsics.

The rival is DOPE's network (dope.py) at its paper's 400x533 on the same CPU, timed between the node's runs: the network
alone, without anything before or after it, in float32 and bfloat16.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from depth_frames import MODES, depth_headlines, with_depth
from dope import HEIGHT, WIDTH, Rival
from headlines import Headline, finish
from node_runs import SIZES, STAGES, Row, own_network, read_clip, resized, run_node
from unchanged import ROOT, unpack

from pose_regressor.assets import demo_folder, find_model
from pose_regressor.types import Frame, InputError

ROUNDS = 3  # runs of each kind with --depth
BUSY = "while True: pass"


def compare_depth(options: argparse.Namespace, frames: list[Frame]) -> int:
    frames = with_depth(frames, options.model)
    rows = [
        run_node(options.model, frames, "VGA", True, options.frames, depth) for _ in range(ROUNDS) for depth in MODES
    ]
    show(rows)
    figures = {"threads": torch.get_num_threads(), "model": options.model, "rows": [vars(row) for row in rows]}
    finish(depth_headlines(rows), options.json, **figures)
    return 0


def show(rows: list[Row]) -> None:
    print(
        f"{'size':8} {'mode':34} {'found':>8} " + " ".join(f"{s:>10}" for s in STAGES) + f" {'total':>9} {'p99':>8}  ms"
    )
    for row in rows:
        stages = " ".join(f"{row.stages[stage]:10.2f}" for stage in STAGES)
        print(f"{row.size:8} {row.mode:34} {row.found:>4}/{row.sent:<3} {stages} {row.total:9.2f} {row.p99:8.2f}")


def report(rows: list[Row], rival: Rival) -> list[Headline]:
    show(rows)
    medians = {precision: statistics.median(times) for precision, times in rival.times.items()}
    for precision, median in medians.items():
        print(f"DOPE's network alone, {HEIGHT}x{WIDTH}, {precision}: {median:.0f} ms")
    headlines = []
    for row in rows:
        for precision, median in medians.items() if row.size == "400x533" else ():
            name, against = f"message to TF, 400x533, {row.mode}", f"DOPE's network, {precision}"
            headlines.append(Headline(name, row.total, "ms", against, median, median / row.total, ".1f"))
    return headlines


# ------------------------------------------------------------------ an earlier build


@contextlib.contextmanager
def busy_loops(count: int) -> Iterator[None]:
    """Inside, that many processes compute without end."""
    loops = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


@dataclass(frozen=True)
class Build:
    """What runs: a checkout, with a number of threads for the network. 0: its default."""

    name: str
    tree: Path
    threads: int = 0


def run_build(build: Build, options: argparse.Namespace, source: str, camera: str | None, mode: str) -> Row:
    """One run of a build. The benchmark itself is this one."""
    command = [sys.executable, str(Path(__file__).with_name("node_runs.py")), "--model", str(find_model(options.model))]
    command += ["--source", source, "--size", "VGA", "--mode", mode, "--frames", str(options.frames)]
    command += ["--camera", camera] if camera else []
    command += ["--threads", str(build.threads), "--rate", str(options.rate)]
    environment = {**os.environ, "PYTHONPATH": str(build.tree)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=build.tree, env=environment)
    if done.returncode:
        raise InputError(f"{build.tree}: the run failed: {' '.join(done.stderr.split())[-500:]}")
    return Row(**json.loads(done.stdout.splitlines()[-1]))


def compare_builds(options: argparse.Namespace, source: str, camera: str | None) -> int:
    rows: list[Row] = []
    headlines, figures = [], []
    with tempfile.TemporaryDirectory() as folder:
        commit = unpack(options.against, Path(folder) / "commit")
        names = {count: f"here, {count} threads" if count else "here" for count in options.threads}
        builds = [Build(commit[:9], Path(folder) / "commit")] + [Build(names[n], ROOT, n) for n in options.threads]
        for busy in options.busy:
            for mode in ("follow",) if options.rate else ("follow", "search"):
                own: dict[str, list[Row]] = {build.name: [] for build in builds}
                for _ in range(options.rounds):
                    for build in builds:
                        with busy_loops(busy):
                            row = run_build(build, options, source, camera, mode)
                        row.mode = f"{mode}, busy {busy}, {build.name}"
                        print(f"{row.mode}: {row.total:.1f} ms", file=sys.stderr, flush=True)
                        own[build.name].append(row)
                        rows.append(row)
                headlines += compared(own, f"message to TF, VGA, {mode}, busy loops: {busy}", bool(options.rate))
                figures.append({"busy": busy, "mode": mode, **{k: [vars(r) for r in v] for k, v in own.items()}})
    show(rows)
    finish(headlines, options.json, against=commit, model=options.model, rate=options.rate, runs=figures)
    return 0


def compared(rows: dict[str, list[Row]], what: str, drops: bool) -> list[Headline]:
    """Medians over the rounds, each against the first build: of the median and of the 99th percentile of one frame.

    drops: also the images without an answer, of all that were sent
    """
    found = []
    (before, old), *others = rows.items()
    for name, new in others:
        here = f"{what}{name.removeprefix('here')}"
        for label, field in ((here, "total"), (f"{here}, p99", "p99")):
            value, rival = (statistics.median(getattr(row, field) for row in side) for side in (new, old))
            found.append(Headline(label, value, "ms", f"build {before}", rival, rival / value, ".1f"))
        if drops:
            value, rival = (100 * (1 - sum(r.found for r in side) / sum(r.sent for r in side)) for side in (new, old))
            ratio = rival / value if value else None
            found.append(Headline(f"{here}, dropped", value, "%", f"build {before}", rival, ratio, ".1f"))
    return found


# ------------------------------------------------------------------ main


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="box", help="bundle: file, or name of a shipped one (default: %(default)s)")
    parser.add_argument("--source", help="clip that shows the model's object (default: the demo's)")
    parser.add_argument("--camera", help="camera file of --source")
    parser.add_argument("--frames", type=int, default=100, help="images a run (default: %(default)s)")
    parser.add_argument("--depth", action="store_true", help="what depth costs, with VGA images")
    parser.add_argument("--against", metavar="COMMIT", help="compare with the build of this commit")
    parser.add_argument("--busy", type=int, nargs="+", default=[0, 1], help="busy loops beside it (default: 0 1)")
    parser.add_argument(
        "--threads", type=int, nargs="+", default=[0], help="of this build's network, in turns; 0: the default"
    )
    parser.add_argument("--rate", type=float, default=0.0, help="images per second; 0: each waits for an answer")
    parser.add_argument("--quick", action="store_true", help="one round of 40 images")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each build and kind (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.frames = 1, 40
    logging.basicConfig(level=logging.WARNING)
    own_network()
    try:
        source = str(options.source or demo_folder() / "box.mp4")
        camera = options.camera or (None if options.source else str(demo_folder() / "camera.json"))
        if options.against:
            return compare_builds(options, source, camera)
        frames = read_clip(source, camera)
        if options.depth:
            return compare_depth(options, [resized(frame, *SIZES["VGA"]) for frame in frames])
        rival = Rival()
        rows = []
        for size, (width, height) in SIZES.items():
            sized = [resized(frame, width, height) for frame in frames]
            for follow in (True, False):
                rows.append(run_node(options.model, sized, size, follow, options.frames))
                rival.run()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    headlines = report(rows, rival)
    finish(
        headlines,
        options.json,
        threads=torch.get_num_threads(),
        model=options.model,
        rows=[vars(row) for row in rows],
        dope_ms=rival.times,
    )
    return 0


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
