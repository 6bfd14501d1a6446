"""How many images a second does the generator make, compared with Blender's path tracer on the same scenes?

    python benchmarks/generator.py [--mesh FILE --unit m] [--blender-python PYTHON] [--device cuda] [--json FILE]

Whole frames with 2 to 5 objects, clutter, ground, lamps with shadows, backgrounds and every effect of the camera.

draw    scenes as arrays
render  colours, depth, normals, coordinates, masks
camera  lens, sensor, JPEG
labels  masks, boxes, visible shares, keypoints

On a CPU: medians over batches of 32, in the process's own time. On a GPU: over batches of 256, by the clock.

The rival is Cycles with 32 paths a pixel and its denoiser, in the same run, on the first of these scenes: the mean of
its core seconds, without Blender's start and without labels. It needs a Python that has bpy: this one,
--blender-python, or the one that POSE_REGRESSOR_BLENDER_PYTHON names. --no-cycles leaves the rival out.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
from headlines import Headline, finish
from rich.console import Console
from rich.table import Table

from pose_regressor.types import InputError, ObjectModel
from pose_regressor_training.blender.photoreal import Photoreal
from pose_regressor_training.meshes.mesh import Mesh, load_mesh, object_model
from pose_regressor_training.randomize.config import RandomizeConfig
from pose_regressor_training.randomize.develop import photograph
from pose_regressor_training.randomize.scene import Drawn, SceneSampler
from pose_regressor_training.samples import labels
from pose_regressor_training.samples.batches import Generator
from pose_regressor_training.scenes import Rendering, Scenes
from pose_regressor_training.test_objects import make_box

SIZES = {"128x128": (128, 128), "256x256": (256, 256), "320x240": (320, 240)}
STAGES = ("draw", "render", "camera", "labels")
OBJECTS = (2, 5)
SAMPLES = 32


@dataclass
class Row:
    """One size of image.

    milliseconds: of each stage for one image, medians; cycles: core seconds of each image of the rival.
    """

    size: str
    milliseconds: dict[str, float]
    cycles: list[float]

    @property
    def rate(self) -> float:
        return 1000 / sum(self.milliseconds.values())

    @property
    def rival(self) -> float:
        # The mean, since some scenes take four times as long as most.
        return 1 / statistics.mean(self.cycles)


class Clock:
    """Milliseconds that each stage takes for one image of a batch: the process's own on a CPU, the clock's on a GPU."""

    def __init__(self, device: torch.device, batch: int) -> None:
        self.device, self.batch = device, batch
        self.times: dict[str, list[float]] = {stage: [] for stage in STAGES}

    def timed(self, stage: str, work: Callable) -> object:
        self._wait()
        start = self._now()
        result = work()
        self._wait()
        self.times[stage].append(1000 * (self._now() - start) / self.batch)
        return result

    def _now(self) -> float:
        return time.process_time() if self.device.type == "cpu" else time.perf_counter()

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def labelled(drawn: Drawn, rendering: Rendering, model: ObjectModel) -> object:
    """Everything that is known of every object, as a dataset or a loss would ask for it."""
    device, target = rendering.thing.device, drawn.target
    places = drawn.views.model.shape[1]
    scenes = drawn.scenes
    points = torch.from_numpy(model.keypoints.astype(np.float32)).to(device).expand(len(target), places, -1, -1)
    pose = torch.from_numpy(scenes.cam_from_obj[:, :places]).float().to(device)
    camera = torch.from_numpy(scenes.camera_matrix).float().to(device)
    diameter = torch.full((len(target), places), model.diameter, device=device)
    return labels.silhouettes(rendering, places), labels.keypoints(rendering, points, pose, camera, diameter)


def first(scenes: Scenes, count: int) -> Scenes:
    return Scenes(**{f.name: getattr(scenes, f.name)[:count] for f in fields(Scenes)})


def measure(
    size: str, generator: Generator, model: ObjectModel, batch: int, batches: int, rival: Photoreal | None, images: int
) -> Row:
    """Times both. The rival runs in the middle of the generator's batches, so that both meet the same load."""
    width, height = SIZES[size]
    device = torch.device(generator.raytracer.device)
    clock, seconds = Clock(device, batch), []
    for number in range(batches + 1):
        rng = np.random.default_rng((0, number))
        if number == 1:  # the first batch warms up
            clock = Clock(device, batch)
        drawn = clock.timed("draw", lambda rng=rng: generator.sampler.frames(rng, batch, width, height, OBJECTS))
        assert isinstance(drawn, Drawn)
        scenes = drawn.scenes
        rendering = clock.timed("render", lambda s=scenes: generator.raytracer.render(s, height, width))
        assert isinstance(rendering, Rendering)
        clock.timed("camera", lambda d=drawn, r=rendering: photograph(r.color, d.shots))
        clock.timed("labels", lambda d=drawn, r=rendering: labelled(d, r, model))
        if rival and number == (batches + 1) // 2:
            rival.photographs(first(scenes, images + 1), height, width)
            seconds = rival.seconds[1:]  # the first one warms up
    return Row(size, {stage: statistics.median(times) for stage, times in clock.times.items()}, seconds)


