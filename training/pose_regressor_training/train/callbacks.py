"""What happens beside the steps: log, saved state, pictures. Each happens every so many steps, in the first process
only.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.utilities.exceptions import SIGTERMException

from pose_regressor.files.io import read_text, write_text
from pose_regressor.types import InputError
from pose_regressor_training.processes.signals import Stopped, StopRequest
from pose_regressor_training.processes.torchrun import World
from pose_regressor_training.train.task import PoseTask

#: A listener: called with the number of steps done and the mean of each term since the last call.
Progress = Callable[[int, Mapping[str, float]], None]


class Log(pl.Callback):
    """Passes the means of the loss terms to all `listeners`. Ends the training if a loss is not finite."""

    def __init__(self, task: PoseTask, listeners: list[Progress], world: World) -> None:
        self._listeners = listeners if world.is_first else []
        self._every = task.config.log_every

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *_: Any) -> None:
        task: PoseTask = pl_module
        done = task.steps_done
        since = done % self._every or self._every
        if since != self._every and done != task.config.steps:
            return
        means = task.take_means(since)
        if not all(map(math.isfinite, means.values())):
            bad = ", ".join(name for name, value in means.items() if not math.isfinite(value))
            raise InputError(
                f"training: {bad} not finite by step {done}, the last saved state is from before; try --restart with "
                "a lower learning rate"
            )
        for listener in self._listeners:
            listener(done, means)


class KeepState(pl.Callback):
    """Saves the state every so many steps, at the end, and when a stop is requested."""

    def __init__(self, path: Path, identity: Mapping[str, Any], request: StopRequest, world: World) -> None:
        self._path, self._identity, self._request, self._world = path, identity, request, world

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *_: Any) -> None:
        task: PoseTask = pl_module
        stopped = self._request.wanted is not None
        if stopped or task.steps_done % task.config.save_every == 0 or task.steps_done == task.config.steps:
            self._save(trainer, task)
        if stopped:
            raise Stopped

    def on_exception(self, trainer: pl.Trainer, pl_module: Any, exception: BaseException) -> None:
        # Lightning ends the training itself if SIGTERM comes between the check above and its own, so between two steps.
        if isinstance(exception, SIGTERMException) and self._request.wanted is not None:
            self._save(trainer, pl_module)

    def _save(self, trainer: pl.Trainer, task: PoseTask) -> None:
        state = task.state(trainer.optimizers[0])  # asks all processes
        if self._world.is_first:
            state.save(self._path, self._identity)


class CurveFile:
    """A listener that keeps the log as JSON lines. Of an interrupted training it keeps the part before the step it goes
    on from.
    """

    def __init__(self, path: Path, done: int) -> None:
        self._path = path
        before = read_curve(path) if done and path.exists() else []
        write_text(path, "".join(f"{json.dumps(entry)}\n" for entry in before if entry["step"] <= done))

    def __call__(self, step: int, means: Mapping[str, float]) -> None:
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"step": step, **means}) + "\n")
        except OSError as error:
            raise InputError(f"{self._path}: cannot be written ({error.strerror or error})") from None


def read_curve(path: Path) -> list[dict[str, Any]]:
    """The entries of a log: the step, and each term by name. A half-written last line is left out."""
    whole = [line for line in read_text(path).splitlines(keepends=True) if line.endswith("\n")]
    try:
        return [json.loads(line) for line in whole]
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: expected one JSON mapping a line ({error})") from None


def tensorboard(folder: Path, done: int) -> Progress:
    """A listener that writes every term for TensorBoard, under the term's name. done: the step from which a resumed
    training writes.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise InputError("TensorBoard is not installed; pip install tensorboard, or leave --tensorboard out") from None
    writer = SummaryWriter(str(folder), purge_step=done + 1 if done else None)

    def write(step: int, means: Mapping[str, float]) -> None:
        for name, value in means.items():
            writer.add_scalar(f"loss/{name}", value, step)
        writer.flush()

    return write
