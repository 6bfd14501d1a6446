"""One declared field: its key, the values it takes, its unit and its meaning."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pose_regressor.types import InputError

Kind = Literal["bool", "int", "float", "string", "string_array", "int_array", "float_array", "span", "shares", "folder"]
#: What is expected of a kind whose values are all allowed.
_ANY = {"bool": "true or false", "string": "a string", "string_array": "a list of strings"}


@dataclass(frozen=True)
class Parameter:
    """One declared field of a `Config`.

    name: key in files and on the command line
    kind: type of its values; int_array, float_array: as many numbers as `length` says; span: two numbers, low <= high;
        shares: weights for a random choice, case i in proportion to number i; folder: path of a folder, or None
    default: the value if none is given
    description: what it means, for the user
    unit: unit of the number; "": none
    low, high: inclusive range of a number, or of each of several
    multiple: of which a whole number is a multiple
    length: (fewest, most) numbers of an array or of shares
    choices: the strings allowed; empty: any
    pattern: regular expression that the whole of each string must match
    form: the pattern in words
    ignored: characters that are taken off the beginning of a string, before the pattern is checked
    live: whether it may be changed while a node runs, from the next frame on
    """

    name: str
    kind: Kind
    default: Any
    description: str
    unit: str = ""
    low: float = -math.inf
    high: float = math.inf
    multiple: int = 1
    length: tuple[int, int] = (0, 0)
    choices: tuple[str, ...] = ()
    pattern: str = ""
    form: str = ""
    ignored: str = ""
    live: bool = False

    @property
    def full_description(self) -> str:
        """The description and the unit."""
        return self.description + (f" [unit: {self.unit}]" if self.unit else "")

    @property
    def constraint(self) -> str:
        """The values allowed, in words; "" if all values of the kind are."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        fewest, most = self.length
        several = f"{most}" if fewest == most else f"{fewest} to {most}"
        words = {
            "int": "a whole number" if self.multiple == 1 else f"a multiple of {self.multiple}",
            "float": "a number",
            "int_array": f"{several} whole numbers",
            "float_array": f"{several} numbers",
            "span": "[low, high]",
            "shares": f"{several} numbers",
            "folder": "an existing folder",
        }
        if self.kind not in words:
            return self.form
        return words[self.kind] + self._range + (", not all 0" if self.kind == "shares" else "")

    @property
    def _range(self) -> str:
        if self.low == -math.inf:
            return ""
        low, high = (str(end) if isinstance(end, int) else f"{end:g}" for end in (self.low, self.high))
        return f" of at least {low}" if self.high == math.inf else f" from {low} to {high}"

    def check(self, value: object, scope: str = "") -> Any:
        """The value in the type that `kind` stands for: str, tuple of float, Path, ...

        scope: begins the key in errors, such as "light."

        Raises InputError that names the key, what is allowed and the value.
        """
        try:
            return _CHECKS[self.kind](self, value)
        except _Unfit as unfit:
            got = list(unfit.value) if isinstance(unfit.value, tuple) else unfit.value
            raise InputError(f"{scope}{self.name}: expected {unfit.expected}, got {got!r}") from None

    def unfit(self, value: object, expected: str = "") -> _Unfit:
        """The error for a value that is not allowed. expected: if it is not the constraint."""
        return _Unfit(expected or self.constraint or _ANY[self.kind], value)


@dataclass(frozen=True)
class Section:
    """A field that holds another table.

    kind: the class of its values
    description: what it means, for the user
    """

    kind: type
    description: str


class _Unfit(Exception):
    def __init__(self, expected: str, value: object) -> None:
        super().__init__(expected)
        self.expected, self.value = expected, value


def _bool(parameter: Parameter, value: object) -> bool:
    if not isinstance(value, bool):
        raise parameter.unfit(value)
    return value


def _int(parameter: Parameter, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise parameter.unfit(value)
    if not parameter.low <= value <= parameter.high or value % parameter.multiple:
        raise parameter.unfit(value)
    return value


def _float(parameter: Parameter, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise parameter.unfit(value)
    try:
        number = float(value)
    except OverflowError:  # a whole number of more than 300 digits
        raise parameter.unfit(value) from None
    if not math.isfinite(number) or not parameter.low <= number <= parameter.high:
        raise parameter.unfit(value)
    return number


def _string(parameter: Parameter, value: object) -> str:
    if not isinstance(value, str):
        raise parameter.unfit(value, "a string")
    if parameter.ignored:
        value = value.lstrip(parameter.ignored)
    if parameter.choices and value not in parameter.choices:
        raise parameter.unfit(value)
    if parameter.pattern and not re.fullmatch(parameter.pattern, value):
        raise parameter.unfit(value)
    return value


def _string_array(parameter: Parameter, value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise parameter.unfit(value, "a list of strings")
    # ROS 2 parameter files cannot hold an empty list of strings, so [''] stands for it.
    return tuple(_string(parameter, item) for item in value if item != "")


def _folder(parameter: Parameter, value: object) -> Path | None:
    if value is None:
        return None
    if not isinstance(value, str | Path) or not Path(value).is_dir():
        raise parameter.unfit(value)
    return Path(value)


def _several(parameter: Parameter, value: object, check: Callable[[Parameter, object], Any]) -> tuple[Any, ...]:
    fewest, most = parameter.length
    if not isinstance(value, list | tuple) or not fewest <= len(value) <= most:
        raise parameter.unfit(value)
    try:
        return tuple(check(parameter, item) for item in value)
    except _Unfit:  # the error shows all of them
        raise parameter.unfit(value) from None


def _span(parameter: Parameter, value: object) -> tuple[float, float]:
    low, high = _several(parameter, value, _float)
    if low > high:
        raise parameter.unfit(value)
    return low, high


def _shares(parameter: Parameter, value: object) -> tuple[float, ...]:
    numbers = _several(parameter, value, _float)
    if sum(numbers) <= 0:
        raise parameter.unfit(value)
    return numbers


_CHECKS: dict[Kind, Callable[[Parameter, object], Any]] = {
    "bool": _bool,
    "int": _int,
    "float": _float,
    "string": _string,
    "string_array": _string_array,
    "int_array": lambda parameter, value: _several(parameter, value, _int),
    "float_array": lambda parameter, value: _several(parameter, value, _float),
    "span": _span,
    "shares": _shares,
    "folder": _folder,
}
