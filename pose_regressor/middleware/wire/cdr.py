"""Plain CDR (XCDR1) of messages: what ROS 2 puts on every wire and into every bag.

A sequence of bytes, such as an image, is copied once when it is written. It is not copied when it is read. Positions
count from behind the encapsulation header of 4 bytes.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np

from pose_regressor.types import InputError

if TYPE_CHECKING:
    from pose_regressor.middleware.wire.message import Field, Message

LITTLE = b"\0\1\0\0"
#: By the type of a field: how `struct` names it.
CODES = {
    "bool": "?",
    "byte": "B",
    "int8": "b",
    "uint8": "B",
    "int16": "h",
    "uint16": "H",
    "int32": "i",
    "uint32": "I",
    "int64": "q",
    "uint64": "Q",
    "float32": "f",
    "float64": "d",
}
#: What some messages are in words, for errors.
WORDS = {"Image": "image", "CompressedImage": "image", "CameraInfo": "camera info"}
#: Sequences of these are blocks of bytes.
OCTETS = ("byte", "uint8")


def serialize(message: Message) -> bytes:
    out = _Output()
    _write(message, out)
    return out.whole()


def deserialize(kind: type[Message], data: bytes) -> Any:
    """InputError: the bytes are no such message."""
    try:
        return _read(kind, _Input(data))
    except (struct.error, UnicodeDecodeError, ValueError) as error:
        name = kind.ros_type.replace("/msg/", "/")
        word = WORDS.get(kind.__name__, "message")
        raise InputError(f"{word}: expected a {name} in CDR", f"got other bytes ({error})") from None


class _Output:
    """Bytes that are being written. Blocks are kept as they are until all is joined."""

    def __init__(self) -> None:
        self._parts: list[Any] = [LITTLE]
        self._before = 0  # bytes in the parts, without the header
        self._open = bytearray()

    def align(self, size: int) -> bytearray:
        """Where to append what has to begin at a multiple of `size`."""
        self._open += bytes(-(self._before + len(self._open)) % size)
        return self._open

    def block(self, data: Any) -> None:
        self._parts += (self._open, data)
        self._before += len(self._open) + len(data)
        self._open = bytearray()

    def whole(self) -> bytes:
        return b"".join((*self._parts, self._open))


class _Input:
    """Bytes that are being read. order: as `struct` writes it."""

    def __init__(self, data: bytes) -> None:
        if data[:2] not in (b"\0\0", b"\0\1"):
            raise ValueError(f"encapsulation {bytes(data[:2]).hex()}, not plain CDR")
        self.order = "<" if data[1] else ">"
        self.data = memoryview(data)[4:]
        self.position = 0

    def unpack(self, form: struct.Struct, size: int) -> tuple[Any, ...]:
        """size: of one number, in bytes."""
        start = self.position + (-self.position % size)
        self.position = start + form.size
        return form.unpack_from(self.data, start)

    def block(self, count: int) -> memoryview:
        if count > len(self.data) - self.position:
            raise ValueError(f"{count} bytes announced, {len(self.data) - self.position} there")
        self.position += count
        return self.data[self.position - count : self.position]

    def count(self, least: int) -> int:
        """The length of a sequence. least: bytes of one value. Checked before any memory is asked for."""
        (count,) = self.unpack(_form(self.order, "I"), 4)
        if count * least > len(self.data) - self.position:
            raise ValueError(f"{count} values announced, {len(self.data) - self.position} bytes there")
        return int(count)


class _Part(Protocol):
    """How some fields of a message are written and read."""

    def write(self, message: Message, out: _Output) -> None: ...
    def read(self, source: _Input) -> Sequence[Any]:
        """The fields' values."""


