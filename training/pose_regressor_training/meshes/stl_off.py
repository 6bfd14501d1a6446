"""Reads STL, binary and text, and OFF."""

from __future__ import annotations

import re
import struct
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pose_regressor.types import FloatArray, InputError
from pose_regressor_training.meshes.part import GREY, Part, color_codes
from pose_regressor_training.meshes.pictures import decoded
from pose_regressor_training.meshes.polygons import triangles

FACET = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
HEADER = 84
#: Odd numbers whose multiples are spread over 64 bits.
HASH = tuple(map(np.uint64, (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)))
#: Counts that writers leave in the header if they do not know better.
UNKNOWN_COUNTS = (0, 2**32 - 1)


def numbers(data: bytes, path: Path, kind: type = np.float64) -> NDArray:
    """The numbers of a text that consists of nothing else. Raises InputError at the first other word."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        try:
            return np.fromstring(data, kind, sep=" ") if data.strip() else np.zeros(0, kind)
        except (DeprecationWarning, ValueError) as error:
            found = f" {_other_word(data)[:40]!r}".removesuffix(" ''")
            raise InputError(f"mesh {path}: cannot be read: expected numbers, found{found or ' other text'}") from error


def _other_word(data: bytes) -> str:
    """The first word that is no number; empty if it cannot be told."""
    number = rb"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|(?i:[-+]?(nan|inf|infinity))"
    return next((word.decode("ascii", "replace") for word in data.split() if not re.fullmatch(number, word)), "")


def stl_count(path: Path) -> int | None:
    """Number of triangles that a binary STL states, if they are there; None for a text.

    Bytes behind the last triangle do no harm. The header of a binary file may begin with `solid`, as a text does.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(512)
    if size < HEADER:
        return None
    count = int(struct.unpack("<I", start[80:HEADER])[0])
    if count in UNKNOWN_COUNTS and size > HEADER and (size - HEADER) % FACET.itemsize == 0:
        count = (size - HEADER) // FACET.itemsize
    if size == HEADER + FACET.itemsize * count:
        return count
    if start[:5].lower() == b"solid" and (b"facet" in start or b"\0" not in start):
        return None
    return count


def read_stl(path: Path, colored: bool = True) -> list[Part]:
    """One part. A binary file may have colours of its faces, as Materialise Magics or VisCAM write them.

    colored: False leaves these out
    """
    count = stl_count(path)
    if count is None:
        return [_grey(_text_corners(path))]
    data = path.read_bytes()
    there = (len(data) - HEADER) // FACET.itemsize
    if count > there:
        raise InputError(f"mesh {path}: is cut off: it has {there:,} of the {count:,} triangles that it states")
    if count < there:
        warnings.warn(
            f"mesh {path}: states {count:,} triangles, which are read, but has bytes for {there:,}", stacklevel=4
        )
    facets = np.frombuffer(data, FACET, count, HEADER)
    corners = facets["corners"].reshape(-1, 3)
    colors = _facet_colors(data[: HEADER - 4], facets["attribute"].astype(np.int64)) if colored else None
    if colors is None and count:
        vertices, faces = _shared(corners)
        return [Part(vertices.astype(np.float64), faces, None, None, np.full(vertices.shape, GREY, np.uint8))]
    part = _grey(corners.astype(np.float64))
    return [part if colors is None else replace(part, colors=np.repeat(colors, 3, 0))]


