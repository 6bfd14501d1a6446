"""``pose-regressor train``: from meshes to a bundle."""

from __future__ import annotations

import shlex
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pose_regressor_training.cli.options import ColorOption, ModelsInfoOption, warnings_on_stderr

if TYPE_CHECKING:
    from pose_regressor_training.train.config import TrainConfig


def train(
    mesh: Annotated[
        list[Path],
        typer.Option(metavar="FILE", help="Mesh of an object (OBJ, PLY, GLB, STL); give it again for more objects."),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", metavar="FILE", help="Bundle to write; its state is kept beside it until it is done."
        ),
    ],
    unit: Annotated[
        list[str] | None,
        typer.Option(help="Unit of the meshes: m or mm, one for all or one for each. Not given: guessed and said."),
    ] = None,
    color: ColorOption = None,
    name: Annotated[
        list[str] | None, typer.Option(help="Names of the objects, one for each mesh; if not given, the files' names.")
    ] = None,
    obj_id: Annotated[
        list[int] | None,
        typer.Option(
            help="BOP ids, one for each mesh; if not given, 10 for obj_000010.ply, else the place in the list."
        ),
    ] = None,
    models_info: ModelsInfoOption = None,
    beside: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Mesh of something else that may stand around, and is not to be found; give it again for more.",
        ),
    ] = None,
    beside_unit: Annotated[
        list[str] | None,
        typer.Option(help="Unit of what stands beside: m or mm, one or one for each. Not given: guessed and said."),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="How to train: a YAML file or a shipped one (quick, cpu, gpu, best). Not given: as the device is, "
            "cpu or gpu.",
        ),
    ] = None,
    config: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE", help="What is randomized, as of generate; goes before the preset's."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Goes before the preset: losses.rotation=0, batch_size=64."),
    ] = None,
    samples: Annotated[int | None, typer.Option(help="Images to train on; goes before the preset's.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random; likewise.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that make images; likewise.")] = None,
    start_from: Annotated[
        str | None,
        typer.Option(
            metavar="BUNDLE|none",
            help="Begin with this bundle's weights, as far as they fit (a file, or the name of a shipped one), or with "
            "random ones. Not given: as the preset says; quick and cpu begin with cube.",
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    restart: Annotated[bool, typer.Option("--restart", help="Discard the state of an interrupted training.")] = False,
    tensorboard: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write the losses for TensorBoard into this folder.")
    ] = None,
) -> None:
    """Train one network for one or several objects from their meshes alone, and write it as a bundle.

    An interrupted training goes on where it stopped when the same command is given again. On several GPUs or hosts:
    torchrun --nproc-per-node N -m pose_regressor train ...; see docs/training.md.
    """  # fmt: skip
    import torch
    from rich.console import Console

    from pose_regressor.estimation.estimator import select_device
    from pose_regressor.files.io import check_file_to_write
    from pose_regressor_training.processes.torchrun import World
    from pose_regressor_training.train.command import Command
    from pose_regressor_training.train.config import load_preset
    from pose_regressor_training.train.objects import read_beside, read_objects
    from pose_regressor_training.train.training import Training

    check_file_to_write(out)
    world = World.here()
    console = Console(quiet=not world.is_first)
    changes = _changes(set_ or [], samples=samples, seed=seed, workers=workers, randomize=config, start_from=start_from)
    place = select_device(device)
    settings: TrainConfig = load_preset(preset or ("gpu" if place.type == "cuda" else "cpu"), changes)
    if place.type == "cuda" and world.size > 1:
        place = select_device(f"cuda:{world.local_rank}")
        torch.cuda.set_device(place)
    with warnings_on_stderr():
        objects = read_objects(mesh, unit or (), name or (), obj_id or (), models_info, color or ())
        others = read_beside(beside or (), beside_unit or ())
    for known in objects:
        console.print(known.in_words())
    training = Training(objects, settings, out.with_suffix(".training.safetensors"), place, world, others)
    console.print(training.begin(restart))
    Command(training, out, console, f"pose-regressor {shlex.join(sys.argv[1:])}", tensorboard).run()


def _changes(assignments: list[str], **options: Any) -> dict[str, Any]:
    """What goes before the preset, as a mapping: options that are given, and KEY=VALUE with dots between keys."""
    import yaml

    from pose_regressor.types import InputError

    changes = {key: value for key, value in options.items() if value is not None}
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        keys = path.split(".")
        if not equals or not all(keys):
            raise InputError(f"--set {assignment}: expected KEY=VALUE, such as losses.rotation=0")
        inner = changes
        for key in keys[:-1]:
            below = inner.setdefault(key, {})
            if not isinstance(below, dict):
                raise InputError(f"--set {assignment}: {key} is given as a whole already")
            inner = below
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            raise InputError(f"--set {assignment}: expected a value in YAML, got {text!r}") from None
        if isinstance(value, str):
            with suppress(ValueError):
                value = float(value)  # YAML 1.1 takes 2e-3 for a word
        inner[keys[-1]] = value
    return changes
