"""Images that are learnt from more than once: on a CPU, rendering one takes a third of what learning from it does, and
of a scanned mesh twice that.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import fields

import numpy as np
import torch
from torch import Tensor

from pose_regressor_training.samples.batches import Batch

#: Images that are kept to be looked at again, over all processes; 100 kB each.
HELD = 4096


class Replay:
    """The batches of a training's steps: every uses-th is fresh, those between are drawn from the ones held.

    What step i sees depends on the seed and on i alone, whatever was interrupted: `first_fresh` says from which batch
    on the fresh ones must be given to go on at a step. An image keeps its row, so that each of several processes draws
    from its own images what one process would draw from all.
    """

    def __init__(self, uses: int, batch_size: int, seed: int, part: tuple[int, int] = (0, 1)) -> None:
        self.uses, self.batch_size, self.seed, self.part = uses, batch_size, seed, part
        self.held = max(HELD // batch_size, 1) if uses > 1 else 1

    def fresh(self, step: int) -> int:
        """The number of the last fresh batch before step `step` + 1."""
        return step // self.uses

    def first_fresh(self, step: int) -> int:
        """The first batch that is needed from step `step` on: the oldest of those then held."""
        begun = step % self.uses > 0
        return max(self.fresh(step) + begun - self.held, 0) if self.uses > 1 else step

    def steps(self, fresh: Iterable[Batch], start: int, stop: int) -> Iterator[Batch]:
        """Batches for the steps from `start` to `stop`, of fresh ones from number `first_fresh(start)` on."""
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
        """An image of every row, each of one of the batches that are held; `upto` is the next fresh one's number."""
        rng = np.random.default_rng((self.seed, 1, step))
        rows = slice(self.part[0], None, self.part[1])
        which = rng.integers(max(upto - self.held, 0), upto, self.batch_size)[rows] % self.held
        chosen = torch.from_numpy(which).to(store[0].device)
        own = torch.arange(len(which), device=chosen.device)
        return Batch(*(kept[chosen, own] for kept in store))


def _room(values: Tensor, count: int) -> Tensor:
    return values.new_empty((count, *values.shape))
