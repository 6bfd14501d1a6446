"""Several processes, started by torchrun, that train one network together.

Process i of n has every n-th window of every batch, from number i on. To get the same loss and weights as one process,
means and batch statistics are taken over the windows of all.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from pose_regressor.types import InputError


@dataclass(frozen=True)
class World:
    """This process among all.

    rank: its number among all
    size: number of all
    local_rank: its number on this host
    local_size: number on this host
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    @classmethod
    def here(cls) -> World:
        """As torchrun sets it in the environment; a single process without torchrun."""
        try:
            names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
            return cls(*(int(os.environ.get(name, default)) for name, default in zip(names, "0101", strict=True)))
        except ValueError as error:
            raise InputError(f"environment: expected RANK and WORLD_SIZE as torchrun sets them ({error})") from None

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    @property
    def hosts(self) -> int:
        return self.size // self.local_size


def _together() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def mean_over_all(values: Tensor) -> Tensor:
    """The mean of `values` over all processes, without gradients."""
    if not _together():
        return values
    values = values.clone()
    dist.all_reduce(values)
    return values / dist.get_world_size()


def share_of(count: Tensor) -> Tensor:
    """What this process must divide its sum by to get a mean over the windows of all processes; at least 1 in all.

    Gradients are averaged over the processes. So the mean of all quotients must be the sum over all windows divided by
    the count of all windows.
    """
    if not _together():
        return count.clamp(min=1)
    everywhere = count.detach().clone().float()
    dist.all_reduce(everywhere)
    return everywhere.clamp(min=1) / dist.get_world_size()


def synchronised(network: nn.Module) -> nn.Module:
    """The network with batch statistics over all processes.

    On CUDA by torch's SyncBatchNorm, which works only there; on the CPU by a layer of our own. Names of parameters and
    buffers stay the same.
    """
    if next(network.parameters()).is_cuda:
        return nn.SyncBatchNorm.convert_sync_batchnorm(network)
    for module in network.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = _SharedBatchNorm
    return network


class _SumOverAll(torch.autograd.Function):
    """The sum over all processes. Backwards, each gets the sum of all gradients."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        dist.all_reduce(total)
        return total


class _SharedBatchNorm(nn.BatchNorm2d):
    """Batch normalisation with statistics over all processes, by a differentiable sum of sums."""

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        assert self.running_mean is not None and self.running_var is not None
        assert self.momentum is not None and self.num_batches_tracked is not None
        wide = input.float()
        count = torch.tensor([wide.numel() / wide.shape[1]])
        sums = _SumOverAll.apply(torch.cat([wide.sum((0, 2, 3)), wide.square().sum((0, 2, 3)), count]))
        total = sums[-1]
        mean, square = sums[:-1].view(2, -1) / total
        variance = (square - mean.square()).clamp(min=0)
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * total / (total - 1), self.momentum)
            self.num_batches_tracked.add_(1)
        scale = self.weight * (variance + self.eps).rsqrt()
        out = wide * scale[:, None, None] + (self.bias - mean * scale)[:, None, None]
        return out.to(input.dtype)
