"""Functions that declare the fields of a `Config`, one for each kind of value.

All take the default and what the field means; `Parameter` explains the rest.
"""

from __future__ import annotations

import math
from dataclasses import field
from typing import Any

from pose_regressor.settings.parameter import Kind, Section


def _declared(kind: Kind, default: object, description: str, **rest: Any) -> Any:
    return field(default=default, metadata={"kind": kind, "description": description, **rest})


def switch(default: bool, description: str, *, live: bool = False) -> Any:
    """A field that is true or false."""
    return _declared("bool", default, description, live=live)


def count(
    default: int, description: str, low: int = 0, high: int = 100_000, *, multiple: int = 1, unit: str = ""
) -> Any:
    """A field of one whole number."""
    return _declared("int", default, description, low=low, high=high, multiple=multiple, unit=unit)


def counts(default: tuple[int, ...], description: str, low: int = 0, high: int = 100_000) -> Any:
    """A field of as many whole numbers as the default has."""
    return _declared("int_array", default, description, low=low, high=high, length=(len(default), len(default)))


def number(
    default: float, description: str, low: float = 0.0, high: float = math.inf, *, unit: str = "", live: bool = False
) -> Any:
    """A field of one finite number."""
    return _declared("float", default, description, low=low, high=high, unit=unit, live=live)


def numbers(default: tuple[float, ...], description: str, low: float = -math.inf, high: float = math.inf) -> Any:
    """A field of as many finite numbers as the default has."""
    return _declared("float_array", default, description, low=low, high=high, length=(len(default), len(default)))


def chance(default: float, description: str) -> Any:
    """A field between 0 and 1: how often something happens."""
    return number(default, description, 0.0, 1.0)


def span(
    first: float, last: float, description: str, low: float = 0.0, high: float = math.inf, *, unit: str = ""
) -> Any:
    """A field of two numbers with low <= first <= last <= high."""
    return _declared("span", (first, last), description, low=low, high=high, length=(2, 2), unit=unit)


def shares(default: tuple[float, ...], description: str, most: int | None = None) -> Any:
    """A field of weights for a random choice: case i is drawn in proportion to number i.

    It takes 1 to `most` numbers, or without `most` as many as the default has.
    """
    length = (1, most) if most else (len(default), len(default))
    return _declared("shares", default, description, low=0.0, length=length)


def text(default: str, description: str, *, pattern: str = "", form: str = "", live: bool = False) -> Any:
    """A field of one string."""
    return _declared("string", default, description, pattern=pattern, form=form, live=live)


def frame(default: str, description: str, *, form: str = "a TF frame name without spaces") -> Any:
    """A field of one TF frame name, or of the start of one; it may be empty if its default is.

    A leading '/' is taken off: ROS 1 wrote frames so, and tf2 refuses to look them up.
    """
    pattern = r"\S+" if default else r"\S*"
    return _declared("string", default, description, pattern=pattern, form=form, ignored="/")


def texts(default: tuple[str, ...], description: str, *, pattern: str = "", form: str = "", live: bool = False) -> Any:
    """A field of any number of strings."""
    return _declared("string_array", default, description, pattern=pattern, form=form, live=live)


def choice(default: str, choices: tuple[str, ...], description: str, *, live: bool = False) -> Any:
    """A field of one of some strings."""
    return _declared("string", default, description, choices=choices, live=live)


def folder(description: str) -> Any:
    """A field that names a folder, or None."""
    return _declared("folder", None, description)


def section(kind: type, description: str) -> Any:
    """A field that holds a frozen dataclass, such as another `Config`, with its own defaults."""
    return field(default_factory=kind, metadata={"section": Section(kind, description)})
