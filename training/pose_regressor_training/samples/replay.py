"""Images that a network learns from more than once.

On a CPU, rendering an image takes a third of the time of learning from it; with a scanned mesh, two thirds.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import fields

import numpy as np
import torch
from torch import Tensor

from pose_regressor_training.samples.batches import Batch
from pose_regressor_training.samples.turns import turned

#: Images that are kept, in all processes together; 100 kB each.
HELD = 4096


class Replay:
    """The batches of a training's steps: every uses-th is fresh, the others are drawn from the images kept.

    uses: how often a network learns from each image, on average
    batch_size: of all processes together
    seed: of the draws
    part: (i, n), the share of one of n processes
    turns: whether an image that is used again is turned by a random number of quarter turns

    The batch of step i depends only on the seed and on i, whatever was interrupted. `first_fresh` tells with which
    fresh batch to go on. An image keeps its row in the batch, so that several processes draw from their own images what
    one process would draw from all.
    """

    def __init__(
        self, uses: int, batch_size: int, seed: int, part: tuple[int, int] = (0, 1), turns: bool = False
    ) -> None:
        self.uses, self.batch_size, self.seed, self.part, self.turns = uses, batch_size, seed, part, turns
        self.held = max(HELD // batch_size, 1) if uses > 1 else 1

    def fresh(self, step: int) -> int:
        """Number of the last fresh batch before step `step` + 1."""
        return step // self.uses

    def first_fresh(self, step: int) -> int:
        """The first fresh batch needed from step `step` on: the oldest that is kept then."""
        begun = step % self.uses > 0
        return max(self.fresh(step) + begun - self.held, 0) if self.uses > 1 else step

    def steps(self, fresh: Iterable[Batch], start: int, stop: int) -> Iterator[Batch]:
        """Batches of the steps `start` to `stop`. fresh: the fresh batches from number `first_fresh(start)` on."""
        batches = iter(fresh)
        if self.uses == 1:
            yield from itertools.islice(batches, stop - start)
            return
        store: list[Tensor] = []
        upto = self.first_fresh(start)
        for step in range(start, stop):
            while upto <= self.fresh(step):
                batch = next(batches)
                store = store or [_room(getattr(batch, f.name), self.held) for f in fields(Batch)]
                for kept, f in zip(store, fields(Batch), strict=True):
                    kept[upto % self.held] = getattr(batch, f.name)
                upto += 1
            yield batch if step % self.uses == 0 else self._again(store, upto, step)

    def _again(self, store: list[Tensor], upto: int, step: int) -> Batch:
        """For every row, an image of one of the batches kept. upto: number of the next fresh batch."""
        rng = np.random.default_rng((self.seed, 1, step))
        rows = slice(self.part[0], None, self.part[1])
        which = rng.integers(max(upto - self.held, 0), upto, self.batch_size)[rows] % self.held
        chosen = torch.from_numpy(which).to(store[0].device)
        own = torch.arange(len(which), device=chosen.device)
        batch = Batch(*(kept[chosen, own] for kept in store))
        if self.turns:
            turns = torch.from_numpy(rng.integers(0, 4, self.batch_size)[rows])
            for least in (1, 2, 3):
                _turn(batch, (turns >= least).nonzero().squeeze(1).to(chosen.device))
        return batch


def _turn(batch: Batch, rows: Tensor) -> None:
    """Turn some rows of the batch by a quarter."""
    part = turned(Batch(*(getattr(batch, f.name)[rows] for f in fields(Batch))))
    for f in fields(Batch):
        getattr(batch, f.name)[rows] = getattr(part, f.name)


def _room(values: Tensor, count: int) -> Tensor:
    return values.new_empty((count, *values.shape))
