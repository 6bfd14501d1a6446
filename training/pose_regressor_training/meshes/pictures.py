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

from pose_regressor.types import InputError

#: Texts in mesh files are in one of these: UTF-8, or the code page of a Chinese, Japanese or western machine.
ENCODINGS = ("utf-8", "gb18030", "shift_jis", "cp1252")
#: What helps if a picture cannot be used.
REMEDY = "put the picture beside the mesh, or give --color for a part in one colour"
#: What people have in place of the file that they mean, by how it begins.
STAND_INS = {
    b"version https://git-lfs": "is a pointer of Git LFS, not the file itself: run `git lfs pull`",
    b"<!doctype html": "is a web page: download the file itself",
    b"<html": "is a web page: download the file itself",
}
#: Values of a picture whose edge is stretched, at most.
MOST_VALUES = 25_000_000
#: Coordinates may lie this far outside a picture, in texels.
NEAR = 0.5


def texts(raw: bytes) -> Iterator[str]:
    """What the bytes may say, the likeliest first."""
    for encoding in ENCODINGS:
        with suppress(UnicodeDecodeError):
            yield raw.decode(encoding)
    yield os.fsdecode(raw)


def text(raw: bytes) -> str:
    """What the bytes most likely say."""
    return next(texts(raw))


def decoded(data: bytes) -> bytes:
    """A text in an encoding that keeps ASCII, without a byte order mark."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        data = data.decode("utf-16", errors="replace").encode()
    return data.removeprefix(b"\xef\xbb\xbf")


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
        if reason := stand_in(data):
            raise InputError(f"mesh {path}: its texture {name} {reason}")
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
        remedy = "export the mesh again" if isinstance(source, bytes) else REMEDY
        raise InputError(f"mesh {path}: its texture {name} cannot be read: {reason}; {remedy}") from error


def _whole(data: bytes) -> bytes:
    """The picture's bytes, such that Pillow's decoder stops with an error where pixels are missing.

    A file that is cut off may end in zeros, or in the mark of the end. Pillow does not compare a PNG's checksums while
    it decodes, and it paints what a JPEG lacks in grey.

    Raises OSError or Pillow's errors for a picture that is cut off.
    """
    if data.startswith(b"\x89PNG"):
        with Image.open(io.BytesIO(data)) as image:
            image.verify()
    if not data.startswith(b"\xff\xd8"):
        return data
    scan, end = data.rfind(b"\xff\xda"), data.rfind(b"\xff\xd9")
    if end < scan:
        raise OSError("image file is truncated: its JPEG data has no end")
    if b"\xff\xc2" in data[:scan] or b"\xff\xc0" not in data[:scan]:  # progressive: its pixels come at the end only
        return data
    # Without the mark of the end, the decoder asks for more. The zeros are what it reads ahead: 64 bits.
    return data[:end] + bytes(8)


def stand_in(data: bytes) -> str:
    """What a file is that stands in place of another one, with what helps; empty if it is none."""
    start = data[:64].lstrip().lower()
    return next((what for begin, what in STAND_INS.items() if start.startswith(begin)), "")


def repeating(
    picture: NDArray[np.uint8], uv: NDArray[np.float64], modes: tuple[str, str], path: Path
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """A picture and coordinates that show the same when the picture is repeated beyond its edges.

    picture: (H, W, 3)
    uv: (..., 2), v upwards
    modes: along u and v, what is seen beyond the edges: the picture again (`repeat`), mirrored in turn (`mirror`), or
        its edge (`clamp`)

    Raises InputError if a stretched edge would take too much memory.
    """
    uv = uv.copy()
    for axis, mode in enumerate(modes):
        along, own = 1 - axis, uv[..., axis]  # the picture's rows come first
        size = picture.shape[along]
        # Texels that are seen on either side.
        before, after = (
            float(np.ceil(max(0.0, far * size - NEAR))) for far in (-own.min(initial=0), own.max(initial=1) - 1)
        )
        if mode == "repeat" or before + after == 0:
            continue
        if mode == "mirror" and before + after > size:
            both = [picture, np.flip(picture, along)]
            picture, own[...] = np.concatenate(both if along else both[::-1], along), own / 2
            continue
        span = (size + before + after) / size
        if picture.size * span > max(MOST_VALUES, 2 * picture.size):
            raise InputError(
                f"mesh {path}: its coordinates span {span:,.0f} times its texture, whose edge is stretched (clamp): "
                "bake the texture"
            )
        margins = (int(before), int(after)) if along else (int(after), int(before))
        padding = [margins if i == along else (0, 0) for i in range(3)]
        picture = np.pad(picture, padding, "symmetric" if mode == "mirror" else "edge")
        own[...] = (own * size + before) / (size + before + after)
    return picture, uv
