"""BOP's models_info.json: size and symmetries of each object. Files have millimetres, the code has metres."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pose_regressor.files.bop import MILLIMETRES_PER_METRE
from pose_regressor.files.io import read_json, write_text
from pose_regressor.types import FloatArray, InputError
from pose_regressor_training.bop.records import one_line_each
from pose_regressor_training.meshes.mesh import Mesh
from pose_regressor_training.meshes.symmetry import ContinuousSymmetry, Symmetries, find_symmetries

#: The matrices of published files are this far from rotations.
_ROTATION_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class ModelInfo:
    """What the file says of an object.

    diameter: largest distance of two points, metres
    bounds: (2, 3) lower and upper corner, metres
    symmetries: of the object
    """

    diameter: float
    bounds: FloatArray
    symmetries: Symmetries


def read_models_info(path: str | Path) -> dict[int, ModelInfo]:
    """By object id. Raises InputError that names the file and the object if an entry is not in BOP's format."""
    content = read_json(path)
    if not isinstance(content, dict) or not content:
        raise InputError(f"{path}: expected a mapping from object ids, as in BOP's models_info.json")
    infos = {}
    for key, entry in content.items():
        if not str(key).isdigit() or not isinstance(entry, dict):
            raise InputError(f"{path}: expected an object id with a mapping, got {key!r}: {str(entry)[:60]}")
        infos[int(key)] = _read_entry(f"{path}: object {key}", entry)
    return infos


def symmetries_of(mesh: Mesh, obj_id: int, models_info: str | Path | None = None) -> Symmetries:
    """The symmetries that the file states for the object, else those found from its mesh.

    An object that the file names without symmetries has none.
    """
    known = read_models_info(models_info) if models_info else {}
    return known[obj_id].symmetries if obj_id in known else find_symmetries(mesh)


def write_models_info(path: str | Path, infos: Mapping[int, ModelInfo]) -> None:
    write_text(path, one_line_each({str(obj_id): _entry(info) for obj_id, info in sorted(infos.items())}))


def _read_entry(where: str, entry: dict[str, Any]) -> ModelInfo:
    low = np.array([_numbers(where, entry, f"min_{axis}", 0) for axis in "xyz"])
    size = np.array([_numbers(where, entry, f"size_{axis}", 0) for axis in "xyz"])
    diameter = float(_numbers(where, entry, "diameter", 0))
    if diameter <= 0 or (size <= 0).any():
        raise InputError(f"{where}: expected a positive diameter and size, got {diameter:g} and {size.tolist()}")
    discrete = [_motion(where, symmetry) for symmetry in _list(where, entry, "symmetries_discrete")]
    continuous = [_axis(where, symmetry) for symmetry in _list(where, entry, "symmetries_continuous")]
    symmetries = Symmetries(np.array(discrete).reshape(-1, 4, 4), tuple(continuous))
    bounds = np.stack([low, low + size]) / MILLIMETRES_PER_METRE
    return ModelInfo(diameter / MILLIMETRES_PER_METRE, bounds, symmetries)


def _motion(where: str, value: Any) -> FloatArray:
    motion = _numbers(where, {"symmetries_discrete": value}, "symmetries_discrete", 16).reshape(4, 4)
    rotation = motion[:3, :3]
    off = np.abs(rotation @ rotation.T - np.eye(3)).max()
    if off > _ROTATION_TOLERANCE or np.linalg.det(rotation) < 0 or not np.array_equal(motion[3], (0, 0, 0, 1)):
        raise InputError(f"{where}: expected rigid motions in 'symmetries_discrete', got {motion.ravel().tolist()}")
    left, _, right = np.linalg.svd(rotation)
    motion[:3, :3] = left @ right
    motion[:3, 3] /= MILLIMETRES_PER_METRE
    return motion


def _axis(where: str, value: Any) -> ContinuousSymmetry:
    where = f"{where}: symmetries_continuous"
    if not isinstance(value, dict):
        raise InputError(f"{where}: expected an axis and an offset, got {str(value)[:60]}")
    axis = _numbers(where, value, "axis", 3)
    if np.linalg.norm(axis) < 1e-6:
        raise InputError(f"{where}: expected an axis with a length, got {axis.tolist()}")
    offset = _numbers(where, {"offset": [0, 0, 0]} | value, "offset", 3)
    return ContinuousSymmetry(axis / np.linalg.norm(axis), offset / MILLIMETRES_PER_METRE)


def _list(where: str, entry: dict[str, Any], key: str) -> list[Any]:
    value = entry.get(key, [])
    if not isinstance(value, list):
        raise InputError(f"{where}: expected a list in '{key}', got {str(value)[:60]}")
    return value


def _numbers(where: str, entry: dict[str, Any], key: str, count: int) -> FloatArray:
    """`count` numbers; for a count of 0, a single one."""
    try:
        array = np.array(entry[key], np.float64)
    except KeyError:
        raise InputError(f"{where}: expected the key '{key}', got {', '.join(entry) or 'none'}") from None
    except (TypeError, ValueError):
        raise InputError(f"{where}: expected numbers in '{key}', got {str(entry[key])[:60]}") from None
    if array.shape != ((count,) if count else ()) or not np.isfinite(array).all():
        raise InputError(f"{where}: expected {count or 'one'} finite number(s) in '{key}', got {str(entry[key])[:60]}")
    return array


def _entry(info: ModelInfo) -> dict[str, Any]:
    low, size = MILLIMETRES_PER_METRE * info.bounds[0], MILLIMETRES_PER_METRE * np.ptp(info.bounds, axis=0)
    entry: dict[str, Any] = {"diameter": _plain(MILLIMETRES_PER_METRE * info.diameter)}
    entry |= {f"min_{axis}": _plain(value) for axis, value in zip("xyz", low, strict=True)}
    entry |= {f"size_{axis}": _plain(value) for axis, value in zip("xyz", size, strict=True)}
    if len(info.symmetries.discrete):
        millimetres = info.symmetries.discrete.copy()
        millimetres[:, :3, 3] *= MILLIMETRES_PER_METRE
        entry["symmetries_discrete"] = [[_plain(value, 9) for value in motion.ravel()] for motion in millimetres]
    if info.symmetries.continuous:
        entry["symmetries_continuous"] = [
            {"axis": [_plain(value, 9) for value in symmetry.axis],
             "offset": [_plain(MILLIMETRES_PER_METRE * value) for value in symmetry.offset]}
            for symmetry in info.symmetries.continuous
        ]  # fmt: skip
    return entry


def _plain(value: float, digits: int = 6) -> float:
    """Rounded, and never -0.0."""
    return round(float(value), digits) + 0.0


def object_id(path: Path, place: int) -> int:
    """BOP id of a mesh file: 10 for obj_000010.ply, else its place in the list, from 1."""
    match = re.fullmatch(r"obj_(\d{6})", path.stem)
    return int(match[1]) if match else place
