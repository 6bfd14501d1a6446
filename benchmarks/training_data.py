"""Does the generator keep up with the network's training?

    python benchmarks/training_data.py [--mesh FILE --unit m] [--batches 12] [--json FILE]

Needs the training package. Times an image of a training batch (drawn, rendered, photographed and labelled) and, in the
same run, its share of a training step of the default network, all on one core. Figures are medians over batches of 32
images of 128 x 128 pixels, with every effect on.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from headlines import Headline, finish
from rich.console import Console
from rich.table import Table

from pose_regressor.memory import keep_memory
from pose_regressor.network.config import NetworkConfig
from pose_regressor.network.network import PoseNetwork
from pose_regressor.types import ObjectModel
from pose_regressor_training.meshes.mesh import load_mesh, object_model
from pose_regressor_training.randomize.config import RandomizeConfig
from pose_regressor_training.randomize.develop import photograph
from pose_regressor_training.randomize.scene import SceneSampler
from pose_regressor_training.samples.batches import Batch, SceneBatches, batch_of
from pose_regressor_training.samples.generator import Generator
from pose_regressor_training.test_objects import make_box
from pose_regressor_training.train.config import TrainConfig
from pose_regressor_training.train.task import PoseTask

BATCH = 32


def main() -> None:
    options = _options()
    torch.set_num_threads(1)
    keep_memory()  # as a training and its processes do
    with tempfile.TemporaryDirectory() as folder:
        mesh = load_mesh(options.mesh or make_box(Path(folder)), options.unit)
        model = object_model(mesh, "object", 1)
        config = RandomizeConfig()
        config = replace(config, background=replace(config.background, pictures=100))
        sampler = SceneSampler(config, [model], 0)
        network = NetworkConfig()
        step = Step(model, network)
        generator = Generator(sampler, [mesh])
        size = network.crop_size
        times: dict[str, list[float]] = {name: [] for name in ("draw", "render", "camera", "labels", "training step")}

        def timed(name: str, work: Callable) -> object:
            start = time.process_time()
            result = work()
            times[name].append(1000 * (time.process_time() - start) / BATCH)
            return result

        scenes = SceneBatches(sampler, network, BATCH, 0, 0, options.batches + 1)
        for number in range(options.batches + 1):
            if number == 1:  # the first batch warms up
                for values in times.values():
                    values.clear()
            rng = np.random.default_rng((0, number))
            drawn = timed("draw", lambda rng=rng: sampler.windows(rng, BATCH, scenes.spec))
            rendering = timed("render", lambda drawn=drawn: generator.renderer.render(drawn.scenes, size, size))
            timed("camera", lambda drawn=drawn, rendering=rendering: photograph(rendering.color, drawn.shots))
            samples = generator.taken(drawn, size, size)
            batch = timed("labels", lambda samples=samples: batch_of(samples, sampler.models))
            assert isinstance(batch, Batch)
            timed("training step", lambda batch=batch: step(batch))
    _report({name: statistics.median(values) for name, values in times.items()}, options.json)


class Step:
    """What a training does with a batch, without Lightning around it."""

    def __init__(self, model: ObjectModel, config: NetworkConfig) -> None:
        network = PoseNetwork(config, 1).to(memory_format=torch.channels_last)
        self.task = PoseTask(network, [model], TrainConfig(network=config), "random weights")
        self.optimizer = self.task.configure_optimizers()

    def __call__(self, batch: Batch) -> None:
        self.optimizer.zero_grad()
        self.task.training_step(batch, 0).backward()
        torch.nn.utils.clip_grad_norm_(self.task.network.parameters(), self.task.config.clip)
        self.optimizer.step()
        self.task.average.update(0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--mesh", type=Path, help="mesh to render (default: our box)")
    parser.add_argument("--unit", default="m", help="the mesh's unit (default: %(default)s)")
    parser.add_argument("--batches", type=int, default=12, help="batches of 32 images (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    return parser.parse_args()


def _report(median: dict[str, float], path: Path | None) -> None:
    parts = [name for name in median if name != "training step"]
    whole = sum(median[name] for name in parts)
    table = Table(title="one image of 128 x 128, one core", title_justify="left")
    table.add_column("")
    table.add_column("ms", justify="right")
    table.add_column("of the step", justify="right")
    for name, value in [*((name, median[name]) for name in parts), ("generator", whole)]:
        table.add_row(name, f"{value:.2f}", f"{value / median['training step']:.0%}")
    table.add_row("training step", f"{median['training step']:.2f}", "")
    Console().print(table)
    step = median["training step"]
    headline = Headline("generator, one image", whole, "ms", "training step", step, step / whole, ".2f")
    finish([headline], path, **median, generator=whole)


if __name__ == "__main__":
    main()
