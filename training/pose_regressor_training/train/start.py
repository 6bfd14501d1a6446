"""Starting from another network's weights: what it learnt of one object serves the next."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from pose_regressor.network.bundle import Bundle
from pose_regressor.types import InputError

FIRST = "backbone.conv1"


@dataclass(frozen=True)
class Taken:
    """What was taken over from another network.

    taken: names of the parameters and buffers that were copied
    fresh: names of those that keep their values
    """

    taken: tuple[str, ...]
    fresh: tuple[str, ...]

    def in_words(self) -> str:
        if not self.fresh:
            return f"all {len(self.taken)} tensors"
        return f"{len(self.taken)} tensors; fresh are {', '.join(self.fresh)}"


@torch.no_grad()
def start_from(network: nn.Module, bundle: Bundle) -> Taken:
    """Copy into `network` whatever has the same name and shape in the bundle's network.

    Widths and numbers of objects may differ. Raises InputError if the first layer does not fit: the layers after it
    would be worthless.
    """
    given = bundle.network.state_dict()
    taken, fresh = [], []
    for name, value in network.state_dict().items():
        other = given.get(name)
        if other is not None and other.shape == value.shape:
            value.copy_(other)
            taken.append(name)
        else:
            fresh.append(name)
    if f"{FIRST}.weight" not in taken:
        width = network.get_parameter(f"{FIRST}.weight").shape[0]
        raise InputError(
            f"training: the bundle to start from has a network of width {bundle.config.width}, which does not fit one "
            f"of width {width}; --start-from none begins with random weights"
        )
    return Taken(tuple(taken), tuple(fresh))
