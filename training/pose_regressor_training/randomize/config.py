"""The whole randomization as one YAML file: a mapping of parts, each a mapping of what differs from its defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pose_regressor.files.io import read_yaml
from pose_regressor.settings import Config, as_markdown, located, refuse_unknown, section
from pose_regressor.types import InputError
from pose_regressor_training.randomize.background import BackgroundPart
from pose_regressor_training.randomize.camera import CameraPart
from pose_regressor_training.randomize.clutter import ClutterPart
from pose_regressor_training.randomize.light import LightPart
from pose_regressor_training.randomize.part import Part
from pose_regressor_training.randomize.photographs import squares_each
from pose_regressor_training.randomize.pose import PosePart
from pose_regressor_training.randomize.shipped import CONFIGS, find_file
from pose_regressor_training.randomize.surface import ObjectPart


@dataclass(frozen=True)
class RandomizeConfig(Config):
    """Everything that is drawn at random, part by part. Every part checks its own values."""

    background: BackgroundPart = section(BackgroundPart, "what is behind everything")
    object: ObjectPart = section(ObjectPart, "colours and gloss of the objects")
    light: LightPart = section(LightPart, "lamps and ambient light")
    pose: PosePart = section(PosePart, "where the objects are and how they are turned")
    clutter: ClutterPart = section(ClutterPart, "other things, and the ground")
    camera: CameraPart = section(CameraPart, "lens, sensor, processing and compression")

    @classmethod
    def from_dict(cls, values: Any, where: str = "") -> RandomizeConfig:
        """The randomization from a mapping of parts; None stands for an empty one.

        where: begins the errors, such as a file's name

        Raises InputError that names the key with its part, such as ``light.exposure``.
        """
        values = {} if values is None else values
        with located(where):
            if not isinstance(values, Mapping):
                raise InputError(f"randomization: expected a mapping of parts, got {values!r}")
            given = refuse_unknown(values, PARTS)
            parts: dict[str, Any] = {name: PARTS[name].from_dict(part) for name, part in given.items()}
            return cls(**parts)

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """The part of the values that differs from the defaults, as `from_dict` reads it."""
        return {name: differing for name in PARTS if (differing := getattr(self, name).differing())}


#: The classes of the parts by name.
PARTS: dict[str, type[Part]] = {name: part.kind for name, part in RandomizeConfig.sections().items()}


def load_config(spec: str | Path) -> RandomizeConfig:
    """The randomization in a file, or a shipped one by its name. InputError names file and key."""
    path = find_file(spec, CONFIGS)
    return RandomizeConfig.from_dict(read_yaml(path), where=str(path))


def with_photographs(config: RandomizeConfig, folder: Path | None) -> RandomizeConfig:
    """The randomization with photographs of a folder among the backgrounds; unchanged without a folder.

    Raises InputError if there is no such folder, or no photograph in it, or one that cannot be read.
    """
    if folder is None:
        return config
    if not folder.is_dir():
        raise InputError(f"--photos {folder}: expected an existing folder of photographs")
    return replace(config, background=replace(config.background, folder=folder, squares=squares_each(folder)))


def documentation() -> str:
    """All keys of all parts as a Markdown table: part of docs/generator.md."""
    return as_markdown(*PARTS.values())
