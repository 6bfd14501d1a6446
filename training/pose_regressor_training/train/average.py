"""The moving average of a network's weights. It has less noise than the weights of any one step, and goes into the
bundle.
"""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


class Average(Generic[Network]):
    """An exponential moving average of all weights and batch statistics.

    network: the averaged network, in evaluation mode

    Each update moves it by 1 - decay of the way to the trained network, and by more in the first steps, so that it
    forgets the initial weights. One kernel serves all tensors, and host and device exchange nothing.
    """

    def __init__(self, trained: Network, decay: float) -> None:
        self.network = copy.deepcopy(trained).eval().requires_grad_(False)
        self._decay = decay
        self._own, self._own_counts = _split(self.network)
        self._trained, self._counts = _split(trained)

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Follow the trained network. step: how many updates came before."""
        torch._foreach_lerp_(self._own, self._trained, 1 - min(self._decay, (1 + step) / (10 + step)))
        if self._counts:
            torch._foreach_copy_(self._own_counts, self._counts)


def _split(network: nn.Module) -> tuple[list[Tensor], list[Tensor]]:
    """Floating-point tensors, which are averaged, and integer ones, which are copied."""
    tensors = [*network.parameters(), *network.buffers()]
    floats = [tensor.detach() for tensor in tensors if tensor.is_floating_point()]
    return floats, [tensor for tensor in tensors if not tensor.is_floating_point()]
