"""What does the tracker's motion filter do to poses: how much do they tremble at rest, lag in motion, and miss?

    PYTHONPATH=. python benchmarks/tracking.py [--runs 20] [--json FILE]
    PYTHONPATH=. python benchmarks/tracking.py --clip CLIP --camera FILE --truth scene_gt.json --model box [--json FILE]

Without a clip: simulated poses of a box that lies still, is carried and turned, lies still, is pushed slowly and stays.
Their errors are as the network's on demo/box.mp4. Most of an error belongs to the view and stays while the view does;
a sixth of its standard deviation is new in each frame, and three fifths in one frame of twelve. One frame in fifty
begins a burst of wrong faces, and for half a second something hides the box. With a clip: the whole tracker on its
frames.

jitter  step from frame to frame divided by sqrt(2), rms, while the true pose rests
wander  rms about the mean of each such rest
lag     shift in frames at which the velocities of the bounding box's corners fit the true ones best
        (cross-correlation)
add     mean distance of the object's points from where they are, in diameters, of the frames with a pose
close   share of all frames with an ADD under a tenth

The rival is frame by frame: every measured pose as it is.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
from headlines import Headline, finish
from rich.console import Console
from rich.table import Table
from tracking_figures import Figures, figures

from pose_regressor.geometry.so3 import exp, log
from pose_regressor.tracking.kalman import moved
from pose_regressor.tracking.track import TrackingParameters
from pose_regressor.tracking.tracks import Tracks
from pose_regressor.types import FloatArray, InputError, ObjectModel, PoseEstimate

RATE = 30.0
THRESHOLD = 0.5
#: Standard deviations of the simulated errors: sideways, along the view (m), about the three axes (rad).
SIGMA = np.array([3e-3, 3e-3, 20e-3, 0.08, 0.08, 0.035])
#: Share of the errors that is new in each frame; share that is new in a leap; share of the frames that leap.
NEW, LEAP, LEAPS = 0.17, 0.6, 0.08


# ------------------------------------------------------------------ simulation


def carried(t: float) -> FloatArray:
    """The true pose at `t` seconds. It moves by 25 cm and a quarter turn in (3, 4.5), by 11 cm slowly in (7, 11)."""

    def minimum_jerk(u: float) -> float:
        u = min(max(u, 0.0), 1.0)
        return u**3 * (10 - 15 * u + 6 * u * u)

    pose = np.eye(4)
    quick, slow = minimum_jerk((t - 3) / 1.5), minimum_jerk((t - 7) / 4)
    pose[:3, 3] = np.array([-0.1, 0, 0.6]) + quick * np.array([0.2, 0.05, 0.15]) + slow * np.array([0.1, 0, -0.05])
    pose[:3, :3] = exp(quick * np.array([0.3, 1.5, 0.2])) @ exp(np.array([0.5, -0.4, 1.0]))
    return pose


def view_error(generator: np.random.Generator) -> Callable[[FloatArray], FloatArray]:
    """A smooth random error (6,) of unit variance for each view: random waves over rotations of about 20° and positions
    of about 5 cm."""
    waves, phases = generator.normal(size=(64, 6)), generator.uniform(0, 2 * np.pi, (64, 6))
    waves *= np.repeat([1 / 0.05, 1 / np.radians(20)], 3)

    def error(pose: FloatArray) -> FloatArray:
        place = np.concatenate([pose[:3, 3], log(pose[:3, :3])])
        return np.asarray(np.cos((waves @ place)[:, None] + phases).sum(0) * (2 / 64) ** 0.5)

    return error


def simulated(model: ObjectModel, seed: int) -> Iterator[tuple[int, FloatArray, PoseEstimate | None]]:
    """Frame, true pose, measured pose."""
    generator = np.random.default_rng(seed)
    of_view = view_error(generator)
    wrong = 0
    for i in range(int(13 * RATE)):
        true = carried(i / RATE)
        new = LEAP if generator.random() < LEAPS else NEW
        error = (1 - NEW**2) ** 0.5 * of_view(true) + new * generator.normal(size=6)
        wrong = generator.integers(1, 7) if generator.random() < 0.02 and not wrong else max(0, wrong - 1)
        pose = moved(true, SIGMA * error)
        if wrong:
            pose[:3, :3] = pose[:3, :3] @ exp(np.array([0, np.pi / 2, 0]))
        seen = PoseEstimate(model, pose, np.diag(SIGMA**2), 0.6 if wrong else 0.9, "pnp", np.zeros(4))
        yield i, true, None if 60 <= i < 75 else seen


def follow_simulated(
    model: ObjectModel, seed: int
) -> tuple[dict[int, FloatArray], dict[int, FloatArray], dict[int, FloatArray], set[int]]:
    """True, measured and tracked poses by frame, and all ids."""
    tracks = Tracks(TrackingParameters())
    truth: dict[int, FloatArray] = {}
    raw: dict[int, FloatArray] = {}
    smooth: dict[int, FloatArray] = {}
    ids = set()
    for i, true, seen in simulated(model, seed):
        truth[i] = true
        if seen:
            raw[i] = seen.cam_from_obj
        tracks.advance(round(1e9 * (1 + i / RATE)))
        for estimate in tracks.take([seen] if seen else [], THRESHOLD, smooth=True):
            smooth[i] = estimate.cam_from_obj
            ids.add(estimate.instance)
    return truth, raw, smooth, ids


def simulate(model: ObjectModel, seed: int) -> dict[str, Figures]:
    truth, raw, smooth, ids = follow_simulated(model, seed)
    return {"frame by frame": figures(model, raw, truth, 1), "tracked": figures(model, smooth, truth, len(ids))}


def summary(key: str, values: list[float]) -> float:
    """The median; of the ids, which are never to change, the most."""
    return max(values) if key == "ids" else statistics.median(values)


def plot(model: ObjectModel, path: Path) -> None:
    """One simulated run: measured and tracked."""
    import matplotlib.pyplot as plt

    truth, raw, smooth, _ = follow_simulated(model, seed=0)
    figure, axes = plt.subplots(2, 1, figsize=(9, 5), sharex=True, layout="constrained")
    for axis, row, name in ((axes[0], 2, "distance (mm)"), (axes[1], 0, "sideways (mm)")):
        for poses, style, label in ((raw, "C1.", "measured"), (smooth, "C0-", "tracked"), (truth, "k--", "true")):
            there = [poses[i][row, 3] * 1e3 if i in poses else np.nan for i in range(len(truth))]
            axis.plot(np.arange(len(truth)) / RATE, there, style, label=label, linewidth=1, markersize=3)
        axis.set_ylabel(name)
    axes[0].legend()
    axes[1].set_xlabel("time (s)")
    figure.savefig(path, dpi=90)


# ------------------------------------------------------------------ a clip


def on_clip(options: argparse.Namespace) -> dict[str, Figures]:
    from pose_regressor.assets import find_model
    from pose_regressor.estimation.estimator import PoseEstimator
    from pose_regressor.files.bop import read_scene_gt
    from pose_regressor.files.cameras import load_camera
    from pose_regressor.sources import open_source
    from pose_regressor.tracking.tracker import Tracker

    estimator = PoseEstimator(find_model(options.model), "cpu")
    (model,) = estimator.objects
    truth = {
        i: pose.cam_from_obj
        for i, poses in read_scene_gt(options.truth).items()
        for pose in poses
        if pose.obj_id == model.obj_id
    }
    frames = list(open_source(options.clip, load_camera(options.camera)))
    trackers = {
        "tracked": Tracker(estimator),
        "tracked, smooth=false": Tracker(estimator, smooth=False),
        "tracked, follow=false": Tracker(estimator, follow=False),
    }
    updates = {"frame by frame": estimator.estimate} | {name: t.update for name, t in trackers.items()}
    results = {}
    for name, update in updates.items():
        found = {frame.index: update(frame) for frame in frames}
        ids = {estimate.instance for estimates in found.values() for estimate in estimates}
        poses = {i: estimates[0].cam_from_obj for i, estimates in found.items() if estimates}
        results[name] = figures(model, poses, truth, len(ids))
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--runs", type=int, default=20, help="simulated runs, of which medians are taken (default: %(default)s)"
    )
    parser.add_argument("--clip", help="video or folder of images, in place of the simulation")
    parser.add_argument("--camera", help="its camera file")
    parser.add_argument("--truth", type=Path, help="its scene_gt.json; image ids are frame numbers")
    parser.add_argument("--model", default="box", help="bundle with its one object (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw one simulated run")
    options = parser.parse_args()
    if options.clip:
        if not (options.camera and options.truth):
            raise InputError("--clip: expected --camera and --truth too")
        results = on_clip(options)
    else:
        size = np.array([0.16, 0.11, 0.06])
        points = np.random.default_rng(0).uniform(-size / 2, size / 2, (500, 3))
        model = ObjectModel("box", 1, float(np.linalg.norm(size)), np.stack([-size, size]) / 2, points, points[:8])
        if options.plot:
            plot(model, options.plot)
        runs = [simulate(model, seed) for seed in range(options.runs)]
        results = {
            kind: Figures(**{key: summary(key, [asdict(run[kind])[key] for run in runs]) for key in asdict(value)})
            for kind, value in runs[0].items()
        }
    table = Table(title=options.clip or f"simulation, median of {options.runs} runs")
    names = list(asdict(next(iter(results.values()))))
    for heading in ("", *names):
        table.add_column(heading, justify="right" if heading else "left")
    for kind, value in results.items():
        table.add_row(kind, *(f"{number:.3g}" for number in asdict(value).values()))
    Console(width=150).print(table)
    rival, ours = asdict(results["frame by frame"]), asdict(results["tracked"])
    units = {"jitter_mm": "mm", "jitter_deg": "deg", "lag_frames": "frames", "add": "diameters", "ids": "ids"}
    headlines = [
        Headline(key, ours[key], unit, "frame by frame", rival[key], rival[key] / ours[key] if ours[key] else None)
        for key, unit in units.items()
    ]
    finish(headlines, options.json, results={kind: asdict(value) for kind, value in results.items()})


if __name__ == "__main__":
    main()
