"""What a part of the randomization is: a frozen dataclass of checked ranges with its own switch.

Every field says what values it takes and what it means; the checks, the YAML reader and the table in docs/generator.md
all come from there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from pose_regressor.types import InputError

#: Lowest and highest value; drawn uniformly between them, or uniformly in the logarithm where the field says so.
Span = tuple[float, float]

#: Turns what a file or a caller gave into the field's value, or raises ValueError with what was expected.
Check = Callable[[object], Any]


def _declared(default: object, check: Check, help: str) -> Any:
    return field(default=default, metadata={"check": check, "help": help})


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("expected a number")
    return float(value)


def _within(value: float, least: float, most: float) -> float:
    if not least <= value <= most:
        bounds = f"at least {least:g}" if most == math.inf else f"{least:g} to {most:g}"
        raise ValueError(f"expected {bounds}")
    return value


def _items(value: object, count: int | None, what: str) -> list[object]:
    if not isinstance(value, list | tuple) or (count is not None and len(value) != count) or not value:
        raise ValueError(f"expected {what}")
    return list(value)


def span(low: float, high: float, help: str, least: float = 0.0, most: float = math.inf) -> Any:
    """A field of two numbers, `least` <= low <= high <= `most`."""

    def check(value: object) -> Span:
        first, last = (_within(_number(item), least, most) for item in _items(value, 2, "[low, high]"))
        if first > last:
            raise ValueError("expected low <= high")
        return first, last

    return _declared((low, high), check, help)


def number(default: float, help: str, least: float = 0.0, most: float = math.inf) -> Any:
    return _declared(default, lambda value: _within(_number(value), least, most), help)


def chance(default: float, help: str) -> Any:
    """A field between 0 and 1: how often something happens."""
    return number(default, help, 0.0, 1.0)


def count(default: int, help: str, least: int = 0, most: int = 100_000) -> Any:
    def check(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError(f"expected a whole number from {least} to {most}")
        return value

    return _declared(default, check, help)


def weights(default: tuple[float, ...], help: str, most: int | None = None) -> Any:
    """A field of numbers in proportion to which one of so many cases is drawn; exactly as many as the default has, or
    up to `most`.
    """

    def check(value: object) -> tuple[float, ...]:
        number_of = None if most else len(default)
        what = f"up to {most} numbers" if most else f"{len(default)} numbers"
        given = tuple(_within(_number(item), 0, math.inf) for item in _items(value, number_of, what))
        if sum(given) <= 0 or len(given) > (most or len(default)):
            raise ValueError(f"expected {what}, not all of them 0")
        return given

    return _declared(default, check, help)


def choice(default: str, options: tuple[str, ...], help: str) -> Any:
    def check(value: object) -> str:
        if value not in options:
            raise ValueError(f"expected one of {', '.join(options)}")
        return str(value)

    return _declared(default, check, help)


def switch(default: bool, help: str) -> Any:
    def check(value: object) -> bool:
        if not isinstance(value, bool):
            raise ValueError("expected true or false")
        return value

    return _declared(default, check, help)


def text(default: str, help: str) -> Any:
    def check(value: object) -> str:
        if not isinstance(value, str) or not value:
            raise ValueError("expected text")
        return value

    return _declared(default, check, help)


def folder(help: str) -> Any:
    """A field that names a folder, or nothing."""

    def check(value: object) -> Path | None:
        if value is None:
            return None
        if not isinstance(value, str | Path) or not Path(value).is_dir():
            raise ValueError("expected a folder that is there")
        return Path(value)

    return _declared(None, check, help)


@dataclass(frozen=True)
class Part:
    """Base of the parts. `random` false: every value that the part would draw is fixed instead."""

    NAME: ClassVar[str] = ""

    random: bool = switch(True, "draw at random; if not, everything of this part is fixed")

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            try:
                object.__setattr__(self, f.name, f.metadata["check"](value))
            except ValueError as error:
                given = list(value) if isinstance(value, tuple) else value
                raise InputError(f"{self.NAME}.{f.name}: {error}, got {given!r}") from None


P = TypeVar("P", bound=Part)


def part_from(kind: type[P], values: object) -> P:
    """A part from a mapping with some of its keys; the others keep their defaults."""
    if not isinstance(values, Mapping):
        raise InputError(f"{kind.NAME}: expected a mapping, got {values!r}")
    known = [f.name for f in fields(kind)]
    for key in values:
        if key not in known:
            raise InputError(f"{kind.NAME}.{key}: no such key, expected some of {', '.join(known)}")
    return kind(**values)


def uniform(rng: np.random.Generator, bounds: Span, shape: int | tuple[int, ...]) -> NDArray[np.float64]:
    return rng.uniform(*bounds, shape)


def log_uniform(rng: np.random.Generator, bounds: Span, shape: int | tuple[int, ...]) -> NDArray[np.float64]:
    return np.exp(rng.uniform(math.log(bounds[0]), math.log(bounds[1]), shape))


def pick(rng: np.random.Generator, shares: tuple[float, ...], shape: int | tuple[int, ...]) -> NDArray[np.int64]:
    """Indices drawn in proportion to `shares`."""
    edges = np.cumsum(shares) / sum(shares)
    return np.searchsorted(edges[:-1], rng.random(shape), side="right")


def unit_vectors(rng: np.random.Generator, shape: tuple[int, ...], drift: tuple[float, ...] = (0, 0, 0)) -> NDArray:
    """(*shape, 3) directions, uniform over the sphere without `drift`, more of them along it with."""
    vectors = rng.normal(size=(*shape, 3)) + drift
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
