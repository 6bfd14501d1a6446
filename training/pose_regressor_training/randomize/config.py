"""The whole randomization as one YAML file: a mapping of parts, each a mapping of what differs from its defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from pose_regressor.files.io import read_yaml
from pose_regressor.types import InputError
from pose_regressor_training.randomize.background import BackgroundPart
from pose_regressor_training.randomize.camera import CameraPart
from pose_regressor_training.randomize.clutter import ClutterPart
from pose_regressor_training.randomize.light import LightPart
from pose_regressor_training.randomize.part import Part, part_from
from pose_regressor_training.randomize.pose import PosePart
from pose_regressor_training.randomize.surface import ObjectPart

#: The shipped files: the five rows of [DPR]'s ablation.
CONFIGS = Path(__file__).resolve().parent.parent / "configs"


@dataclass(frozen=True)
class RandomizeConfig:
    background: BackgroundPart = field(default_factory=BackgroundPart)
    object: ObjectPart = field(default_factory=ObjectPart)
    light: LightPart = field(default_factory=LightPart)
    pose: PosePart = field(default_factory=PosePart)
    clutter: ClutterPart = field(default_factory=ClutterPart)
    camera: CameraPart = field(default_factory=CameraPart)

    @classmethod
    def from_dict(cls, values: Any) -> RandomizeConfig:
        """Raises InputError that begins with the path of the key, such as ``light.exposure``."""
        values = {} if values is None else values
        if not isinstance(values, Mapping):
            raise InputError(f"randomization: expected a mapping of parts, got {values!r}")
        for name in values:
            if name not in PARTS:
                raise InputError(f"{name}: no such part, expected some of {', '.join(PARTS)}")
        parts: dict[str, Any] = {name: part_from(PARTS[name], part) for name, part in values.items()}
        return cls(**parts)

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """What differs from the defaults, as `from_dict` reads it."""
        return {name: differing for name in PARTS if (differing := _differing(getattr(self, name)))}


PARTS: dict[str, type[Part]] = {
    kind.NAME: kind for kind in (BackgroundPart, ObjectPart, LightPart, PosePart, ClutterPart, CameraPart)
}


def _differing(part: Part) -> dict[str, object]:
    changed = {f.name: getattr(part, f.name) for f in fields(part) if getattr(part, f.name) != f.default}
    return {name: _plain(value) for name, value in changed.items()}


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, Path) else value


def shipped_configs() -> list[str]:
    return sorted(path.stem for path in CONFIGS.glob("*.yaml"))


def load_config(spec: str | Path) -> RandomizeConfig:
    """A file, or a shipped configuration by its name."""
    path = Path(spec)
    if not path.is_file() and str(spec) in shipped_configs():
        path = CONFIGS / f"{spec}.yaml"
    if not path.is_file():
        raise InputError(f"{spec}: no such file, nor one of the shipped ones ({', '.join(shipped_configs())})")
    try:
        return RandomizeConfig.from_dict(read_yaml(path))
    except InputError as error:
        message = str(error)
        raise InputError(message if message.startswith(f"{path}: ") else f"{path}: {message}") from None


def table() -> str:
    """Every key with its default and meaning, as Markdown: part of docs/generator.md."""
    lines = ["| key | default | meaning |", "|---|---|---|"]
    for name, kind in PARTS.items():
        for f in fields(kind):
            default = str(_plain(f.default)).replace("True", "true").replace("False", "false").replace("None", "none")
            lines.append(f"| `{name}.{f.name}` | `{default}` | {f.metadata['help']} |")
    return "\n".join(lines) + "\n"
