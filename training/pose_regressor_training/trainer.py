"""The training loop: mixed precision, averaged weights, one-cycle schedule, and a state file to go on from."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from pose_regressor.model.bundle import Bundle
from pose_regressor.model.config import NetworkConfig
from pose_regressor.model.network import PoseNetwork
from pose_regressor.types import InputError, ObjectModel
from pose_regressor_training.losses import ObjectTensors, Weights, objective, total
from pose_regressor_training.randomize.config import RandomizeConfig
from pose_regressor_training.randomize.scene import SceneSampler
from pose_regressor_training.render.mesh import Mesh
from pose_regressor_training.synthetic import Batch, SceneBatches, SyntheticBatches

Progress = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True)
class TrainConfig:
    """samples: images seen in all; learning_rate: its peak, reached after `warmup` of the training; ema: decay of the
    averaged weights, which are the ones that are kept; workers: processes that make images.
    """

    samples: int = 500_000
    batch_size: int = 32
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.02
    warmup: float = 0.05
    ema: float = 0.998
    seed: int = 0
    workers: int = 2

    def __post_init__(self) -> None:
        for name in ("samples", "batch_size", "learning_rate"):
            if not getattr(self, name) > 0:
                raise InputError(f"training: expected {name} above 0, got {getattr(self, name)}")
        if self.workers < 0:
            raise InputError(f"training: expected workers of at least 0, got {self.workers}")

    @property
    def steps(self) -> int:
        return math.ceil(self.samples / self.batch_size)


class Trainer:
    """Trains a network for one object. `state` names the file that holds an interrupted training."""

    def __init__(
        self,
        mesh: Mesh,
        model: ObjectModel,
        network: NetworkConfig,
        config: TrainConfig,
        state: Path,
        device: torch.device | str = "cpu",
        randomize: RandomizeConfig | None = None,
    ) -> None:
        torch.manual_seed(config.seed)
        self.mesh, self.model, self.config, self.state = mesh, model, config, state
        self.randomize = randomize or RandomizeConfig()
        self.device = torch.device(device)
        self.network = PoseNetwork(network, 1)
        self.network.to(device=self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = AveragedModel(self.network, multi_avg_fn=get_ema_multi_avg_fn(config.ema), use_buffers=True)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
        )
        self.step = 0
        self.objects = ObjectTensors.from_models([model], self.device)
        self.weights = Weights()

    def start_from(self, bundle: Bundle) -> None:
        """Begin with another bundle's weights: what one object taught the backbone serves the next."""
        if bundle.config != self.network.config or bundle.network.objects != self.network.objects:
            raise InputError(
                "training: the bundle to start from has another network configuration or number of objects"
            )
        self.network.load_state_dict(bundle.network.state_dict())
        self.average.module.load_state_dict(bundle.network.state_dict())

    def _learning_rate(self) -> float:
        """Linear warm-up, then half a cosine down to nothing."""
        done = self.step / self.config.steps
        if done < self.config.warmup:
            return self.config.learning_rate * (done / self.config.warmup)
        return (
            self.config.learning_rate
            * 0.5
            * (1 + math.cos(math.pi * (done - self.config.warmup) / (1 - self.config.warmup)))
        )

    def run(self, progress: Progress, save_every: int = 500) -> Bundle:
        """Train to the end and return the result. `progress` gets the step and the mean terms since its last call."""
        config = self.config
        sampler = SceneSampler(self.randomize, [self.model], config.seed)
        scenes = SceneBatches(sampler, self.network.config, config.batch_size, config.seed, self.step, config.steps)
        loader = SyntheticBatches(scenes, [self.mesh], self.device).loader(config.workers)
        try:
            self._steps(loader, progress, save_every)
        except KeyboardInterrupt:
            self.save_state()
            raise
        return self.bundle()

    def _steps(self, batches: Iterable[Batch], progress: Progress, save_every: int) -> None:
        sums: dict[str, torch.Tensor] = {}
        for batch in batches:
            terms = self._train_step(batch.to(self.device))
            for name, value in terms.items():
                sums[name] = sums.get(name, 0) + value.detach()
            self.step += 1
            if self.step % 50 == 0 or self.step == self.config.steps:
                means = {name: float(value) / (self.step % 50 or 50) for name, value in sums.items()}
                if not all(map(math.isfinite, means.values())):
                    raise InputError(
                        f"training: a loss is not finite at step {self.step}: {means}; try a lower learning rate"
                    )
                progress(self.step, means)
                sums = {}
            if self.step % save_every == 0:
                self.save_state()

    def _train_step(self, batch: Batch) -> dict[str, torch.Tensor]:
        self.network.train()
        for group in self.optimizer.param_groups:
            group["lr"] = self._learning_rate()
        with torch.autocast(self.device.type, torch.bfloat16):
            boxes, poses = self.network(batch.image)
        terms = objective(boxes, poses, batch, self.objects, self.weights)
        self.optimizer.zero_grad(set_to_none=True)
        total(terms, self.weights).backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()
        self.average.update_parameters(self.network)
        return terms

    def bundle(self) -> Bundle:
        network = PoseNetwork(self.network.config, 1)
        network.load_state_dict(self.average.module.state_dict())
        samples = self.step * self.config.batch_size
        training = asdict(self.config) | {"samples_seen": samples, "randomize": self.randomize.to_dict()}
        return Bundle(network.eval(), (self.model,), training=training)

    def _header(self) -> dict[str, Any]:
        return {
            "config": asdict(self.config),
            "network": self.network.config.to_dict(),
            "randomize": self.randomize.to_dict(),
            "object": self.model.name,
        }

    def save_state(self) -> None:
        """Everything that training goes on from, written in one step."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.state_dict().items()}
        for number, values in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{k}": v for k, v in values.items()}
        header = {"state": json.dumps(self._header()), "step": str(self.step)}
        partial = self.state.with_name(f".{self.state.name}.{os.getpid()}.partial")
        try:
            self.state.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(save({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, header))
            partial.replace(self.state)
        except OSError as error:
            raise InputError(f"training state {self.state}: cannot be written: {error.strerror}") from error
        finally:
            partial.unlink(missing_ok=True)

    def resume(self) -> None:
        """Take up the training that the state file holds; it must be the same training."""
        try:
            with safe_open(self.state, framework="pt") as file:
                header = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        except (SafetensorError, OSError) as error:
            raise InputError(f"training state {self.state}: cannot be read: {error}") from error
        if header.get("state") != json.dumps(self._header()):
            raise InputError(
                f"training state {self.state}: belongs to another training; use --restart or another --out"
            )
        parts: dict[str, dict[str, torch.Tensor]] = {"network": {}, "average": {}, "optimizer": {}}
        for name, tensor in tensors.items():
            part, _, rest = name.partition(".")
            parts[part][rest] = tensor
        self.network.load_state_dict(parts["network"])
        self.average.load_state_dict(parts["average"])
        state: dict[int, dict[str, torch.Tensor]] = {}
        for name, tensor in parts["optimizer"].items():
            number, _, key = name.partition(".")
            state.setdefault(int(number), {})[key] = tensor
        self.optimizer.load_state_dict({"state": state, "param_groups": self.optimizer.state_dict()["param_groups"]})
        self.step = int(header["step"])