class _Numbers:
    """Fields with numbers of one size, which lie side by side."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self._names = [field.name for field in fields]
        self._code = "".join(CODES[str(field.type)] for field in fields)
        self._size = struct.calcsize(self._code[0])

    def write(self, message: Message, out: _Output) -> None:
        values = [getattr(message, name) for name in self._names]
        out.align(self._size).extend(_form("<", self._code).pack(*values))

    def read(self, source: _Input) -> Sequence[Any]:
        return source.unpack(_form(source.order, self._code), self._size)


class _One:
    """A field with a value, or values, of any other type."""

    def __init__(self, field: Field) -> None:
        self._name = field.name
        self._write, self._read = _ways(field)

    def write(self, message: Message, out: _Output) -> None:
        self._write(getattr(message, self._name), out)

    def read(self, source: _Input) -> Sequence[Any]:
        return (self._read(source),)


def _write(message: Message, out: _Output) -> None:
    for part in _parts(cast("Hashable", type(message))):
        part.write(message, out)


def _read(kind: type[Message], source: _Input) -> Any:
    return kind(*(value for part in _parts(cast("Hashable", kind)) for value in part.read(source)))


@functools.cache
def _parts(kind: Hashable) -> tuple[_Part, ...]:
    """kind: a message class."""
    parts: list[_Part] = []
    numbers: list[Field] = []
    for field in cast("type[Message]", kind).fields:
        if numbers and _size(field) != _size(numbers[0]):
            parts.append(_Numbers(numbers))
            numbers = []
        if _size(field):
            numbers.append(field)
        else:
            parts.append(_One(field))
    return (*parts, _Numbers(numbers)) if numbers else tuple(parts)


def _size(field: Field) -> int:
    """Bytes of a field with a single number; 0: of any other field."""
    code = CODES.get(str(field.type), "")
    return struct.calcsize(code) if code and not field.many else 0


@functools.cache
def _form(order: str, code: str) -> struct.Struct:
    return struct.Struct(order + code)


# ------------------------------------------------------------------ values

_Write = Callable[[Any, _Output], None]
_Read = Callable[[_Input], Any]


def _ways(field: Field) -> tuple[_Write, _Read]:
    """How the value of a field is written and read."""
    kind = field.type
    if isinstance(kind, str) and kind in CODES:
        if field.many == "sequence" and kind in OCTETS:
            return _write_octets, _read_octets
        return _numbers(CODES[kind], field.length if field.many == "array" else None)
    one: tuple[_Write, _Read] = (_write, _reading(kind)) if not isinstance(kind, str) else (_write_string, _read_string)
    if field.longest:
        one = _limited(*one, field.longest, "characters")
    if field.many:
        one = _sequence(*one)
    return _limited(*one, field.length, "values") if field.length else one


def _limited(write: _Write, read: _Read, most: int, what: str) -> tuple[_Write, _Read]:
    """The same for values of limited length. ValueError: a value is longer."""

    def checked(value: Any) -> Any:
        if len(value) > most:
            raise ValueError(f"expected at most {most} {what}, got {len(value)}")
        return value

    return lambda value, out: write(checked(value), out), lambda source: checked(read(source))


def _reading(kind: type[Message]) -> _Read:
    return lambda source: _read(kind, source)


def _numbers(code: str, length: int | None) -> tuple[_Write, _Read]:
    """Several numbers. length: None, if it is written before them."""
    size = struct.calcsize(code)

    def write(values: Any, out: _Output) -> None:
        count = len(values)
        if length is None:
            out.align(4).extend(_form("<", "I").pack(count))
        elif count != length:
            raise ValueError(f"expected {length} numbers, got {count}")
        if count:
            out.align(size).extend(struct.pack(f"<{count}{code}", *values))

    def read(source: _Input) -> list[Any]:
        count = source.count(size) if length is None else length
        if not count:
            return []
        form = _form(source.order, f"{count}{code}") if length else struct.Struct(f"{source.order}{count}{code}")
        return list(source.unpack(form, size))

    return write, read


def _write_octets(data: Any, out: _Output) -> None:
    """data: anything with a buffer of bytes, or a list or tuple of numbers."""
    block = memoryview(bytes(data) if isinstance(data, list | tuple) else data).cast("B")
    out.align(4).extend(_form("<", "I").pack(block.nbytes))
    out.block(block)


def _read_octets(source: _Input) -> Any:
    return np.frombuffer(source.block(source.count(1)), np.uint8)


def _write_string(text: str, out: _Output) -> None:
    raw = text.encode()
    out.align(4).extend(_form("<", "I").pack(len(raw) + 1) + raw + b"\0")


def _read_string(source: _Input) -> str:
    length = source.count(1)
    if not length:
        raise ValueError(f"a string of no bytes at {source.position}")
    return bytes(source.block(length)[:-1]).decode()


def _sequence(write_one: _Write, read_one: _Read) -> tuple[_Write, _Read]:
    def write(values: Any, out: _Output) -> None:
        out.align(4).extend(_form("<", "I").pack(len(values)))
        for value in values:
            write_one(value, out)

    def read(source: _Input) -> list[Any]:
        return [read_one(source) for _ in range(source.count(1))]

    return write, read
