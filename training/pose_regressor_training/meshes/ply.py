"""Reads the container of PLY: elements with properties, as text or binary."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pose_regressor.types import InputError
from pose_regressor_training.meshes.pictures import text
from pose_regressor_training.meshes.stl_off import numbers

TYPES = {
    **dict.fromkeys(("char", "int8"), "i1"),
    **dict.fromkeys(("uchar", "uint8"), "u1"),
    **dict.fromkeys(("short", "int16"), "i2"),
    **dict.fromkeys(("ushort", "uint16"), "u2"),
    **dict.fromkeys(("int", "int32"), "i4"),
    **dict.fromkeys(("uint", "uint32"), "u4"),
    **dict.fromkeys(("float", "float32"), "f4"),
    **dict.fromkeys(("double", "float64"), "f8"),
}
#: No header is longer.
HEADER_LIMIT = 1 << 16


@dataclass(frozen=True)
class Property:
    """name: in lower case; type: of a value, as numpy names it; length: type of a list's length, None if it is none."""

    name: str
    type: str
    length: str | None = None


@dataclass(frozen=True)
class Lists:
    """Lists of one property: lengths (N,), and the values of all, one list after the other."""

    lengths: NDArray[np.int64]
    values: NDArray


@dataclass
class Element:
    """name, count: of the element; properties: in order; values: arrays (N,) and lists, by property."""

    name: str
    count: int
    properties: list[Property] = field(default_factory=list)
    values: dict[str, NDArray] = field(default_factory=dict)
    lists: dict[str, Lists] = field(default_factory=dict)


@dataclass(frozen=True)
class Header:
    """format: `ascii`, `<` or `>`; comments: their texts as bytes; elements: still empty; size: of the header."""

    format: str
    comments: list[bytes]
    elements: list[Element]
    size: int


def read_header(path: Path) -> Header:
    """Raises InputError if the file does not begin with a PLY header."""
    with path.open("rb") as file:
        start = file.read(HEADER_LIMIT)
    end = re.search(rb"(?m)^[ \t]*end_header[ \t]*(\r\n|\r(?!\n)|\n)", start)
    if not start.startswith(b"ply") or end is None:
        raise InputError(f"mesh {path}: cannot be read: expected a PLY header, from 'ply' to 'end_header'")
    form, comments, elements = "", [], []
    for line in start[: end.start()].splitlines()[1:]:
        words = line.split()
        if not words:
            continue
        rest = text(line).split()[1:]
        if words[0] in (b"comment", b"obj_info"):
            comments.append(line.split(None, 1)[1].strip() if rest else b"")
        elif words[0] == b"format" and rest:
            form = {"ascii": "ascii", "binary_little_endian": "<", "binary_big_endian": ">"}.get(rest[0], "")
        elif words[0] == b"element" and len(rest) == 2 and rest[1].isdigit():
            elements.append(Element(rest[0], int(rest[1])))
        elif words[0] == b"property" and elements and (known := _property(rest)):
            elements[-1].properties.append(known)
        else:
            raise InputError(f"mesh {path}: cannot be read: unknown line {text(line.strip())[:60]!r} in its PLY header")
    if not form:
        raise InputError(f"mesh {path}: cannot be read: expected a PLY format of ascii or binary")
    return Header(form, comments, elements, end.end())


def _property(words: list[str]) -> Property | None:
    if len(words) == 2 and words[0] in TYPES:
        return Property(words[1].lower(), TYPES[words[0]])
    if len(words) == 4 and words[0] == "list" and words[1] in TYPES and words[2] in TYPES:
        return Property(words[3].lower(), TYPES[words[2]], TYPES[words[1]])
    return None


def read_elements(path: Path, header: Header) -> dict[str, Element]:
    """The elements with their values, by name. Raises InputError for a file that is cut off."""
    data = path.read_bytes()[header.size :]
    if header.format == "ascii":
        table, place = numbers(data, path), 0
        for element in header.elements:
            place = _fill(element, table, place, path, "")
    else:
        table, place = np.frombuffer(data, np.uint8), 0
        for element in header.elements:
            place = _fill(element, table, place, path, header.format)
    return {element.name: element for element in header.elements}


