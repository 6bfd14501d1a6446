"""``pose-regressor train``: from a mesh to a bundle."""

from __future__ import annotations

import json
import shlex
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from pose_regressor_training.cli.options import ConfigOption, MeshOption, ModelsInfoOption, UnitOption, read_mesh


def train(
    mesh: MeshOption,
    out: Annotated[Path, typer.Option(help="Bundle to write; its training state is kept beside it until it is done.")],
    unit: UnitOption = None,
    config: ConfigOption = "complete",
    name: Annotated[str | None, typer.Option(help="Name of the object; the mesh's file name if not given.")] = None,
    obj_id: Annotated[int, typer.Option(help="BOP id of the object.")] = 1,
    models_info: ModelsInfoOption = None,
    samples: Annotated[
        int, typer.Option(help="Images to train on; 500000 take one to two hours on two cores.")
    ] = 500_000,
    learning_rate: Annotated[float, typer.Option(help="Peak of the learning rate.")] = 1.5e-3,
    init: Annotated[Path | None, typer.Option(help="Bundle to start from instead of random weights.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    workers: Annotated[int, typer.Option(help="Processes that make images.")] = 2,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "cpu",
    restart: Annotated[bool, typer.Option(help="Discard the state of an interrupted training.")] = False,
) -> None:
    """Train a network for one object from its mesh alone, and write it as a bundle.

    An interrupted training goes on where it stopped when the same command is given again.
    """
    from rich.console import Console
    from rich.progress import Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    from pose_regressor.estimator import select_device
    from pose_regressor.files import write_text
    from pose_regressor.model.bundle import Bundle
    from pose_regressor.model.config import NetworkConfig
    from pose_regressor_training.card import card
    from pose_regressor_training.data.models_info import symmetries_of
    from pose_regressor_training.evaluate import calibrate_depth, evaluate_synthetic
    from pose_regressor_training.randomize.config import load_config
    from pose_regressor_training.render.mesh import object_model
    from pose_regressor_training.trainer import TrainConfig, Trainer

    console = Console()
    randomize = load_config(config)
    loaded = read_mesh(mesh, unit)
    symmetries = symmetries_of(loaded, obj_id, models_info)
    model = object_model(loaded, name or mesh.stem, obj_id, symmetries.discretised())
    size = " x ".join(f"{1000 * edge:.0f}" for edge in model.size)
    console.print(
        f"{model.name}: {size} mm, diameter {1000 * model.diameter:.0f} mm, {len(loaded.faces)} triangles, "
        f"{symmetries.in_words()}"
    )
    settings = TrainConfig(samples=samples, learning_rate=learning_rate, seed=seed, workers=workers)
    state = out.with_suffix(".training.safetensors")
    trainer = Trainer(loaded, model, NetworkConfig(), settings, state, select_device(device), randomize)
    if state.exists() and not restart:
        trainer.resume()
        console.print(f"goes on from step {trainer.step} of {settings.steps} ({state})")
    elif init is not None:
        trainer.start_from(Bundle.load(init))
    log = out.with_suffix(".log.jsonl")
    log.parent.mkdir(parents=True, exist_ok=True)
    started, first = time.monotonic(), trainer.step
    with Progress(*Progress.get_default_columns()[:3], TimeElapsedColumn(), TimeRemainingColumn(),
                  TextColumn("{task.fields[state]}"), console=console) as bar:  # fmt: skip
        task = bar.add_task("training", total=settings.steps, completed=first, state="")

        def progress(step: int, terms: dict[str, float]) -> None:
            rate = (step - first) * settings.batch_size / (time.monotonic() - started)
            words = " ".join(f"{key} {value:.3f}" for key, value in terms.items())
            bar.update(task, completed=step, state=f"{rate:.0f} img/s  {words}")
            with log.open("a") as file:
                file.write(json.dumps({"step": step, "images_per_second": round(rate, 1)} | terms) + "\n")

        bundle = trainer.run(progress)
    bundle.training |= {
        "mesh": mesh.name,
        "start": init.name if init else "random weights",
        "device": device,
        "config": config,
    }
    bundle.depth_scale = calibrate_depth(bundle, loaded, seed + 1_000)
    bundle.metrics = evaluate_synthetic(bundle, loaded, seed + 2_000)  # other images than either of the two before
    bundle.save(out)
    write_text(out.with_suffix(".md"), card(bundle, f"pose-regressor {shlex.join(sys.argv[1:])}"))
    state.unlink(missing_ok=True)
    console.print(f"{out}: " + ", ".join(f"{key} {value:.3f}" for key, value in bundle.metrics.items()))
