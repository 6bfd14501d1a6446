"""Declared fields: what a setting is called, which values it takes, and what it means, written down once."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Literal, TypeVar

from pose_regressor.types import InputError

Some = TypeVar("Some", bound="Config")


Kind = Literal["bool", "float", "string", "string_array"]


@dataclass(frozen=True)
class Parameter:
    """What the table says of one parameter.

    unit: '' where there is none; low, high: inclusive range of a number; choices: the strings allowed (none: any);
    pattern: what each string must match whole, said to the user as `form`; live: may be changed while the node runs,
    from the next frame on.
    """

    name: str
    kind: Kind
    default: Any
    description: str
    unit: str = ""
    low: float = -math.inf
    high: float = math.inf
    choices: tuple[str, ...] = ()
    pattern: str = ""
    form: str = ""
    live: bool = False

    @property
    def full_description(self) -> str:
        return self.description + (f" [unit: {self.unit}]" if self.unit else "")

    @property
    def constraint(self) -> str:
        """What values are allowed, in words; '' if all of the kind are."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if self.kind == "float":
            return f"a number from {self.low:g} to {self.high:g}"
        return self.form

    def check(self, value: object, where: str = "") -> Any:
        """The value in the table's own type, or an InputError that names key, value and what is allowed."""
        key = f"{where}: {self.name}" if where else self.name
        if self.kind == "string_array":
            if not isinstance(value, (list, tuple)):
                raise InputError(f"{key}: expected a list of strings, got {value!r}")
            # ROS 2 parameter files cannot hold an empty list of strings, so [''] stands for it.
            return tuple(self._check_string(item, key) for item in value if item != "")
        if self.kind == "string":
            return self._check_string(value, key)
        if self.kind == "bool":
            if not isinstance(value, bool):
                raise InputError(f"{key}: expected true or false, got {value!r}")
            return value
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise InputError(f"{key}: expected {self.constraint}, got {value!r}")
        if not self.low <= value <= self.high:
            raise InputError(f"{key}: expected {self.constraint}, got {value:g}")
        return float(value)

    def _check_string(self, value: object, key: str) -> str:
        if not isinstance(value, str):
            raise InputError(f"{key}: expected a string, got {value!r}")
        if (self.choices and value not in self.choices) or (self.pattern and not re.fullmatch(self.pattern, value)):
            raise InputError(f"{key}: expected {self.constraint}, got {value!r}")
        return value


def parameter(kind: Kind, default: Any, description: str, **rest: Any) -> Any:
    return field(default=default, metadata={"kind": kind, "description": description, **rest})


@dataclass(frozen=True)
class Config:
    """A table of parameters: each a field, made by `parameter`; checked when it is made (InputError names key, value
    and range)."""

    #: Whose parameters they are.
    node_name: ClassVar[str]

    def __post_init__(self) -> None:
        for parameter in self.table():
            object.__setattr__(self, parameter.name, parameter.check(getattr(self, parameter.name)))

    @classmethod
    def table(cls) -> tuple[Parameter, ...]:
        return tuple(Parameter(name=f.name, default=f.default, **f.metadata) for f in fields(cls))

    @classmethod
    def from_dict(cls: type[Some], values: Mapping[str, object], where: str = "") -> Some:
        """From a mapping as parameter files and command lines give it; `where` (a file's name, say) starts errors."""
        known = {p.name: p for p in cls.table()}
        prefix = f"{where}: " if where else ""
        if unknown := [key for key in values if key not in known]:
            raise InputError(f"{prefix}unknown parameter {unknown[0]!r}, expected one of {', '.join(known)}")
        checked = {key: known[key].check(value, where) for key, value in values.items()}
        try:
            return cls(**checked)
        except InputError as error:  # of several that do not go together
            raise InputError(f"{prefix}{error}") from None

    def changed(self: Some, values: Mapping[str, object]) -> Some:
        """With some parameters changed while the node runs. InputError: one that is unknown, fixed or out of range."""
        known = {p.name: p for p in self.table()}
        for name, value in values.items():
            if name not in known:
                raise InputError(f"unknown parameter {name!r}, expected one of {', '.join(known)}")
            if not known[name].live and known[name].check(value) != getattr(self, name):
                live = ", ".join(p.name for p in known.values() if p.live)
                raise InputError(f"{name}: is fixed once the node runs; these may be changed: {live}")
        return replace(self, **dict[str, Any](values))


def as_yaml(config: type[Config]) -> str:
    """A whole table with its defaults as a ROS 2 parameter file: the text of config/<node>.yaml."""
    lines = [
        f"# Every parameter of the {config.node_name} node and its default. Those marked live may be changed while it "
        "runs.",
        "# Written from its table in pose_regressor/middleware; a test compares the two.",
        "/**:",
        "  ros__parameters:",
    ]
    for p in config.table():
        lines.append(f"    # {p.description}")
        notes = [f"{word}: {note}" for word, note in (("unit", p.unit), ("allowed", p.constraint)) if note]
        if notes := ["live"] * p.live + notes:
            lines.append(f"    # [{'; '.join(notes)}]")
        lines.append(f"    {p.name}: {_yaml_value(p.default)}")
    return "\n".join(lines) + "\n"


def _yaml_value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(f'"{item}"' for item in value or ("",)) + "]"
    return f'"{value}"' if isinstance(value, str) else repr(value)