@dataclass(frozen=True)
class _Column:
    """Where a property's values are in the data: bytes of a binary file, or numbers of a text.

    size: of one value; head: of the length before a list, 0 if it is no list
    """

    own: Property
    order: str
    size: int
    head: int

    @classmethod
    def of(cls, own: Property, order: str) -> _Column:
        """order: `<` or `>` for bytes; empty for a text, where every value is one number."""
        size = np.dtype(own.type).itemsize if order else 1
        head = 0 if own.length is None else np.dtype(own.length).itemsize if order else 1
        return cls(own, order, size, head)

    def length(self, data: NDArray, place: int) -> int:
        """The length that is stated before a list."""
        if not self.order:
            return int(data[place])
        order, signed = ("little" if self.order == "<" else "big"), (self.own.length or "u").startswith("i")
        return int.from_bytes(data[place : place + self.head].tobytes(), order, signed=signed)  # type: ignore[arg-type]

    def values(self, table: NDArray) -> NDArray:
        """(N, K) values of rows of bytes, or of a text's numbers, which become whole where the property is."""
        if self.order:
            return np.ascontiguousarray(table).view(self.order + self.own.type).astype(self.own.type)
        if self.own.type[0] != "f":
            limits = np.iinfo(self.own.type)
            table = np.nan_to_num(table).clip(limits.min, limits.max)
        return table.astype(self.own.type)

    def ragged(self, data: NDArray, starts: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray:
        """The values of lists of different lengths, one list after the other."""
        out = np.empty(int(counts.sum()), self.own.type)
        first = np.cumsum(counts) - counts
        for count in np.unique(counts[counts > 0]):
            some = np.flatnonzero(counts == count)
            taken = data[starts[some][:, None] + np.arange(count * self.size)]
            out[first[some][:, None] + np.arange(count)] = self.values(taken)
        return out


def _fill(element: Element, data: NDArray, place: int, path: Path, order: str) -> int:
    """Read the element's rows from the data: bytes in the order `<` or `>`, or the numbers of a text. Returns the end.

    All rows are read at once if their lists are as long as those of the first row, else row by row.
    """
    if not element.count or not element.properties:
        return place
    columns = [_Column.of(own, order) for own in element.properties]
    if element.count * sum(column.head or column.size for column in columns) > len(data) - place:
        raise _cut_off(element.name, 0, path)
    _, lengths, end = _walk(element.name, 1, columns, data, place, path)
    width = end - place
    if width * element.count <= len(data) - place:
        rows = data[place : place + width * element.count].reshape(element.count, width)
        if _fill_at_once(element, columns, rows, [int(own[0]) for own in lengths]):
            return place + int(rows.size)
    starts, lengths, end = _walk(element.name, element.count, columns, data, place, path)
    for column, start, length in zip(columns, starts, lengths, strict=True):
        if column.head:
            element.lists[column.own.name] = Lists(length, column.ragged(data, start, length))
        else:
            element.values[column.own.name] = column.values(data[start[:, None] + np.arange(column.size)])[:, 0]
    return end


def _fill_at_once(element: Element, columns: list[_Column], rows: NDArray, lengths: list[int]) -> bool:
    """Read rows (N, W) whose lists all have these lengths. False if some have others."""
    at = np.cumsum([0, *(c.head + c.size * long for c, long in zip(columns, lengths, strict=True))])
    for column, start in zip(columns, at, strict=False):
        if (rows[:, start : start + column.head] != rows[0, start : start + column.head]).any():
            return False
    for column, start, stop, long in zip(columns, at, at[1:], lengths, strict=False):
        values = column.values(rows[:, start + column.head : stop]) if long else np.empty((len(rows), 0))
        if column.head:
            element.lists[column.own.name] = Lists(np.full(len(rows), long), values.reshape(-1))
        else:
            element.values[column.own.name] = values[:, 0]
    return True


def _walk(
    name: str, count: int, columns: list[_Column], data: NDArray, place: int, path: Path
) -> tuple[list[NDArray[np.int64]], list[NDArray[np.int64]], int]:
    """Where the values of each property begin in `count` rows, how many they are, and where the rows end."""
    starts = [np.empty(count, np.int64) for _ in columns]
    lengths = [np.ones(count, np.int64) for _ in columns]
    for row in range(count):
        for column, start, length in zip(columns, starts, lengths, strict=True):
            long = 1
            if column.head:
                if place + column.head > len(data):
                    raise _cut_off(name, row, path)
                long = column.length(data, place)
                if long < 0:
                    raise InputError(f"mesh {path}: a list of {name} {row} has a length of {long}")
                place += column.head
                length[row] = long
            start[row] = place
            place += column.size * long
            if place > len(data):
                raise _cut_off(name, row, path)
    return starts, lengths, place


def _cut_off(name: str, row: int, path: Path) -> InputError:
    return InputError(f"mesh {path}: is cut off in '{name}' {row:,}: it has fewer values than its header states")
