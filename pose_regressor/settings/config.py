"""Tables of declared fields: checked when they are made, read from mappings, written as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pose_regressor.settings.parameter import Parameter, Section
from pose_regressor.types import InputError

Some = TypeVar("Some", bound="Config")


@dataclass(frozen=True)
class Config:
    """Base of a table of declared fields. Each is declared by a function of `pose_regressor.settings`.

    Making one checks every value: InputError names the key, what is allowed and the value.
    """

    #: Name of the node whose parameters they are; "" for other tables.
    node_name: ClassVar[str] = ""
    #: Begins the keys in errors, such as "light."
    scope: ClassVar[str] = ""

    def __post_init__(self) -> None:
        for parameter in self.table():
            value = parameter.check(getattr(self, parameter.name), self.scope)
            object.__setattr__(self, parameter.name, value)
        for name, section in self.sections().items():
            value = getattr(self, name)
            if not isinstance(value, section.kind):
                raise InputError(f"{self.scope}{name}: expected {section.kind.__name__}, got {value!r}")

    @classmethod
    def table(cls) -> tuple[Parameter, ...]:
        """The declared fields, sections left out."""
        declared = (f for f in fields(cls) if "kind" in f.metadata)
        return tuple(Parameter(name=f.name, default=f.default, **f.metadata) for f in declared)

    @classmethod
    def sections(cls) -> dict[str, Section]:
        """The fields that hold other tables, by name."""
        return {f.name: f.metadata["section"] for f in fields(cls) if "section" in f.metadata}

    @classmethod
    def from_dict(cls: type[Some], values: object, where: str = "") -> Some:
        """The table from a mapping with some of its keys; the others keep their defaults.

        where: begins the errors, such as a file's name

        Raises InputError for an unknown key or a value that is not allowed.
        """
        with located(where):
            return cls(**refuse_unknown(values, [f.name for f in fields(cls)], cls.scope))

    def changed(self: Some, values: Mapping[str, object]) -> Some:
        """A copy with some parameters changed while the node runs.

        Raises InputError for an unknown key, for a parameter that is not live, or for a value that is not allowed.
        """
        table = {parameter.name: parameter for parameter in self.table()}
        for name, value in refuse_unknown(values, table, self.scope).items():
            if not table[name].live and table[name].check(value, self.scope) != getattr(self, name):
                live = ", ".join(parameter.name for parameter in table.values() if parameter.live)
                raise InputError(f"{name}: is fixed once the node runs; these may be changed: {live}")
        return replace(self, **dict[str, Any](values))

    def to_dict(self) -> dict[str, Any]:
        """The declared fields as plain values, as `from_dict` reads them; sections are left out."""
        return {parameter.name: plain(getattr(self, parameter.name)) for parameter in self.table()}

    def differing(self) -> dict[str, Any]:
        """The part of `to_dict` that differs from the defaults."""
        defaults = {parameter.name: plain(parameter.default) for parameter in self.table()}
        return {name: value for name, value in self.to_dict().items() if value != defaults[name]}


@contextmanager
def located(where: str) -> Iterator[None]:
    """InputErrors of the block begin with `where`, such as a file's name; "": unchanged."""
    try:
        yield
    except InputError as error:
        raise (InputError(f"{where}: {error}") if where else error) from None


def refuse_unknown(values: object, known: Iterable[str], scope: str = "") -> dict[str, Any]:
    """`values` as a dictionary. scope: as in `Config`.

    Raises InputError if it is no mapping or has a key that is not `known`.
    """
    if not isinstance(values, Mapping):
        raise InputError(f"{scope.strip('.: ') or 'parameters'}: expected a mapping, got {values!r}")
    known = list(known)
    for key in values:
        if key not in known:
            raise InputError(f"{scope}{key}: no such key, expected one of {', '.join(known)}")
    return dict(values)


def plain(value: object) -> object:
    """A value as YAML and JSON have it: tuples as lists, paths as strings."""
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, Path) else value
