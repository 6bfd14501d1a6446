"""Which name, unit and colour belongs to which mesh file."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from pose_regressor.types import InputError

T = TypeVar("T")
#: Before names that would begin with a digit, such as YCB's 003_cracker_box.
PREFIX = "object_"


def valid_name(text: str) -> str:
    """The text as an object's name: letters, digits and `_`, not beginning with a digit."""
    name = re.sub(r"\W+", "_", text).strip("_")
    return name if name.isidentifier() else PREFIX + name


def object_names(paths: Sequence[Path], given: Sequence[str] = ()) -> list[str]:
    """A name for each mesh file: the given ones, else the files' names, made valid with a warning.

    Raises InputError if there are names, but not one for each file, or one of them cannot be used.
    """
    for name in given:
        if not name.isidentifier():
            raise InputError(
                f"--name {name!r}: expected letters, digits and '_', not starting with a digit, such as "
                f"{valid_name(name)}"
            )
    if given:
        return list(for_each(paths, "name", given))
    names = [valid_name(path.stem) for path in paths]
    for path, name in zip(paths, names, strict=True):
        if name != path.stem:
            warnings.warn(f"mesh {path}: its object is named {name}; --name chooses another name", stacklevel=3)
    return names


def one_for_each(paths: Sequence[Path], what: str, values: Sequence[T]) -> list[T | None]:
    """The values of an option that is given once for each mesh, once for all of them, or not at all."""
    if len(values) == 1:
        values = list(values) * len(paths)
    return list(for_each(paths, what, values)) or [None] * len(paths)


def for_each(paths: Sequence[Path], what: str, values: Sequence[T]) -> Sequence[T]:
    """The values of an option that is given once for each mesh or not at all. Raises InputError for another count."""
    if values and len(values) != len(paths):
        raise InputError(f"--{what}: expected one for each of the {len(paths)} meshes, got {len(values)}")
    return values
