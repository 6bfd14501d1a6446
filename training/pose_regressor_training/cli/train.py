"""``pose-regressor train``: from meshes to a bundle."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pose_regressor_training.cli.options import (
    BesideOption,
    BesideUnitOption,
    ColorOption,
    DeviceOption,
    MeshesOption,
    ModelsInfoOption,
    NameOption,
    ObjIdOption,
    PhotosOption,
    PresetConfigOption,
    PresetOption,
    SeedOption,
    SetOption,
    UnitsOption,
    WorkersOption,
    preset_changes,
    warnings_on_stderr,
)

if TYPE_CHECKING:
    from pose_regressor_training.train.config import TrainConfig


def train(
    mesh: MeshesOption,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="FILE", help="Bundle to write. The training's state is kept beside it."),
    ],
    unit: UnitsOption = None,
    color: ColorOption = None,
    name: NameOption = None,
    obj_id: ObjIdOption = None,
    models_info: ModelsInfoOption = None,
    beside: BesideOption = None,
    beside_unit: BesideUnitOption = None,
    preset: PresetOption = None,
    config: PresetConfigOption = None,
    photos: PhotosOption = None,
    set_: SetOption = None,
    samples: Annotated[
        int | None, typer.Option(metavar="N", help="Images to train on, 1 or more. Default: the preset's.")
    ] = None,
    seed: SeedOption = None,
    workers: WorkersOption = None,
    start_from: Annotated[
        list[str] | None,
        typer.Option(
            metavar="BUNDLE|none",
            help="Bundle whose weights the training starts from, as far as they fit: a file, or the name of a shipped "
            "one; none: random weights. Repeat it for the mean of several. Default: the preset's.",
        ),
    ] = None,
    device: DeviceOption = "auto",
    restart: Annotated[bool, typer.Option("--restart", help="Discard the state of an interrupted training.")] = False,
    tensorboard: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Folder to write the losses to, for TensorBoard. Default: none."),
    ] = None,
) -> None:
    """Train one network for one or several objects from their meshes alone, and write it as a bundle.

    The same command continues an interrupted training. On several GPUs or hosts:

        torchrun --nproc-per-node N -m pose_regressor train ...

    docs/training.md explains all of it.
    """
    import torch
    from rich.console import Console

    from pose_regressor.files.io import check_file_to_write
    from pose_regressor.network.runners import select_device
    from pose_regressor_training.processes.torchrun import World
    from pose_regressor_training.randomize.config import with_photographs
    from pose_regressor_training.train.command import Command
    from pose_regressor_training.train.config import load_preset
    from pose_regressor_training.train.objects import read_beside, read_objects
    from pose_regressor_training.train.training import Training

    check_file_to_write(out)
    world = World.here()
    console = Console(quiet=not world.is_first)
    given = preset_changes(
        set_ or [], samples=samples, seed=seed, workers=workers, randomize=config, start_from=start_from
    )
    place = torch.device(select_device(device))
    settings: TrainConfig = load_preset(preset or ("gpu" if place.type == "cuda" else "cpu"), given)
    settings = replace(settings, randomize=with_photographs(settings.randomize, photos))
    if place.type == "cuda" and world.size > 1:
        place = torch.device(select_device(f"cuda:{world.local_rank}"))
        torch.cuda.set_device(place)
    with warnings_on_stderr():
        objects = read_objects(mesh, unit or (), name or (), obj_id or (), models_info, color or ())
        others = read_beside(beside or (), beside_unit or ())
    for known in objects:
        console.print(known.in_words(), markup=False)
    for known in (*objects, *others):
        console.print(f"{known.file}: {known.mesh.in_words()}", markup=False)
    training = Training(objects, settings, out.with_suffix(".training.safetensors"), place, world, others)
    console.print(training.begin(restart))
    Command(training, out, console, f"pose-regressor {shlex.join(sys.argv[1:])}", tensorboard).run()
