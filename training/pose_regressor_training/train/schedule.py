"""Learning rate and momentum as functions of the step alone, so that nothing of them has to be saved."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pose_regressor_training.train.config import TrainConfig

#: one_cycle: the rate starts at peak / START and ends at peak / START / END; the momentum goes from HIGH to LOW and
#: back (Smith & Topin, Super-Convergence, 2018, as in torch.optim.lr_scheduler.OneCycleLR).
START, END, HIGH, LOW = 25.0, 1e4, 0.95, 0.85
#: Adam's default.
BETA1 = 0.9


@dataclass(frozen=True)
class Pace:
    """Learning rate and momentum of one step.

    learning_rate: as the optimizer takes it
    beta1: AdamW's first momentum
    """

    learning_rate: float
    beta1: float


def pace(config: TrainConfig, step: int) -> Pace:
    """Learning rate and momentum of a step from 0 to config.steps - 1."""
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
    """A cosine from `start` (done = 0) to `end` (done = 1), flat at both."""
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * done))
