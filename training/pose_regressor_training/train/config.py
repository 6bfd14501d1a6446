"""What a training consists of, as one YAML file: schedule, precision, weights of the losses, network, randomization."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from pose_regressor.files.io import read_yaml
from pose_regressor.network.config import NetworkConfig
from pose_regressor.types import InputError
from pose_regressor_training.losses import Weights
from pose_regressor_training.randomize.config import RandomizeConfig, load_config
from pose_regressor_training.randomize.part import choice, count, number, switch, text

PRESETS = Path(__file__).resolve().parent.parent / "configs" / "presets"
#: These may change between a kill and its resumption: they change nothing of the result.
FREE = ("workers", "log_every", "save_every", "preview_every")
#: What `start_from` names where it names no bundle.
NO_BUNDLE = "none"
#: Learning rates of 0 would train nothing.
_LEAST = 1e-9


@dataclass(frozen=True)
class TrainConfig:
    """Every field says in its help what it means; `table` has them all."""

    samples: int = count(500_000, "images to train on, in all; one that is used again counts again", 1, 10**10)
    batch_size: int = count(32, "images of a step, over all processes", 1)
    uses: int = count(3, "times that each image is learnt from: it is rendered once", 1, 1000)
    start_from: str = text(
        NO_BUNDLE,
        "bundle whose weights it begins with, as far as they fit: a file, or the name of a shipped one; "
        f"{NO_BUNDLE}: random weights",
    )
    optimizer: str = choice(
        "muon", ("muon", "adamw"), "muon: steps of one size in all directions of a layer's matrix; adamw: Adam's"
    )
    learning_rate: float = number(2e-3, "its peak", _LEAST)
    schedule: str = choice(
        "cosine",
        ("cosine", "one_cycle"),
        "cosine: a straight rise, then half a cosine down to 0; one_cycle: a rise and a fall by cosines, AdamW's "
        "momentum the other way round",
    )
    warmup: float = number(0.05, "share of the training in which the rate rises", 0, 0.9)
    weight_decay: float = number(0.02, "of the weights, by either optimizer")
    clip: float = number(5.0, "largest norm of the gradient; longer ones are shortened to it", _LEAST)
    ema: float = number(
        0.998, "decay of the averaged weights, the ones that are kept; less in the first steps", 0, 0.999999
    )
    precision: str = choice("bf16", ("bf16", "fp32"), "of the network's arithmetic; weights and losses are in fp32")
    compile: bool = switch(False, "have torch.compile translate the network: takes a minute, pays on a GPU")
    seed: int = count(0, "of everything random", most=2**31)
    workers: int = count(2, "processes that make images, for each training process", most=1000)
    log_every: int = count(50, "steps between two entries of the log", 1)
    save_every: int = count(500, "steps between two saved states", 1)
    preview_every: int = count(2000, "steps between two pictures of what is predicted", 1, 10**9)
    losses: Weights = field(
        default_factory=Weights, metadata={"help": "weights of the terms of the objective by name; 0 leaves one out"}
    )
    network: NetworkConfig = field(default_factory=NetworkConfig, metadata={"help": "sizes of the network"})
    randomize: RandomizeConfig = field(
        default_factory=RandomizeConfig,
        metadata={"help": "what the generator draws: a name or file as of `--config`, or a mapping of its parts"},
    )

    def __post_init__(self) -> None:
        for f in fields(self):
            check = f.metadata.get("check")
            if check is None:
                continue
            try:
                object.__setattr__(self, f.name, check(getattr(self, f.name)))
            except ValueError as error:
                raise InputError(f"training: {f.name}: {error}, got {getattr(self, f.name)!r}") from None

    @property
    def steps(self) -> int:
        return math.ceil(self.samples / self.batch_size)

    @property
    def rendered(self) -> int:
        """Images that are rendered for all the steps."""
        return math.ceil(self.steps / self.uses) * self.batch_size

    @classmethod
    def from_dict(cls, values: Any) -> TrainConfig:
        """From a mapping with some of the keys. Raises InputError that names the key."""
        values = {} if values is None else values
        if not isinstance(values, Mapping):
            raise InputError(f"training: expected a mapping, got {values!r}")
        known = [f.name for f in fields(cls)]
        for key in values:
            if key not in known:
                raise InputError(f"training: {key}: no such key, expected some of {', '.join(known)}")
        read = dict(values)
        if "losses" in read:
            read["losses"] = _weights(read["losses"])
        if "network" in read:
            read["network"] = _network(read["network"])
        if "randomize" in read:
            spec = read["randomize"]
            read["randomize"] = load_config(spec) if isinstance(spec, str) else RandomizeConfig.from_dict(spec)
        return cls(**read)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, all of them, as `from_dict` reads them."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        network = {k: list(v) if isinstance(v, tuple) else v for k, v in self.network.to_dict().items()}
        return values | {"losses": asdict(self.losses), "network": network, "randomize": self.randomize.to_dict()}


def _weights(given: object) -> Weights:
    if not isinstance(given, Mapping):
        raise InputError(f"training: losses: expected a mapping from terms to weights, got {given!r}")
    known = [f.name for f in fields(Weights)]
    for name in given:
        if name not in known:
            raise InputError(f"training: losses.{name}: no such term, expected some of {', '.join(known)}")
    try:
        return Weights(**given)
    except InputError as error:
        raise InputError(f"training: {error}") from None


def _network(given: object) -> NetworkConfig:
    if not isinstance(given, Mapping):
        raise InputError(f"training: network: expected a mapping, got {given!r}")
    known = NetworkConfig().to_dict()
    for key in given:
        if key not in known:
            raise InputError(f"training: network.{key}: no such key, expected some of {', '.join(known)}")
    plain = {k: list(v) if isinstance(v, tuple) else v for k, v in (known | dict(given)).items()}
    return NetworkConfig.from_dict(plain)


def shipped_presets() -> list[str]:
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def load_preset(spec: str | Path, changes: Mapping[str, Any] | None = None) -> TrainConfig:
    """A file, or a shipped preset by its name; `changes` go before what it says, those of a mapping key by key."""
    path = Path(spec)
    if not path.is_file() and str(spec) in shipped_presets():
        path = PRESETS / f"{spec}.yaml"
    if not path.is_file():
        raise InputError(f"preset {spec}: no such file, nor one of the shipped ones ({', '.join(shipped_presets())})")
    values = read_yaml(path)
    values = {} if values is None else values
    try:
        TrainConfig.from_dict(values)  # what is wrong with the file is not to be laid on the changes
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
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
    """In words, what differs between two configurations as dictionaries, but for what is FREE; empty if nothing."""
    keys = [key for key in sorted({*before, *now} - set(FREE)) if before.get(key) != now.get(key)]
    return ", ".join(f"{key} was {before.get(key)} and is now {now.get(key)}" for key in keys)


def table() -> str:
    """Every key with its default and meaning, as Markdown: part of docs/training.md."""
    lines = ["| key | default | meaning |", "|---|---|---|"]
    for f in fields(TrainConfig):
        if f.name == "randomize":
            default = "complete"
        elif f.name in ("losses", "network"):
            inner = asdict(getattr(TrainConfig(), f.name))
            default = ", ".join(f"{key} {_plain(value)}" for key, value in inner.items())
        else:
            default = _plain(f.default)
        lines.append(f"| `{f.name}` | {default} | {f.metadata['help']} |")
    return "\n".join(lines) + "\n"


def _plain(value: object) -> str:
    return str(list(value) if isinstance(value, tuple) else value).replace("False", "false")