def _shared(corners: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Vertices (V, 3) of corners (3 F, 3), each place once, and the faces (F, 3): a sixth of the numbers to handle.

    Corners are sorted by a hash of their bits, which takes a fraction of the time of sorting them by three numbers.
    """
    bits = (np.ascontiguousarray(corners) + np.float32(0)).view(np.uint32).astype(np.uint64)  # -0 becomes 0
    order = np.argsort(bits[:, 0] * HASH[0] ^ bits[:, 1] * HASH[1] ^ bits[:, 2] * HASH[2])
    new = np.concatenate([[True], (bits[order[1:]] != bits[order[:-1]]).any(1)])
    names = np.empty(len(corners), np.int64)
    names[order] = np.cumsum(new) - 1
    return corners[order[new]], names.reshape(-1, 3)


def _facet_colors(header: bytes, numbers: NDArray[np.int64]) -> NDArray[np.uint8] | None:
    """(F, 3) colours of five bits each in the facets' numbers; None if there are none.

    Magics names the colour of the whole part in the header, and then its bit 15 says that a facet has no colour of its
    own; red is lowest. In VisCAM's and SolidView's files, bit 15 says that there is a colour; blue is lowest.
    """
    mark, flagged = header.find(b"COLOR="), numbers >> 15 == 1
    if 0 <= mark <= len(header) - 10:
        whole, own, places = np.frombuffer(header, np.uint8, 3, mark + 6), ~flagged, (0, 5, 10)
    elif flagged.any() and (flagged | (numbers == 0)).all():
        whole, own, places = np.full(3, GREY, np.uint8), flagged, (10, 5, 0)
    else:
        return None
    codes = np.stack([numbers >> place & 31 for place in places], 1) * 255 / 31
    return np.where(own[:, None], np.round(codes), whole).astype(np.uint8)


def _text_corners(path: Path) -> FloatArray:
    data = path.read_bytes()
    data = decoded(data).replace(b"\r", b"\n")
    if data.lstrip()[:5].lower() != b"solid":
        raise InputError(f"mesh {path}: expected an STL file, which begins with 'solid' or with 84 bytes of header")
    lines = re.findall(rb"(?im)^[ \t]*vertex[ \t]+([^\r\n]*)", data)
    table = numbers(b" ".join(lines), path)
    if len(table) != 3 * len(lines) or len(lines) % 3:
        raise InputError(f"mesh {path}: expected three vertices of three numbers in each facet; is it cut off?")
    if len(re.findall(rb"(?im)^[ \t]*endsolid", data)) < 1:
        raise InputError(f"mesh {path}: is cut off: it has no line 'endsolid'")
    return table.reshape(-1, 3)


def _grey(corners: FloatArray) -> Part:
    faces = np.arange(len(corners)).reshape(-1, 3)
    return Part(corners, faces, None, None, np.full(corners.shape, GREY, np.uint8))


def read_off(path: Path) -> list[Part]:
    """One part, with the colours of its vertices (COFF) or of its faces, else grey."""
    data = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    lines = [line for line in (line.split(b"#")[0].strip() for line in data.splitlines()) if line]
    match = re.match(rb"(ST)?(C?)(N?)(4?)OFF\b", lines[0]) if lines else None
    if match is None or match[1] or match[4] or b"BINARY" in lines[0]:
        raise InputError(f"mesh {path}: expected a text that begins with OFF, COFF, NOFF or CNOFF")
    lines[0] = lines[0][match.end() :].strip()
    lines = lines if lines[0] else lines[1:]
    sizes = numbers(lines[0], path).astype(np.int64) if lines else np.zeros(0, np.int64)
    if len(sizes) not in (2, 3) or (sizes < 0).any() or len(lines) <= sizes[0] + sizes[1]:
        raise InputError(f"mesh {path}: is cut off: expected its numbers of vertices and faces, and a line for each")
    points, polygons = int(sizes[0]), int(sizes[1])
    table = numbers(b" ".join(lines[1 : 1 + points]), path)
    if not points or len(table) % points or len(table) < 3 * points:
        raise InputError(f"mesh {path}: expected three numbers or more in the line of each vertex, the same in all")
    table = table.reshape(points, -1)
    rows = [numbers(line, path) for line in lines[1 + points : 1 + points + polygons]]
    counts = np.array([row[0] if len(row) else 0 for row in rows]).astype(np.int64)
    if any(count < 0 or len(row) <= count for count, row in zip(counts, rows, strict=True)):
        raise InputError(f"mesh {path}: a face states more corners than its line has")
    corners = np.concatenate([row[1 : 1 + n] for row, n in zip(rows, counts, strict=True)] or [np.zeros(0)])
    corners = corners.astype(np.int64)
    if len(corners) and not 0 <= corners.min() <= corners.max() < points:
        raise InputError(f"mesh {path}: a face names vertex {corners.max()} of {points}")
    vertices = table[:, :3]
    cut = triangles(vertices, counts, corners)
    if not len(cut):
        return []
    first = 6 if match[3] else 3
    if match[2] and table.shape[1] >= first + 3:
        colors = color_codes(table[:, first : first + 3], path)
        return [Part(vertices, corners[cut], None, None, colors)]
    painted = [row[1 + n : 4 + n] for row, n in zip(rows, counts, strict=True)]
    if all(len(color) == 3 for color in painted):
        return [_by_face(vertices, corners[cut], _faces_of(cut, counts), color_codes(np.array(painted), path))]
    return [Part(vertices, corners[cut], None, None, np.full(vertices.shape, GREY, np.uint8))]


def _faces_of(cut: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """(T,) which polygon each triangle comes from."""
    return np.repeat(np.arange(len(counts)), counts)[cut[:, 0]]


def _by_face(vertices: FloatArray, faces: NDArray, polygon: NDArray, colors: NDArray[np.uint8]) -> Part:
    own = np.repeat(colors[polygon], 3, 0)
    return Part(vertices[faces].reshape(-1, 3), np.arange(3 * len(faces)).reshape(-1, 3), None, None, own)
