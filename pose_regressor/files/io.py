"""Text, JSON and YAML files: read with errors of one line that name the path, written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from pose_regressor.types import FloatArray, InputError


def read_text(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: expected a text file in UTF-8") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None


def read_json(path: str | Path) -> Any:
    text = read_text(path)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: expected JSON ({error})") from None


def read_yaml(path: str | Path) -> Any:
    """The first document of a YAML file (`ros2 topic echo` ends each message with a document mark)."""
    text = read_text(path)
    try:
        return next(iter(yaml.safe_load_all(text)), None)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: expected YAML ({reason})") from None


def as_mapping(path: str | Path, what: str, value: object) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{path}: expected {what} to be a mapping, got {type(value).__name__}")
    return value


def entry_of(path: str | Path, where: str, mapping: dict[Any, Any], key: str) -> Any:
    if key not in mapping:
        raise InputError(f"{path}: expected the key '{key}'{where}, got {', '.join(map(str, mapping)) or 'none'}")
    return mapping[key]


def as_numbers(path: str | Path, key: str, value: object, count: int | None = None) -> FloatArray:
    """`value` as a flat (count,) float64 array; None accepts any length."""
    try:
        array = np.asarray([] if value is None else value, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError):
        raise InputError(f"{path}: expected numbers in '{key}', got {value!r}"[:300]) from None
    except OverflowError:
        raise InputError(f"{path}: expected finite numbers in '{key}', got a whole one that is too large") from None
    if count is not None and len(array) != count:
        raise InputError(f"{path}: expected {count} numbers in '{key}', got {len(array)}")
    if not np.isfinite(array).all():
        raise InputError(f"{path}: expected finite numbers in '{key}', got {array.tolist()}")
    return array


def as_whole_number(path: str | Path, key: str, value: object) -> int:
    """BOP's image ids are JSON keys, so strings of digits; a float must be whole."""
    try:
        number = int(value)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        number = None
    if number is None or (isinstance(value, float) and number != value):
        raise InputError(f"{path}: expected a whole number for '{key}', got {value!r}")
    return number


def check_file_to_write(path: str | Path) -> None:
    """InputError for what cannot become a file: to be asked before hours of work, not after them."""
    path = Path(path)
    if not path.name or path.is_dir():
        raise InputError(f"{path}: expected a file to write, this is a folder")


@contextmanager
def replacing(path: str | Path, workplace: Path | None = None) -> Iterator[Path]:
    """A temporary path beside `path`, with the same ending, to write to.

    It replaces `path` when the block ends, and is removed if the block raises, so nobody sees half a file. Missing
    folders are made. The target of a link is replaced, not the link. What exists and is no regular file, such as
    /dev/null, is written to directly.

    workplace: folder on the same disk for the temporary file, in place of the folder of `path`
    """
    file = Path(path).resolve()
    temporary = (workplace or file.parent) / f".{file.stem}.{os.getpid()}{file.suffix}"
    try:
        check_file_to_write(path)
        if file.exists() and not file.is_file():
            yield file
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(file)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from None
    finally:
        with suppress(OSError):  # gone already when all went well
            temporary.unlink()


def write_text(path: str | Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, content: object) -> None:
    write_text(path, json.dumps(content, indent=1) + "\n")
