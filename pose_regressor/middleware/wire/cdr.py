"""Plain CDR (XCDR1), the encoding of ROS 2's messages.

A codec is compiled once for each message class. It packs neighbouring numbers in one call, and neither copies nor
loops over sequences of bytes: an image of 1080p takes about a millisecond. Positions count from behind the
encapsulation header of 4 bytes, as alignment does.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from typing import Any

import numpy as np

from pose_regressor.middleware.wire.fields import FieldType, fields

#: The encapsulation header of what is written here: plain CDR, little-endian, no options.
HEADER = b"\x00\x01\x00\x00"
#: Exceptions that a codec raises if the bytes are something else.
BROKEN = (struct.error, ValueError)
CODES = {
    "bool": "?",
    "byte": "B",
    "uint8": "B",
    "int32": "i",
    "uint32": "I",
    "int64": "q",
    "uint64": "Q",
    "float32": "f",
    "float64": "d",
}


@functools.lru_cache(4096)
def _packed(order: str, codes: str, start: int) -> struct.Struct:
    """Numbers from a position on, each aligned to its own size. start: the position modulo 8."""
    parts, position = [order], start
    for code in codes:
        size = struct.calcsize(f"<{code}")
        padding = -position % size
        parts.append("x" * padding + code)
        position += padding + size
    return struct.Struct("".join(parts))


class _Output:
    """What is written so far."""

    def __init__(self) -> None:
        self.parts: list[Any] = [HEADER]
        self.size = 0  # without the header

    def add(self, raw: Any) -> None:
        self.parts.append(raw)
        self.size += len(raw)

    def pack(self, codes: str, values: Sequence[Any]) -> None:
        self.add(_packed("<", codes, self.size % 8).pack(*values))


class _Input:
    """A sample, and the position up to which it is read."""

    def __init__(self, data: bytes) -> None:
        if bytes(data[:2]) not in (b"\0\0", b"\0\1"):
            raise ValueError(f"encapsulation {bytes(data[:2]).hex()}, not plain CDR")
        self.data, self.position = data, 0
        self.order = "<" if data[1] else ">"

    def unpack(self, codes: str) -> tuple[Any, ...]:
        packed = _packed(self.order, codes, self.position % 8)
        values = packed.unpack_from(self.data, 4 + self.position)
        self.position += packed.size
        return values

    def take(self, size: int, what: str) -> int:
        """Skips so many bytes. Returns where in `data` they begin."""
        start = 4 + self.position
        if start + size > len(self.data):  # checked before memory is allocated, since the size may be anything
            raise ValueError(f"{what} of {size} bytes at {start} of {len(self.data)}")
        self.position += size
        return start


class _Number:
    """One number. Like all codecs of fixed size it has `codes`, and turns values into a flat list and back."""

    def __init__(self, name: str) -> None:
        self.codes = CODES[name]

    def flatten(self, value: Any, flat: list[Any]) -> None:
        flat.append(value)

    def build(self, flat: Iterator[Any]) -> Any:
        return next(flat)


class _FixedArray:
    def __init__(self, element: Any, length: int) -> None:
        self._element, self._length = element, length
        self.codes = element.codes * length

    def flatten(self, value: Any, flat: list[Any]) -> None:
        if len(value) != self._length:
            raise ValueError(f"expected {self._length} values, got {len(value)}")
        for one in value:
            self._element.flatten(one, flat)

    def build(self, flat: Iterator[Any]) -> Any:
        if isinstance(self._element, _Number):
            return list(islice(flat, self._length))
        return [self._element.build(flat) for _ in range(self._length)]


class _FixedStruct:
    def __init__(self, message: type, members: Sequence[tuple[str, Any]]) -> None:
        self._message, self._members = message, members
        self.codes = "".join(codec.codes for _, codec in members)

    def flatten(self, value: Any, flat: list[Any]) -> None:
        for name, codec in self._members:
            codec.flatten(getattr(value, name), flat)

    def build(self, flat: Iterator[Any]) -> Any:
        return self._message(*[codec.build(flat) for _, codec in self._members])


class _String:
    codes = ""  # of no fixed size

    def __init__(self, bound: int) -> None:
        self._bound = bound

    def write(self, out: _Output, value: str) -> None:
        raw = value.encode()
        if self._bound and len(raw) > self._bound:
            raise ValueError(f"expected a string of at most {self._bound} bytes, got {len(raw)}")
        out.pack("I", (len(raw) + 1,))
        out.add(raw + b"\0")

    def read(self, source: _Input) -> str:
        (length,) = source.unpack("I")
        if length < 1 or (self._bound and length > self._bound + 1):
            raise ValueError(f"a string of {length} bytes")
        start = source.take(length, "a string")
        return bytes(source.data[start : start + length - 1]).decode()


class _Bytes:
    """A sequence of uint8: read as a view of the sample, written from anything that has a buffer of bytes."""

    codes = ""

    def write(self, out: _Output, value: Any) -> None:
        block = memoryview(bytes(value) if isinstance(value, list | tuple) else value).cast("B")
        out.pack("I", (block.nbytes,))
        out.add(block)

    def read(self, source: _Input) -> Any:
        (length,) = source.unpack("I")
        start = source.take(length, "a block")
        return np.frombuffer(source.data, np.uint8, length, start) if length else np.empty(0, np.uint8)


class _Several:
    """A sequence, or an array of elements that have no fixed size."""

    codes = ""

    def __init__(self, element: Any, many: str, bound: int) -> None:
        self._element, self._counted, self._bound = element, many == "sequence", bound
        self._number = element.codes if isinstance(element, _Number) else ""

    def write(self, out: _Output, value: Sequence[Any]) -> None:
        self._check(len(value))
        if self._counted:
            out.pack("I", (len(value),))
        if self._number:
            if len(value):
                padding = -out.size % struct.calcsize(f"<{self._number}")
                out.add(struct.pack(f"<{padding}x{len(value)}{self._number}", *value))
        else:
            for one in value:
                _write(self._element, out, one)

    def read(self, source: _Input) -> list[Any]:
        (count,) = source.unpack("I") if self._counted else (self._bound,)
        self._check(count)
        if not self._number:
            return [_read(self._element, source) for _ in range(count)]
        if not count:
            return []
        size = struct.calcsize(f"<{self._number}")
        source.position += -source.position % size
        start = source.take(count * size, "numbers")
        return list(struct.unpack_from(f"{source.order}{count}{self._number}", source.data, start))

    def _check(self, count: int) -> None:
        if self._bound and (count > self._bound if self._counted else count != self._bound):
            raise ValueError(f"expected {'at most ' * self._counted}{self._bound} values, got {count}")


class Codec:
    """The codec of a message class that has no fixed size. `codec_of` makes it."""

    codes = ""

    def __init__(self, message: type, members: Sequence[tuple[str, Any]]) -> None:
        self._message = message
        # Neighbouring members of fixed size go together.
        self._groups = [(bool(fixed), list(group)) for fixed, group in groupby(members, lambda m: bool(m[1].codes))]
        self._runs = ["".join(codec.codes for _, codec in group) for _, group in self._groups]

    def write(self, out: _Output, value: Any) -> None:
        for codes, (fixed, group) in zip(self._runs, self._groups, strict=True):
            if fixed:
                flat: list[Any] = []
                for name, codec in group:
                    codec.flatten(getattr(value, name), flat)
                out.pack(codes, flat)
            else:
                for name, codec in group:
                    codec.write(out, getattr(value, name))

    def read(self, source: _Input) -> Any:
        values: list[Any] = []
        for codes, (fixed, group) in zip(self._runs, self._groups, strict=True):
            if fixed:
                flat = iter(source.unpack(codes))
                values += [codec.build(flat) for _, codec in group]
            else:
                values += [codec.read(source) for _, codec in group]
        return self._message(*values)


@functools.cache
def _codec_of(message: type) -> Any:
    members = [(name, _codec(kind)) for name, kind in fields(message)]
    fixed = all(codec.codes for _, codec in members)
    return _FixedStruct(message, members) if fixed else Codec(message, members)


def _codec(kind: FieldType) -> Any:
    if kind.many == "sequence" and kind.element == "uint8" and not kind.bound:
        return _Bytes()
    if kind.element == "string":
        element: Any = _String(0 if kind.many else kind.bound)
    elif isinstance(kind.element, str):
        element = _Number(kind.element)
    else:
        element = _codec_of(kind.element)
    if not kind.many:
        return element
    if kind.many == "array" and element.codes:
        return _FixedArray(element, kind.bound)
    return _Several(element, kind.many, kind.bound)


def _write(codec: Any, out: _Output, value: Any) -> None:
    if codec.codes:
        flat: list[Any] = []
        codec.flatten(value, flat)
        out.pack(codec.codes, flat)
    else:
        codec.write(out, value)


def _read(codec: Any, source: _Input) -> Any:
    return codec.build(iter(source.unpack(codec.codes))) if codec.codes else codec.read(source)


def serialize(message: Any) -> bytes:
    """The message in little-endian plain CDR, with its encapsulation header."""
    out = _Output()
    kind: Any = type(message)
    _write(_codec_of(kind), out, message)
    return b"".join(out.parts)


def deserialize(message: type, data: bytes) -> Any:
    """The message of this class in `data`: plain CDR in either byte order. One of BROKEN: it is something else."""
    return _read(_codec_of(message), _Input(data))
