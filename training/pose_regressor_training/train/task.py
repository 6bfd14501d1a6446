"""One step of training, as Lightning takes it: network, losses, optimizer, averaged weights."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor

from pose_regressor.network.network import PoseNetwork
from pose_regressor.types import ObjectModel
from pose_regressor_training.losses import ObjectTensors, objective, total
from pose_regressor_training.losses.regions import RegionHead
from pose_regressor_training.processes.torchrun import mean_over_all
from pose_regressor_training.samples.batches import Batch
from pose_regressor_training.train.average import Average
from pose_regressor_training.train.config import TrainConfig
from pose_regressor_training.train.muon import Muon, split
from pose_regressor_training.train.schedule import pace
from pose_regressor_training.train.start import FIRST
from pose_regressor_training.train.state import State
from pose_regressor_training.train.weight_gradients import WeightGradients


class PoseTask(pl.LightningModule):
    """Network, losses, optimizer and average, for Lightning's Trainer.

    network: on its device already
    models: of the objects, in the order of the network's channels
    config: of the training
    start: what the training begins with, in words
    second_thread: whether a second thread computes the gradients of weights; see `WeightGradients`

    `steps_done` counts all steps of the training, also those before an interruption. Nothing here waits for the device:
    loss terms are summed there until `take_means` asks for them.
    """

    def __init__(
        self,
        network: PoseNetwork,
        models: Sequence[ObjectModel],
        config: TrainConfig,
        start: str,
        second_thread: bool = False,
    ) -> None:
        super().__init__()
        self.network, self.config, self.start = network, config, start
        self.models = tuple(models)
        self.average = Average(network, config.ema)
        home = next(network.parameters()).device
        self.regions = RegionHead(network.stride8_channels, len(models)).to(home) if config.losses.regions else None
        self.steps_done = 0
        forward = network.forward_and_features
        self._forward = torch.compile(forward) if config.compile else forward
        self._names = [name for name, weight in asdict(config.losses).items() if weight > 0]
        self._sums = torch.zeros(len(self._names), device=home)
        self._optimizer_state: dict[int, dict[str, Tensor]] = {}
        self._objects = ObjectTensors.from_models(models, home)
        precision = torch.bfloat16 if config.precision == "bf16" else torch.float32
        self._weight_gradients = WeightGradients(precision) if second_thread else None
        self._threads = torch.get_num_threads()

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        return batch.to(device)

    def terms(self, batch: Batch) -> dict[str, Tensor]:
        """The loss terms whose weight is not 0, by name."""
        bf16 = torch.autocast(batch.image.device.type, torch.bfloat16, enabled=self.config.precision == "bf16")
        with bf16, self._weight_gradients or nullcontext():
            boxes, poses, features = self._forward(batch.image)
            regions = self.regions(features) if self.regions else None
        terms = objective(boxes, poses, batch, self._objects, self.config.losses, regions)
        return {name: terms[name] for name in self._names}

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        terms = self.terms(batch)
        self._sums += torch.stack(list(terms.values())).detach()
        return total(terms, self.config.losses)

    def on_before_backward(self, loss: Tensor) -> None:
        if self._weight_gradients:
            torch.set_num_threads(1)  # the second core is for the second thread

    def on_after_backward(self) -> None:
        if self._weight_gradients:
            self._weight_gradients.collect()
            torch.set_num_threads(self._threads)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        optimizer = self._optimizer()
        if self._optimizer_state:
            ordered = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            state = {
                number: {key: _laid_out_as(parameter, value) for key, value in self._optimizer_state[number].items()}
                for number, parameter in enumerate(ordered)
                if number in self._optimizer_state
            }
            optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
        return optimizer

    def _optimizer(self) -> torch.optim.Optimizer:
        rate, decay = self.config.learning_rate, self.config.weight_decay
        heads = [] if self.regions is None else list(self.regions.parameters())
        if self.config.optimizer == "adamw":
            return torch.optim.AdamW([*self.network.parameters(), *heads], lr=rate, weight_decay=decay, fused=True)
        hidden, others = split(self.network, FIRST)
        precision = torch.bfloat16 if self.config.precision == "bf16" else torch.float32
        return Muon(hidden, [*others, *heads], lr=rate, weight_decay=decay, precision=precision)

    def optimizer_step(self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Any = None) -> None:
        now = pace(self.config, self.steps_done)
        for group in optimizer.param_groups:
            group["lr"], group["betas"] = now.learning_rate, (now.beta1, group["betas"][1])
        super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
        self.average.update(self.steps_done)
        self.steps_done += 1

    def take_means(self, steps: int) -> dict[str, float]:
        """Means of the terms over the last `steps` steps and all processes. The sums start anew."""
        means = mean_over_all(self._sums / steps).tolist()
        self._sums.zero_()
        return dict(zip(self._names, means, strict=True))

    def state(self, optimizer: torch.optim.Optimizer) -> State:
        return State(
            self.steps_done,
            self.network.state_dict(),
            self.average.network.state_dict(),
            {} if self.regions is None else self.regions.state_dict(),
            optimizer.state_dict()["state"],
            {"sums": mean_over_all(self._sums)},
            self.start,
        )

    def restore(self, state: State) -> None:
        """Take over a saved state. Must be called before Lightning's fit."""
        self.network.load_state_dict(state.network)
        self.average.network.load_state_dict(state.average)
        if self.regions is not None:
            self.regions.load_state_dict(state.regions)
        self._optimizer_state = {number: dict(values) for number, values in state.optimizer.items()}
        self._sums.copy_(state.log["sums"])
        self.steps_done, self.start = state.step, state.start


def _laid_out_as(parameter: Tensor, value: Tensor) -> Tensor:
    """The value with the parameter's memory layout: the fused optimizer reads both in the order of memory."""
    return torch.empty_like(parameter).copy_(value) if value.shape == parameter.shape else value
