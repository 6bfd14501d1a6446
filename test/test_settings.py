"""Declared fields of every kind: what is read, what is refused and in which words, and the documents made of them."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from pose_regressor.settings import (
    Config,
    as_markdown,
    chance,
    choice,
    count,
    counts,
    folder,
    located,
    number,
    numbers,
    section,
    shares,
    span,
    switch,
    text,
    texts,
)
from pose_regressor.types import InputError


@dataclass(frozen=True)
class Inner(Config):
    scope = "inner."

    depth: float = number(1.0, "how deep", 0, 5, unit="m")


@dataclass(frozen=True)
class Everything(Config):
    scope = "all."

    on: bool = switch(True, "whether")
    images: int = count(3, "how many", 1, 10)
    edge: int = count(64, "how long", 32, 128, multiple=32, unit="pixels")
    stages: tuple[int, ...] = counts((2, 2), "of each", 1, 4)
    mean: tuple[float, ...] = numbers((0.5, 0.5), "of each")
    rate: float = number(2e-3, "how fast", 1e-9)
    often: float = chance(0.5, "how often")
    size: tuple[float, float] = span(-1, 2, "from to", -3, 3)
    cases: tuple[float, ...] = shares((1, 2), "which", most=3)
    kind: str = choice("a", ("a", "b"), "which")
    name: str = text("n", "whose", pattern="[a-z]+", form="small letters")
    names: tuple[str, ...] = texts((), "all of them")
    place: Path | None = folder("where")
    inner: Inner = section(Inner, "more")


GOOD = {
    "on": (False, False),
    "images": (10, 10),
    "edge": (96, 96),
    "stages": ([1, 4], (1, 4)),
    "mean": ([1, -2.5], (1.0, -2.5)),
    "rate": (1, 1.0),
    "size": ([0, 0], (0.0, 0.0)),
    "cases": ([0, 0, 1], (0.0, 0.0, 1.0)),
    "kind": ("b", "b"),
    "name": ("abc", "abc"),
    "names": (["x", ""], ("x",)),
    "place": (".", Path()),
}
BAD = {
    "on": ("true or false", [1, None, "true"]),
    "images": ("a whole number from 1 to 10", [0, 11, 2.0, True, "3"]),
    "edge": ("a multiple of 32 from 32 to 128", [48, 160, 64.0]),
    "stages": ("2 whole numbers from 1 to 4", [[1], [1, 2, 3], [1, 5], [1, 2.0], 3]),
    "mean": ("2 numbers", [[1], [1, float("nan")], [1, "x"]]),
    "rate": ("a number of at least 1e-09", [0, float("inf"), float("nan"), 10**400, True, None]),
    "often": ("a number from 0 to 1", [1.5, -0.1]),
    "size": ("[low, high] from -3 to 3", [[1, 0], [0, 4], [0], 1, [0, None]]),
    "cases": ("1 to 3 numbers of at least 0, not all 0", [[], [0], [-1, 2], [1, 1, 1, 1]]),
    "kind": ("one of a, b", ["c"]),
    "name": ("small letters", ["A", ""]),
    "names": ("a list of strings", ["x", 3]),
    "place": ("an existing folder", ["/no/such/folder", 3]),
}


@pytest.mark.parametrize("key", GOOD)
def test_values_get_the_type_of_their_field(key):
    given, expected = GOOD[key]
    value = getattr(Everything.from_dict({key: given}), key)
    assert value == expected and type(value) is type(expected)


@pytest.mark.parametrize("key", BAD)
def test_an_error_says_key_allowed_values_and_value(key):
    expected, values = BAD[key]
    for value in values:
        with pytest.raises(InputError) as caught:
            Everything(**{key: value})
        assert str(caught.value) == f"all.{key}: expected {expected}, got {value!r}"


def test_sections_unknown_keys_and_where():
    with pytest.raises(InputError, match=r"^all\.inner: expected Inner, got 3"):
        Everything(inner=3)
    with pytest.raises(InputError, match=r"^file: all\.deep: no such key, expected one of on, images"):
        Everything.from_dict({"deep": 1}, "file")
    with pytest.raises(InputError, match=r"^inner: expected a mapping, got 3"):
        Inner.from_dict(3)
    with pytest.raises(InputError, match=r"^page: wrong"), located("page"):
        raise InputError("wrong")


def test_plain_values():
    assert Everything().differing() == {}
    changed = Everything(size=(0, 1), place=Path())
    assert changed.differing() == {"size": [0.0, 1.0], "place": "."}
    assert Everything.from_dict(changed.to_dict()) == changed


def test_the_table_in_markdown_has_a_row_for_each_field():
    rows = as_markdown(Everything, Inner).splitlines()[2:]
    assert len(rows) == 15
    assert rows[2] == "| `all.edge` | `64` | a multiple of 32 from 32 to 128 | pixels | how long |"
    assert rows[7] == "| `all.size` | `[-1, 2]` | [low, high] from -3 to 3 |  | from to |"
    assert rows[13] == "| `all.inner` | | a mapping | | more |"
    assert rows[14] == "| `inner.depth` | `1` | a number from 0 to 5 | m | how deep |"
