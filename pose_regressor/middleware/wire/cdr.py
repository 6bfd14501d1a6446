"""Plain CDR, read and written by hand, for messages that are mostly one block of bytes.

cyclonedds' own (de)serialisation loops over every byte in Python: 30 ms for a VGA image, 300 ms for 1080p. A message
class that overrides its two public hooks with these functions makes one copy when it writes and none when it reads.
Positions count from the start of the sample, including its encapsulation header of 4 bytes.
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
    """The next position where a number of four bytes may begin."""
    return (position + 3) & ~3


def aligned8(position: int) -> int:
    """The next position where a number of eight bytes may begin: alignment counts from behind the header."""
    return (position - 4 + 7 & ~7) + 4


def align(out: bytearray) -> None:
    """Pads to the next position where a number of four bytes may begin."""
    out += bytes(-len(out) % 4)


def begin(sec: int, nanosec: int, frame_id: str) -> bytearray:
    """The start of a sample in little-endian XCDR1, without options: a std_msgs/Header."""
    out = bytearray(b"\x00\x01\x00\x00")
    out += struct.pack("<iI", sec, nanosec)
    put_string(out, frame_id)
    return out


def put_string(out: bytearray, text: str) -> None:
    raw = text.encode()
    align(out)
    out += struct.pack("<I", len(raw) + 1) + raw + b"\0"


def end(out: bytearray, data: Any) -> bytes:
    """The whole sample: `out`, and a sequence of bytes behind it."""
    align(out)
    block = memoryview(bytes(data) if isinstance(data, list) else data).cast("B")
    return b"".join((out, struct.pack("<I", block.nbytes), block))


@contextmanager
def reading(name: str, what: str = "image") -> Iterator[None]:
    """Turns errors within the block into an InputError. name: of the type; what: a message in words."""
    try:
        yield
    except (struct.error, UnicodeDecodeError, ValueError) as error:
        raise InputError(f"{what}: expected a {name} in CDR", f"got other bytes ({error})") from None


def read_header(data: bytes) -> tuple[str, int, int, str, int]:
    """The byte order as `struct` writes it, the std_msgs/Header's sec, nanosec and frame_id, and where it ends."""
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
    """`count` float64 numbers from `position` on, and where they end."""
    start = aligned8(position)
    end = start + 8 * count
    if end > len(data):  # checked before memory is allocated, since the count may be anything
        raise ValueError(f"{count} numbers of 8 bytes at {start} of {len(data)}")
    return list(struct.unpack_from(f"{order}{count}d", data, start)), end
