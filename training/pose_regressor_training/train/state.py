"""The file from which an interrupted training goes on: safetensors with a JSON header, no pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from pose_regressor.files.io import replacing
from pose_regressor.types import InputError
from pose_regressor_training.train.config import difference

_HEADER_KEY = "pose_regressor_training"
_VERSION = 3
_PARTS = ("network", "average", "regions", "optimizer", "log")


@dataclass(frozen=True, eq=False)
class State:
    """A training after `step` steps.

    step: number of steps done
    network, average: state_dicts of the trained and of the averaged network
    regions: state_dict of the region head, which only trainings have; empty without one
    optimizer: for each parameter, by its number, what the optimizer keeps of it
    log: sums of the loss terms since the last entry of the log
    start: what the training began with, in words
    """

    step: int
    network: Mapping[str, Tensor]
    average: Mapping[str, Tensor]
    regions: Mapping[str, Tensor]
    optimizer: Mapping[int, Mapping[str, Tensor]]
    log: Mapping[str, Tensor]
    start: str

    def save(self, path: Path, identity: Mapping[str, Any]) -> None:
        """Write the file. identity: plain values that tell which training it is, see `load`.

        Raises InputError if a weight is not finite, and leaves the older file: no training could go on from such
            weights.
        """
        optimizer = {f"{number}.{k}": v for number, values in self.optimizer.items() for k, v in values.items()}
        parts = dict(zip(_PARTS, (self.network, self.average, self.regions, optimizer, self.log), strict=True))
        tensors = {
            f"{part}.{name}": value.detach().cpu().contiguous()
            for part, values in parts.items()
            for name, value in values.items()
        }
        for name, value in tensors.items():
            if value.is_floating_point() and not torch.isfinite(value).all():
                raise InputError(f"training: {name} is not finite at step {self.step}; try a lower learning rate")
        header = {"version": _VERSION, "step": self.step, "start": self.start, "identity": identity}
        with replacing(path) as temporary:
            temporary.write_bytes(save(tensors, {_HEADER_KEY: json.dumps(header)}))

    @classmethod
    def load(cls, path: Path, identity: Mapping[str, Any]) -> State:
        """Read the file. Raises InputError if it belongs to another training, and names the difference."""
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
            header = json.loads(metadata.get(_HEADER_KEY, "{}"))
        except (SafetensorError, OSError, json.JSONDecodeError) as error:
            raise InputError(f"training state {path}: cannot be read: {error}") from error
        if header.get("version") != _VERSION:
            raise InputError(
                f"training state {path}: expected version {_VERSION}, got {header.get('version')}; "
                "use --restart or another --out"
            )
        if differs := difference(header["identity"], json.loads(json.dumps(identity))):
            raise InputError(
                f"training state {path}: belongs to another training ({differs}); use --restart or another --out"
            )
        parts: dict[str, dict[str, Tensor]] = {part: {} for part in _PARTS}
        for name, tensor in tensors.items():
            part, _, rest = name.partition(".")
            parts[part][rest] = tensor
        optimizer: dict[int, dict[str, Tensor]] = {}
        for name, tensor in parts["optimizer"].items():
            number, _, key = name.partition(".")
            optimizer.setdefault(int(number), {})[key] = tensor
        return cls(
            header["step"], parts["network"], parts["average"], parts["regions"], optimizer, parts["log"],
            header["start"],
        )  # fmt: skip
