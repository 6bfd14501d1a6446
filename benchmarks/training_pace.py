"""How many images a second does a training take, and for which share of the time does it wait for images?

    PYTHONPATH=.:training python benchmarks/training_pace.py [--preset gpu] [--workers N] [--seconds 180] [--json FILE]

Needs the training package. Trains our box as `pose-regressor train` would, and stops after so many seconds. The first
steps, in which everything warms up, are not counted.

waiting      share of the time between two steps in which the training has no batch to work on
peak memory  of the GPU, as torch counts it
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from headlines import Headline, finish

from pose_regressor.types import InputError
from pose_regressor_training.test_objects import make_box
from pose_regressor_training.train.config import load_preset
from pose_regressor_training.train.objects import read_objects
from pose_regressor_training.train.training import Training

WARM = 10  # steps


class Pace(pl.Callback):
    """Stops the training after so many seconds, and tells how it was spent.

    steps: that were counted
    elapsed, waited: seconds in all, and without a batch to work on
    """

    def __init__(self, seconds: float, device: torch.device) -> None:
        self._seconds, self._device = seconds, device
        self._begun = self._last_end = time.monotonic()
        self._done = 0
        self.steps, self.elapsed, self.waited = 0, 0.0, 0.0

    def _now(self) -> float:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.monotonic()

    def on_train_batch_start(self, *_: Any) -> None:
        if self._done >= WARM:
            self.waited += time.monotonic() - self._last_end

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        now = self._now()
        self._done += 1
        if self._done > WARM:
            self.steps += 1
            self.elapsed += now - self._last_end
        self._last_end = now
        if now - self._begun > self._seconds and self.steps:
            trainer.should_stop = True


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--preset", default="gpu", help="how to train (default: %(default)s)")
    parser.add_argument("--workers", type=int, help="processes that make images (default: the preset's)")
    parser.add_argument(
        "--device", default="cuda" if torch.cuda.is_available() else "cpu", help="(default: %(default)s)"
    )
    parser.add_argument("--seconds", type=float, default=180, help="how long (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    options = parser.parse_args()
    device = torch.device(options.device)
    with tempfile.TemporaryDirectory() as folder:
        try:
            config = load_preset(options.preset, {"workers": options.workers} if options.workers is not None else None)
            objects = read_objects([make_box(Path(folder))], ["m"], ["box"])
            training = Training(objects, config, Path(folder) / "state", device)
            print(training.begin(), file=sys.stderr)
            pace = Pace(options.seconds, device)
            training.run(callbacks=[pace])
        except InputError as error:
            parser.error(str(error))
    if not pace.steps:
        print(f"error: no step after the first {WARM} ended within {options.seconds:g} s", file=sys.stderr)
        return 1
    images, waiting = pace.steps * config.batch_size / pace.elapsed, pace.waited / pace.elapsed
    memory = torch.cuda.max_memory_allocated(device) / 1e9 if device.type == "cuda" else None
    name = f"training, preset {options.preset} on {device.type}"
    headlines = [Headline(f"{name}: images a second", images, form=".0f"),
                 Headline(f"{name}: waiting for images", 100 * waiting, "%", form=".1f")]  # fmt: skip
    if memory is not None:
        headlines.append(Headline(f"{name}: peak memory of the GPU", memory, "GB", form=".1f"))
    finish(headlines, options.json, steps=pace.steps, batch_size=config.batch_size, images_a_second=images,
           waiting_share=waiting, peak_gb=memory)  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
