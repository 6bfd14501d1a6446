"""Reads BOP result CSVs. Files have millimetres, the code has metres."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pose_regressor.files.bop import MILLIMETRES_PER_METRE, RESULT_HEADER
from pose_regressor.files.io import read_text
from pose_regressor.types import FloatArray, InputError

COLUMNS = RESULT_HEADER.split(",")
#: How far a written matrix may be from a rotation: files round to a few digits.
_ROTATION_TOLERANCE = 1e-2


@dataclass(frozen=True, eq=False)
class Result:
    """One line of a result CSV.

    scene_id, im_id, obj_id: BOP's
    score: of the pose
    cam_from_obj: (4, 4), metres
    """

    scene_id: int
    im_id: int
    obj_id: int
    score: float
    cam_from_obj: FloatArray


def read_results(path: str | Path) -> list[Result]:
    """All lines, in the file's order. Raises InputError that names file and line if one is not in BOP's format."""
    rows = csv.reader(io.StringIO(read_text(path)))
    try:
        first, *others = list(rows) or [[]]
    except csv.Error as error:
        raise InputError(f"{path}: line {rows.line_num}: {error}") from None
    header = [name.strip() for name in first]
    if header != COLUMNS and _is_row(first):  # bop_toolkit reads files without a header as well
        first, others = [], [first, *others]
    elif header != COLUMNS:
        raise InputError(f"{path}: expected the columns {RESULT_HEADER}, got {','.join(header)[:80] or 'nothing'}")
    results = []
    for number, row in enumerate(others, start=2 if first else 1):
        if not row:
            continue
        if len(row) != len(COLUMNS):
            raise InputError(f"{path}: line {number}: expected {len(COLUMNS)} columns, got {len(row)}")
        try:
            results.append(_result(dict(zip(COLUMNS, row, strict=True))))
        except ValueError as error:
            raise InputError(f"{path}: line {number}: {error}") from None
    return results


def _is_row(row: list[str]) -> bool:
    """Whether a first line is one of results: it begins with three whole numbers."""
    return len(row) == len(COLUMNS) and all(re.fullmatch(r"\s*\d+\s*", value) for value in row[:3])


def _result(row: dict[str, str]) -> Result:
    pose = np.eye(4)
    pose[:3, :3] = _numbers(row, "R", 9).reshape(3, 3)
    pose[:3, 3] = _numbers(row, "t", 3) / MILLIMETRES_PER_METRE
    rotation = pose[:3, :3]
    if np.abs(rotation @ rotation.T - np.eye(3)).max() > _ROTATION_TOLERANCE or np.linalg.det(rotation) < 0:
        raise ValueError(f"expected a rotation matrix in R, got {row['R']}")
    (score,) = _numbers(row, "score", 1)
    return Result(int(row["scene_id"]), int(row["im_id"]), int(row["obj_id"]), float(score), pose)


def _numbers(row: dict[str, str], name: str, count: int) -> FloatArray:
    words = row[name].split()
    if len(words) != count:
        raise ValueError(f"expected {count} numbers in {name}, got {len(words)}")
    numbers = np.array(words, np.float64)
    if not np.isfinite(numbers).all():
        raise ValueError(f"expected finite numbers in {name}, got {row[name]}")
    return numbers