def report(rows: list[Row], device: str) -> list[Headline]:
    table = Table(title=f"ms an image, {device}", title_justify="left")
    for column in ("size", *STAGES, "whole", "images/s", "Cycles images/s", "ratio"):
        table.add_column(column, justify="left" if column == "size" else "right")
    headlines = []
    for row in rows:
        whole = sum(row.milliseconds.values())
        against = [f"{row.rival:.3f}", f"{row.rate / row.rival:.0f}"] if row.cycles else ["", ""]
        table.add_row(
            row.size, *(f"{row.milliseconds[s]:.2f}" for s in STAGES), f"{whole:.2f}", f"{row.rate:.1f}", *against
        )
        headline = Headline(f"generator, {row.size}, everything on, {device}", row.rate, "images/s")
        if row.cycles:
            rival = f"Cycles, {SAMPLES} samples, denoised, CPU"
            headline = replace(headline, rival=rival, rival_value=row.rival, ratio=row.rate / row.rival)
        headlines.append(headline)
    Console(width=120).print(table)
    return headlines


def generator_of(mesh: Mesh, model: ObjectModel, device: str) -> Generator:
    config = RandomizeConfig()
    config = replace(config, background=replace(config.background, pictures=100))
    return Generator(SceneSampler(config, [model], 0), [mesh], device)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--mesh", type=Path, help="mesh to render (default: our box)")
    parser.add_argument("--unit", default="m", help="the mesh's unit (default: %(default)s)")
    parser.add_argument("--device", default="cpu", help="device of the generator (default: %(default)s)")
    parser.add_argument("--batch", type=int, help="images at a time (default: 32, on a GPU 256)")
    parser.add_argument("--batches", type=int, default=9, help="timed batches of each size (default: %(default)s)")
    parser.add_argument(
        "--threads", type=int, default=1, help="CPU threads of torch and of Cycles (default: %(default)s)"
    )
    parser.add_argument(
        "--images", type=int, default=5, help="images of each size that Cycles renders (default: %(default)s)"
    )
    parser.add_argument("--blender-python", type=Path, help="a Python that has bpy")
    parser.add_argument("--no-cycles", action="store_true", help="leave the rival out")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    return parser.parse_args()


def main() -> int:
    given = options()
    torch.set_num_threads(given.threads)
    batch = given.batch or (32 if given.device == "cpu" else 256)
    try:
        with tempfile.TemporaryDirectory() as folder:
            mesh = load_mesh(given.mesh or make_box(Path(folder)), given.unit)
        model = object_model(mesh, "object", 1)
        generator = generator_of(mesh, model, given.device)
        rival = None
        if not given.no_cycles:
            rival = Photoreal(
                generator.sampler.meshes([mesh]),
                generator.sampler.pictures.bank,
                samples=SAMPLES,
                threads=given.threads,
                realistic=False,
                blender_python=given.blender_python,
            )
        rows = [measure(size, generator, model, batch, given.batches, rival, given.images) for size in SIZES]
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    headlines = report(rows, given.device)
    finish(headlines, given.json, batch=batch, threads=given.threads, rows=[vars(row) for row in rows])
    return 0


if __name__ == "__main__":
    sys.exit(main())
