"""Learning rate and momentum as functions of the step alone, so that nothing of them has to be kept."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pose_regressor_training.train.config import TrainConfig

#: Of one_cycle: the rate starts at the peak over START and ends at that over END; the momentum goes from HIGH to LOW
#: and back (Smith & Topin, Super-Convergence, 2018, as torch.optim.lr_scheduler.OneCycleLR has it).
START, END, HIGH, LOW = 25.0, 1e4, 0.95, 0.85
#: Adam's own.
BETA1 = 0.9


@dataclass(frozen=True)
class Pace:
    """Of one step. beta1: AdamW's first momentum."""

    learning_rate: float
    beta1: float


def pace(config: TrainConfig, step: int) -> Pace:
    """Of step number 0 to config.steps - 1."""
    peak, share = config.learning_rate, config.warmup
    if config.schedule == "one_cycle":
        last = config.steps - 1
        turn = share * config.steps - 1
        if step <= turn:
            done = step / turn if turn > 0 else 1.0
            return Pace(_cosine(peak / START, peak, done), _cosine(HIGH, LOW, done))
        done = (step - turn) / max(last - turn, 1)
        return Pace(_cosine(peak, peak / START / END, done), _cosine(LOW, HIGH, done))
    done = step / config.steps
    if done < share:
        return Pace(peak * done / share, BETA1)
    return Pace(_cosine(peak, 0.0, (done - share) / (1 - share)), BETA1)


def _cosine(start: float, end: float, done: float) -> float:
    """From `start` to `end`, flat at both."""
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * done))
