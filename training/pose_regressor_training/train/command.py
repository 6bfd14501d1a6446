"""What ``pose-regressor train`` does around a training: tells how long it takes, calibrates, measures, writes
everything.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import TextColumn, TimeElapsedColumn, TimeRemainingColumn

from pose_regressor.files.io import write_text
from pose_regressor.network.bundle import Bundle
from pose_regressor_training.calibrate.calibrate import CALIBRATION_SEED, calibrate
from pose_regressor_training.calibrate.metrics import measure, rows_of
from pose_regressor_training.train.callbacks import CurveFile, Progress, read_curve, tensorboard
from pose_regressor_training.train.card import card
from pose_regressor_training.train.pictures import Pictures
from pose_regressor_training.train.report import Run, write_report
from pose_regressor_training.train.training import Training

#: The rate is measured over this many seconds, and only after this many steps, when everything runs.
_MEASURED, _WARM = 20.0, 10


class Command:
    """The command ``pose-regressor train``, once its arguments are read.

    training: ready to run
    out: the bundle to write; card, report and state lie beside it
    console: where progress is printed
    command: the command line, for card and report
    board: folder for TensorBoard; None: no TensorBoard
    """

    def __init__(self, training: Training, out: Path, console: Console, command: str, board: Path | None) -> None:
        self._training, self._out, self._console, self._command, self._board = training, out, console, command, board
        self._folder = out.with_suffix(".report")
        self._log = self._folder / "log.jsonl"
        self._estimate = Estimate(console, training.config.steps, training.config.batch_size)

    def run(self) -> None:
        """Train to the end and write bundle, card and report."""
        training = self._training
        if not training.world.is_first:
            training.run()
            return
        bundle = self._trained()
        meshes = [known.mesh for known in training.objects]
        seed, device = training.config.seed + CALIBRATION_SEED, str(training.device)
        self._console.print("calibrating and measuring on synthetic frames that it has not seen")
        calibrate(bundle, meshes, seed, device=device)
        trial = measure(bundle, meshes, seed, device=device)
        bundle.save(self._out)
        write_text(self._out.with_suffix(".md"), card(bundle, self._command))
        report = write_report(self._folder, bundle, trial, Run(self._command, self._pace(), read_curve(self._log)))
        training.state.unlink(missing_ok=True)
        for words, value in rows_of(bundle.metrics, bundle.objects):
            self._console.print(f"{value} {words}")
        self._console.print(f"{self._out}, {report}")

    def _pace(self) -> str:
        device, count = self._training.device.type, self._training.world.size
        place = f"{count} processes on {device}" if count > 1 else device
        return f"{self._estimate.rate:.0f} a second on {place}" if self._estimate.rate else f"on {place}"

    def _trained(self) -> Bundle:
        training, config = self._training, self._training.config
        listeners: list[Progress] = [CurveFile(self._log, training.steps_done)]
        if self._board:
            listeners.append(tensorboard(self._board, training.steps_done))
        columns = (*Bar.get_default_columns()[:3], TimeElapsedColumn(), TimeRemainingColumn())
        with Bar(*columns, TextColumn("{task.fields[state]}"), console=self._console) as bar:
            line = bar.add_task("training", total=config.steps, completed=training.steps_done, state="")

            def show(step: int, means: Mapping[str, float]) -> None:
                words = " ".join(f"{key} {value:.3f}" for key, value in means.items())
                bar.update(line, completed=step, state=f"{self._estimate.rate:.0f} img/s  {words}")

            return training.run([*listeners, show], [self._estimate, Pictures(self._folder)])


class Estimate(pl.Callback):
    """Prints, once it can tell, how long the training will take.

    rate: images a second; 0 until it is known
    """

    def __init__(self, console: Console, steps: int, batch_size: int) -> None:
        self._console, self._steps, self._batch_size = console, steps, batch_size
        self._first = self._last = (0, 0.0)
        self._seen, self._said = 0, False

    @property
    def rate(self) -> float:
        (first, start), (last, end) = self._first, self._last
        return (last - first) * self._batch_size / (end - start) if end > start else 0.0

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *_: object) -> None:
        done, now = pl_module.steps_done, time.monotonic()
        self._seen += 1
        if self._seen <= _WARM:  # the first batches wait for the workers, or are ready before
            self._first = done, now
        self._last = done, now
        if not self._said and now - self._first[1] > _MEASURED and self.rate:
            self._said = True
            rest = (self._steps - done) * self._batch_size / self.rate
            self._console.print(f"{self.rate:.0f} images a second: about {in_words(rest)} to go")


def in_words(seconds: float) -> str:
    """A duration such as 1 h 50 min."""
    minutes = max(1, round(seconds / 60))
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours else f"{rest} min"
