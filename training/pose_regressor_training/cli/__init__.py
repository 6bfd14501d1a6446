"""The commands that the training package adds. Each imports what it needs when it is called."""

from __future__ import annotations

import typer

from pose_regressor_training.cli.calibrate import calibrate
from pose_regressor_training.cli.evaluate import evaluate
from pose_regressor_training.cli.generate import generate
from pose_regressor_training.cli.preview import preview
from pose_regressor_training.cli.train import train
from pose_regressor_training.cli.train_start import train_start


def add_commands(app: typer.Typer) -> None:
    """Add the commands to `app`: the entry point `pose_regressor.commands`."""
    for command in (train, train_start, preview, generate, evaluate, calibrate):
        app.command()(command)
