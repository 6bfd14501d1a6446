"""Reads the lines of an OBJ file: numbers of vertices, and faces by material."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pose_regressor.types import FloatArray, InputError
from pose_regressor_training.meshes.pictures import decoded, text
from pose_regressor_training.meshes.stl_off import numbers

#: Lines that are turned into arrays at once: lists of words take ten times the memory.
LINES = 200_000
NUMBERS = {b"v": (3, 4, 6, 7), b"vt": (1, 2, 3)}


@dataclass
class ObjFaces:
    """Faces of one material: corners of each, and for each corner its vertex and texture coordinate, from 0.

    Missing texture coordinates are -1.
    """

    counts: list[NDArray[np.int64]] = field(default_factory=list)
    vertex: list[NDArray[np.int64]] = field(default_factory=list)
    place: list[NDArray[np.int64]] = field(default_factory=list)
    normal: list[NDArray[np.int64]] = field(default_factory=list)


class ObjFile:
    """The lines of a file, turned into arrays a few hundred thousand at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tables: dict[bytes, list[FloatArray]] = {b"v": [], b"vt": []}
        self.counts = {b"v": 0, b"vt": 0, b"vn": 0}
        self.libraries: list[bytes] = []
        self.painted = b""  # hexadecimal numbers of ZBrush: for each vertex a mask, red, green, blue
        self.faces: dict[bytes | None, ObjFaces] = {}
        self._lines: dict[bytes, list[bytes]] = {b"v": [], b"vt": []}
        self._corners: list[bytes] = []
        self._before: list[tuple[int, int, int, int]] = []  # corners of a face; vertices, places, normals so far
        self._material: bytes | None = None
        self._read(_lines(path))

    def _read(self, all_lines: list[bytes]) -> None:
        counts, lines = self.counts, self._lines
        for line in all_lines:
            words = line.split(None, 1)
            if len(words) < 2:
                continue
            key, rest = words
            if key == b"f":
                if b"#" in rest:
                    rest = rest.split(b"#")[0]
                corners = rest.split()
                self._corners += corners
                self._before.append((len(corners), counts[b"v"], counts[b"vt"], counts[b"vn"]))
                if len(self._before) >= LINES:
                    self._flush_faces()
            elif key in lines:
                counts[key] += 1
                lines[key].append(rest)
                if len(lines[key]) >= LINES:
                    self._flush_numbers(key)
            elif key == b"vn":
                counts[key] += 1
            elif key == b"#MRGB":
                self.painted += rest.strip()
            elif key == b"surf":
                raise InputError(f"mesh {self.path}: has free-form surfaces (surf), expected triangles: export those")
            elif (key := key.lower()) == b"usemtl":
                self._flush_faces()
                self._material = rest.strip()
            elif key == b"mtllib":
                self.libraries.append(rest.strip())
        self._flush_faces()
        for key in lines:
            self._flush_numbers(key)

    def _flush_numbers(self, key: bytes) -> None:
        lines = self._lines[key]
        if any(b"#" in line for line in lines):
            lines = [line.split(b"#")[0] for line in lines]
        self._lines[key] = []
        lengths = np.array([len(line.split()) for line in lines], np.int64)
        wrong = ~np.isin(lengths, NUMBERS[key])
        if wrong.any():
            raise InputError(
                f"mesh {self.path}: a line '{key.decode()} {text(lines[int(wrong.argmax())].strip())[:40]}' has "
                f"{lengths[wrong][0]} numbers, expected {', '.join(map(str, NUMBERS[key]))}"
            )
        table = np.full((len(lines), max(NUMBERS[key])), np.nan)
        for length in np.unique(lengths):
            some = lengths == length
            own = lines if some.all() else [line for line, chosen in zip(lines, some, strict=True) if chosen]
            table[some, :length] = numbers(b" ".join(own), self.path).reshape(-1, length)
        self.tables[key].append(table)

    def _flush_faces(self) -> None:
        if not self._before:
            return
        faces = self.faces.setdefault(self._material, ObjFaces())
        sizes, *so_far = np.array(self._before, np.int64).T
        faces.counts.append(sizes)
        columns = self._columns(self._corners)
        for index, target, before in zip(columns, (faces.vertex, faces.place, faces.normal), so_far, strict=True):
            # Numbers count from 1, or backwards from the last one before the face. 0 stands for none.
            target.append(np.where(index < 0, index + np.repeat(before, sizes), index - 1))
        self._corners, self._before = [], []

    def _columns(self, corners: list[bytes]) -> list[NDArray[np.int64]]:
        """Numbers (C,) of vertices, texture coordinates and normals in corners such as 1/2/3, 1//3 and 1. 0: none."""
        joined = b" ".join(corners)
        for slashes in (0, 1, 2):
            same = b"/" * slashes + b" "
            if joined.translate(None, b"0123456789+-") == (same * len(corners))[:-1] and b"//" not in joined:
                table = numbers(joined.replace(b"/", b" "), self.path, np.int64)
                if len(table) == len(corners) * (slashes + 1):
                    table = table.reshape(len(corners), -1)
                    return [table[:, k] if k <= slashes else np.zeros(len(table), np.int64) for k in range(3)]
        parts = [corner.split(b"/") for corner in corners]
        return [self._numbers([part[k] or b"0" if len(part) > k else b"0" for part in parts]) for k in range(3)]

    def _numbers(self, words: list[bytes]) -> NDArray[np.int64]:
        try:
            return np.array(words).astype(np.int64)
        except (ValueError, OverflowError):
            wrong = next((word for word in words if not re.fullmatch(rb"[+-]?\d{1,18}", word)), b"")
            raise InputError(f"mesh {self.path}: expected numbers in a face, got {text(wrong)[:40]!r}") from None


def _lines(path: Path) -> list[bytes]:
    """The file's lines, continued ones joined."""
    data = decoded(path.read_bytes())
    if b"\\\n" in data or b"\\\r\n" in data:
        data = data.replace(b"\\\r\n", b" ").replace(b"\\\n", b" ")
    return data.splitlines()
