"""A training as one YAML file: schedule, precision, weights of the losses, network and randomization."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

from pose_regressor.files.io import read_yaml
from pose_regressor.network.config import NetworkConfig
from pose_regressor.settings import (
    Config,
    as_markdown,
    choice,
    count,
    located,
    number,
    refuse_unknown,
    section,
    switch,
    texts,
)
from pose_regressor.types import InputError
from pose_regressor_training.losses import Weights
from pose_regressor_training.randomize.config import RandomizeConfig, load_config
from pose_regressor_training.randomize.shipped import PRESETS, find_file

#: These may change between an interruption and its resumption: they do not change the result.
FREE = ("workers", "log_every", "save_every", "preview_every")
#: What stands in `start_from` for random weights.
NO_BUNDLE = "none"
#: Least learning rate and norm of the gradient: 0 would train nothing.
_LEAST = 1e-9


@dataclass(frozen=True)
class TrainConfig(Config):
    """Everything that a training consists of. Making one checks every value, also those of the sections."""

    scope: ClassVar[str] = "training: "

    samples: int = count(500_000, "uses of images; an image that is used three times counts three times", 1, 10**10)
    batch_size: int = count(32, "images in a step, of all training processes together", 1)
    uses: int = count(3, "how often each rendered image is used", 1, 1000)
    start_from: tuple[str, ...] = texts(
        (NO_BUNDLE,),
        "bundle whose weights the training starts from: a file or the name of a shipped bundle; a list of bundles: the "
        f"mean of their weights; {NO_BUNDLE}: random weights",
        pattern=".+",
        form="a file or a name, or a list of them",
    )
    optimizer: str = choice(
        "muon", ("muon", "adamw"), "muon: steps of orthogonalized momentum (train/muon.py); adamw: AdamW"
    )
    learning_rate: float = number(2e-3, "highest learning rate", _LEAST)
    schedule: str = choice(
        "cosine",
        ("cosine", "one_cycle"),
        "course of the learning rate; cosine: it rises linearly, then falls to 0 along half a cosine; one_cycle: it "
        "rises and falls along cosines, while the momentum of AdamW falls and rises",
    )
    warmup: float = number(0.05, "share of the training in which the learning rate rises", 0, 0.9)
    weight_decay: float = number(0.02, "weight decay of either optimizer")
    clip: float = number(5.0, "largest norm of the gradient; a longer gradient is shortened to it", _LEAST)
    ema: float = number(
        0.998,
        "decay of the running average of the weights, in each step; the bundle gets this average; the first steps use "
        "a smaller decay",
        0,
        0.999999,
    )
    precision: str = choice(
        "bf16", ("bf16", "fp32"), "precision of the network's arithmetic; weights and losses are always in fp32"
    )
    compile: bool = switch(False, "compile the network with torch.compile, which takes a minute; meant for GPUs")
    seed: int = count(0, "seed of all random numbers", high=2**31)
    workers: int = count(2, "processes that make images, for each training process", high=1000)
    log_every: int = count(50, "steps between two entries of the log", 1, unit="steps")
    save_every: int = count(500, "steps between two saved states", 1, unit="steps")
    preview_every: int = count(2000, "steps between two pictures of predictions", 1, 10**9, unit="steps")
    losses: Weights = section(Weights, "weight of each loss, by its name")
    network: NetworkConfig = section(NetworkConfig, "sizes of the network")
    randomize: RandomizeConfig = section(
        RandomizeConfig,
        "what is randomized: the name of a shipped configuration, a file, or a mapping of parts; default: `complete`",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.start_from or (NO_BUNDLE in self.start_from and len(self.start_from) > 1):
            given = ", ".join(self.start_from) or "nothing"
            raise InputError(f"training: start_from: expected bundles, or {NO_BUNDLE} alone, got {given}")

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        return math.ceil(self.samples / self.batch_size)

    @property
    def rendered(self) -> int:
        """Images rendered for all steps."""
        return math.ceil(self.steps / self.uses) * self.batch_size

    @classmethod
    def from_dict(cls, values: Any, where: str = "") -> TrainConfig:
        """The configuration from a mapping with some of the keys; None stands for an empty one.

        where: begins the errors, such as a file's name

        Raises InputError that names the key.
        """
        with located(where):
            read = refuse_unknown({} if values is None else values, [f.name for f in fields(cls)], cls.scope)
            if isinstance(read.get("start_from"), str):
                read["start_from"] = [read["start_from"]]
            if "losses" in read:
                read["losses"] = Weights.from_dict(read["losses"], where="training")
            if "network" in read:
                read["network"] = _network(read["network"])
            if "randomize" in read:
                spec = read["randomize"]
                read["randomize"] = load_config(spec) if isinstance(spec, str) else RandomizeConfig.from_dict(spec)
            return cls(**read)

    def to_dict(self) -> dict[str, Any]:
        """All values as plain ones, as `from_dict` reads them."""
        values = super().to_dict() | {name: getattr(self, name).to_dict() for name in self.sections()}
        # One bundle is a text, as in versions that took only one: they and this one go on with each other's trainings.
        first, *more = self.start_from
        return values | {"start_from": [first, *more] if more else first}


def _network(given: object) -> NetworkConfig:
    """The network from a mapping with some of its keys."""
    defaults = NetworkConfig().to_dict()
    return NetworkConfig.from_dict(defaults | refuse_unknown(given, defaults, "network."), where="training")


def load_preset(spec: str | Path, changes: Mapping[str, Any] | None = None) -> TrainConfig:
    """The training in a file, or a shipped preset by its name.

    changes: values that override those of the preset; mappings are merged key by key

    Raises InputError that names the key, and the file if the error is there.
    """
    path = find_file(spec, PRESETS, "preset ")
    values = read_yaml(path)
    values = {} if values is None else values
    TrainConfig.from_dict(values, where=str(path))  # so that an error in the file is not blamed on the changes
    changes = changes or {}
    if isinstance(values.get("randomize"), str) and isinstance(changes.get("randomize"), Mapping):
        values = {**values, "randomize": load_config(values["randomize"]).to_dict()}
    return TrainConfig.from_dict(_merged(values, changes))


def _merged(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(values)
    for key, value in changes.items():
        before = merged.get(key)
        merged[key] = _merged(before, value) if isinstance(before, Mapping) and isinstance(value, Mapping) else value
    return merged


def difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What differs between two configurations as dictionaries, in words; "" if nothing does, apart from FREE keys."""
    keys = [key for key in sorted({*before, *now} - set(FREE)) if before.get(key) != now.get(key)]
    return ", ".join(f"{key} was {before.get(key)} and is now {now.get(key)}" for key in keys)


def documentation() -> str:
    """All keys but those of the randomization as a Markdown table: part of docs/training.md."""
    return as_markdown(TrainConfig, Weights, NetworkConfig)
