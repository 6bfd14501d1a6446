"""``pose-regressor train-start``: the network that trainings start from."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from pose_regressor_training.cli.options import (
    DeviceOption,
    PhotosOption,
    PresetConfigOption,
    PresetOption,
    SeedOption,
    SetOption,
    WorkersOption,
    preset_changes,
)


def train_start(
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="Bundle to write. The rounds are kept beside it.")
    ] = Path("start.safetensors"),
    rounds: Annotated[
        int, typer.Option(metavar="N", min=1, help="Rounds in all. A larger number continues a finished training.")
    ] = 20,
    objects: Annotated[int, typer.Option(metavar="N", min=1, help="New objects in each round.")] = 12,
    samples: Annotated[int, typer.Option(metavar="N", min=1, help="Images to learn from in each round.")] = 24_000,
    preset: PresetOption = None,
    config: PresetConfigOption = None,
    photos: PhotosOption = None,
    set_: SetOption = None,
    seed: SeedOption = None,
    workers: WorkersOption = None,
    start_from: Annotated[
        str | None,
        typer.Option(metavar="BUNDLE|none", help="Bundle that the first round starts from. Default: the preset's."),
    ] = None,
    device: DeviceOption = "auto",
) -> None:
    """Train a network on many objects that scripts make, for other trainings to start from.

    Each round brings new objects. The result knows no object: give it to `train --start-from`.
    The same command continues an interrupted training.
    """
    import torch
    from rich.console import Console

    from pose_regressor.files.io import check_file_to_write, write_text
    from pose_regressor.network.runners import select_device
    from pose_regressor_training.randomize.config import with_photographs
    from pose_regressor_training.train.card import start_card
    from pose_regressor_training.train.command import Estimate
    from pose_regressor_training.train.config import load_preset
    from pose_regressor_training.train.rounds import Rounds

    check_file_to_write(out)
    place = torch.device(select_device(device))
    given = preset_changes(
        set_ or [], samples=samples, seed=seed, workers=workers, randomize=config, start_from=start_from
    )
    settings = load_preset(preset or ("gpu" if place.type == "cuda" else "cpu"), given)
    settings = replace(settings, randomize=with_photographs(settings.randomize, photos))
    console = Console()

    def say(line: str) -> None:
        console.print(line, markup=False)

    training = Rounds(settings, objects, out.with_suffix(".rounds"), place, say)
    bundle = training.run(rounds, lambda: [Estimate(console, settings.steps, settings.batch_size)])
    bundle.save(out)
    write_text(out.with_suffix(".md"), start_card(bundle, f"pose-regressor {shlex.join(sys.argv[1:])}"))
    say(f"{out}, {out.with_suffix('.md')}")
