"""Finds and opens the pictures and material files that a mesh file names."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pose_regressor.types import FloatArray, InputError

#: Texts in mesh files are in one of these: UTF-8, or the code page of a Chinese, Japanese or western machine.
ENCODINGS = ("utf-8", "gb18030", "shift_jis", "cp1252")
#: Rounding may put coordinates this far outside a picture.
ROUNDING = 1e-3
#: A picture is extended to as many pixels at most.
LARGEST = 1 << 26
#: What helps if a picture cannot be used.
REMEDY = "put the picture beside the mesh, or give --color for a part in one colour"


def texts(raw: bytes) -> Iterator[str]:
    """What the bytes may say, the likeliest first."""
    for encoding in ENCODINGS:
        with suppress(UnicodeDecodeError):
            yield raw.decode(encoding)
    yield os.fsdecode(raw)


def text(raw: bytes) -> str:
    """What the bytes most likely say."""
    return next(texts(raw))


def find_file(folder: Path, raw: bytes) -> Path | None:
    """The file that is meant by a name in a mesh file, beside it or below `folder`; None if there is none.

    Names may be quoted, in another encoding, with backslashes, in other upper and lower case, or the full path on the
    machine that wrote them. In that last case the file is looked for in `folder`.
    """
    for name in texts(raw.strip()):
        name = name.strip("\"'").replace("\\", "/")
        if not name or "\0" in name:
            continue
        last = re.split("[/:]", name)[-1]
        for candidate in (folder / name, folder / last):
            if found := _is_there(candidate):
                return found
    return None


def _is_there(path: Path) -> Path | None:
    """The path, or else the one file in its folder whose name differs in upper and lower case only."""
    try:
        if path.is_file():
            return path
        if not path.name or not path.parent.is_dir():
            return None
        same = [other for other in path.parent.iterdir() if other.name.lower() == path.name.lower()]
    except (OSError, ValueError):  # too long, or not allowed to look
        return None
    return same[0] if len(same) == 1 and same[0].is_file() else None


def open_picture(source: Path | bytes, path: Path, name: str) -> NDArray[np.uint8]:
    """(H, W, 3) RGB of a picture in a file or in memory.

    path: the mesh, for errors
    name: the picture's, for errors

    Raises InputError for a picture that cannot be read, or is cut off.
    """
    try:
        data = source if isinstance(source, bytes) else source.read_bytes()
        with Image.open(io.BytesIO(_whole(data))) as image:
            if image.mode.startswith("I"):  # 16 bits a pixel, which Pillow would clip to 8
                values = np.asarray(image)
                codes = (values / 257 + 0.5 if values.max(initial=0) > 255 else values).clip(0, 255).astype(np.uint8)
                return np.repeat(codes[..., None], 3, 2)
            if image.mode == "F":
                raise InputError(f"mesh {path}: its texture {name} has floating-point values: save it as PNG")
            return np.asarray(image.convert("RGB"))
    except InputError:
        raise
    except Exception as error:  # Pillow's decoders raise whatever they meet
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"mesh {path}: its texture {name} cannot be read: {reason}; {REMEDY}") from error


def _whole(data: bytes) -> bytes:
    """The picture's bytes, such that Pillow's decoder stops with an error where pixels are missing.

    A file that is cut off may end in zeros, or in the mark of the end. Pillow does not compare a PNG's checksums while
    it decodes, and it paints what a JPEG lacks in grey.

    Raises ValueError or Pillow's errors for a picture that is cut off.
    """
    if data.startswith(b"\x89PNG"):
        with Image.open(io.BytesIO(data)) as image:
            image.verify()
    scan, end = data.rfind(b"\xff\xda"), data.rfind(b"\xff\xd9")
    if data.startswith(b"\xff\xd8") and end < scan:
        raise ValueError("is cut off: the mark of its end is missing")
    baseline = b"\xff\xc0" in data[:scan] and b"\xff\xc2" not in data[:scan]
    # Without the mark of the end, the decoder asks for more. The zeros are what it reads ahead: 64 bits.
    return data[:end] + bytes(8) if data.startswith(b"\xff\xd8") and baseline and end > scan else data


def wrapped(
    picture: NDArray[np.uint8], uv: FloatArray, modes: tuple[str, str], path: Path
) -> tuple[NDArray[np.uint8], FloatArray]:
    """The picture, extended as far as the coordinates reach where it does not repeat, and the coordinates on that.

    uv: (N, 2), v upwards
    modes: for u and v: `repeat`, `clamp` (the edge goes on), `mirror` (every other copy is turned over)

    Raises InputError for coordinates that reach too far.
    """
    uv = uv.copy()
    for axis, mode in enumerate(modes):
        low, high = float(uv[:, axis].min(initial=0)), float(uv[:, axis].max(initial=1))
        if mode == "repeat" or (low > -ROUNDING and high < 1 + ROUNDING):
            continue
        if picture.size * (high - low) > LARGEST:
            raise InputError(
                f"mesh {path}: its texture coordinates reach from {low:g} to {high:g} on a picture that does not "
                "repeat: let it repeat (the sampler's wrap mode), or move them onto the picture"
            )
        size = picture.shape[1 - axis]
        before, after = int(np.ceil(-low * size)), int(np.ceil((high - 1) * size))
        margins = [(0, 0)] * 3
        margins[1 - axis] = (after, before) if axis else (before, after)
        picture = np.pad(picture, margins, "edge" if mode == "clamp" else "symmetric")
        uv[:, axis] = (uv[:, axis] * size + before) / (before + size + after)
    return picture, uv
