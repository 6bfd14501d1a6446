"""Plain CDR, read and written by hand where a message is mostly one block of bytes.

cyclonedds' own (de)serialisation goes through every byte in Python: 30 ms for a VGA image, 300 ms for 1080p. A message
that overrides its two public hooks with these takes one copy out and none in. Positions count from the start of the
sample, with its encapsulation header of 4 bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_regressor.types import InputError


def aligned(position: int) -> int:
    """Where a number of four bytes may be."""
    return (position + 3) & ~3


def aligned8(position: int) -> int:
    """Where a number of eight bytes may be; counted from behind the encapsulation header."""
    return (position - 4 + 7 & ~7) + 4


def align(out: bytearray) -> None:
    """Pads to where a number of four bytes may be."""
    out += bytes(-len(out) % 4)


def begin(sec: int, nanosec: int, frame_id: str) -> bytearray:
    """A sample, in little-endian XCDR1 and without options, that starts with a std_msgs/Header."""
    out = bytearray(b"\x00\x01\x00\x00")
    out += struct.pack("<iI", sec, nanosec)
    put_string(out, frame_id)
    return out


def put_string(out: bytearray, text: str) -> None:
    raw = text.encode()
    align(out)
    out += struct.pack("<I", len(raw) + 1) + raw + b"\0"


def end(out: bytearray, data: Any) -> bytes:
    """The sample closed by a sequence of bytes."""
    align(out)
    block = memoryview(bytes(data) if isinstance(data, list) else data).cast("B")
    return b"".join((out, struct.pack("<I", block.nbytes), block))


@contextmanager
def reading(name: str, what: str = "image") -> Iterator[None]:
    """What goes wrong within becomes an InputError."""
    try:
        yield
    except (struct.error, UnicodeDecodeError, ValueError) as error:
        raise InputError(f"{what}: expected a {name} in CDR, got bytes that are none ({error})") from None


def read_header(data: bytes) -> tuple[str, int, int, str, int]:
    """The byte order in struct's words; sec, nanosec and frame_id of the std_msgs/Header; where it ends."""
    if data[:2] not in (b"\0\0", b"\0\1"):
        raise ValueError(f"encapsulation {data[:2].hex()}, not plain CDR")
    order = "<" if data[1] else ">"
    sec, nanosec = struct.unpack_from(order + "iI", data, 4)
    return order, sec, nanosec, *read_string(data, 12, order)


def read_string(data: bytes, position: int, order: str) -> tuple[str, int]:
    """The string whose length is at `position`, and where it ends."""
    (length,) = struct.unpack_from(order + "I", data, position)
    start = position + 4
    if length < 1 or start + length > len(data):
        raise ValueError(f"a string of {length} bytes at {start} of {len(data)}")
    return bytes(data[start : start + length - 1]).decode(), start + length


def read_bytes(data: bytes, position: int, order: str) -> NDArray[np.uint8]:
    """A read-only view of the sequence of bytes whose length is at `position`."""
    (length,) = struct.unpack_from(order + "I", data, position)
    found = np.frombuffer(data, np.uint8)[position + 4 : position + 4 + length]
    if found.size != length:
        raise ValueError(f"{length} bytes announced, {found.size} there")
    return found


def read_doubles(data: bytes, position: int, order: str, count: int) -> tuple[list[float], int]:
    """`count` float64 from `position` on, and where they end."""
    start = aligned8(position)
    end = start + 8 * count
    if end > len(data):  # before memory is asked for: a count may be anything
        raise ValueError(f"{count} numbers of 8 bytes at {start} of {len(data)}")
    return list(struct.unpack_from(f"{order}{count}d", data, start)), end
