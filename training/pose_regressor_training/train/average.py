"""The moving average of a network's weights: less noise than any single step's, and the one that is kept."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


class Average(Generic[Network]):
    """network: the averaged one, in evaluation mode; `update` follows the trained one by 1 - decay of the way, by more
    in the first steps, so that the average forgets the weights of the beginning.

    Its batch statistics are averaged too. One kernel for all tensors, and no word between host and device.
    """

    def __init__(self, trained: Network, decay: float) -> None:
        self.network = copy.deepcopy(trained).eval().requires_grad_(False)
        self._decay = decay
        self._own, self._own_counts = _split(self.network)
        self._trained, self._counts = _split(trained)

    @torch.no_grad()
    def update(self, step: int) -> None:
        """step: how many came before."""
        torch._foreach_lerp_(self._own, self._trained, 1 - min(self._decay, (1 + step) / (10 + step)))
        if self._counts:
            torch._foreach_copy_(self._own_counts, self._counts)


def _split(network: nn.Module) -> tuple[list[Tensor], list[Tensor]]:
    """What is averaged, and what is counted."""
    tensors = [*network.parameters(), *network.buffers()]
    floats = [tensor.detach() for tensor in tensors if tensor.is_floating_point()]
    return floats, [tensor for tensor in tensors if not tensor.is_floating_point()]
