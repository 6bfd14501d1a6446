"""Reads OBJ's material files (MTL)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pose_regressor.types import InputError
from pose_regressor_training.meshes.pictures import REMEDY, find_file, open_picture, text

#: Options of a texture that come before its name, with the most numbers or words that follow each.
OPTIONS = {
    **dict.fromkeys((b"-blendu", b"-blendv", b"-cc", b"-clamp", b"-imfchan", b"-type"), 1),
    **dict.fromkeys((b"-boost", b"-texres", b"-bm"), 1),
    b"-mm": 2,
    **dict.fromkeys((b"-o", b"-s", b"-t"), 3),
}


@dataclass
class Material:
    """A material of an MTL file.

    name: as people read it
    diffuse: (3,) sRGB in [0, 1]; None if the file states none
    picture: name of the texture's file; None if there is no texture
    folder: where that name is looked for
    scale, offset: (2,) of the texture coordinates: u' = scale u + offset
    clamped: whether the picture's edge goes on beyond it; else it repeats
    """

    name: str
    folder: Path
    diffuse: tuple[float, ...] | None = None
    picture: bytes | None = None
    scale: tuple[float, ...] = (1.0, 1.0)
    offset: tuple[float, ...] = (0.0, 0.0)
    clamped: bool = False

    def color(self, default: int) -> NDArray[np.uint8]:
        """(3,) sRGB of the plain material. Without one of its own, it is grey of the code `default`."""
        if self.diffuse is None:
            return np.full(3, default, np.uint8)
        return (255 * np.clip(self.diffuse, 0, 1) + 0.5).astype(np.uint8)

    def texture(self, mesh: Path) -> NDArray[np.uint8] | None:
        """(H, W, 3) RGB. Raises InputError if the picture is missing or broken."""
        if self.picture is None:
            return None
        file = find_file(self.folder, self.picture) or find_file(mesh.parent, self.picture)
        if file is None:
            raise InputError(
                f"mesh {mesh}: its texture {self.folder / self.picture_name} is not there (material {self.name!r}); "
                f"{REMEDY}"
            )
        return open_picture(file, mesh, str(file))

    @property
    def picture_name(self) -> str:
        return text(self.picture or b"").replace("\\", "/")


def read_materials(path: Path) -> dict[bytes, Material]:
    """The materials of an MTL file, by the bytes of their names."""
    found: dict[bytes, Material] = {}
    current = None
    for line in path.read_bytes().removeprefix(b"\xef\xbb\xbf").splitlines():
        key, _, rest = line.strip().replace(b"\t", b" ").partition(b" ")
        key, rest = key.lower(), rest.strip()
        if key == b"newmtl":
            current = found.setdefault(rest, Material(text(rest), path.parent))
        elif current is None:
            continue
        elif key == b"kd":
            current.diffuse = _color(rest)
        elif rest and (key == b"map_kd" or (key == b"map_ka" and current.picture is None)):
            current.picture, current.scale, current.offset, current.clamped = _texture(rest)
    return found


def _color(rest: bytes) -> tuple[float, ...] | None:
    """Red, green and blue of `Kd r g b` or `Kd r`, also if they are given as 0 to 255; None for rubbish."""
    values = _numbers(rest.split(b"#")[0].split()[:3])
    if len(values) not in (1, 3) or not np.isfinite(values).all():
        return None
    largest = 255 if max(values) > 1 else 1
    return tuple(value / largest for value in (values if len(values) == 3 else 3 * values))


def _texture(rest: bytes) -> tuple[bytes, tuple[float, ...], tuple[float, ...], bool]:
    """Name, scale, offset and whether it is clamped, from what follows `map_Kd`.

    Names may hold spaces, and options come before them.
    """
    scale, offset, clamped = [1.0, 1.0], [0.0, 0.0], False
    while rest.startswith(b"-"):
        word, _, after = rest.partition(b" ")
        most = OPTIONS.get(word.lower())
        if most is None:
            break  # a name that begins with a dash
        after = after.strip()
        if word.lower() in (b"-o", b"-s", b"-t", b"-mm"):
            values, after = _leading_numbers(after, most)
            if word.lower() in (b"-o", b"-s"):
                target = scale if word.lower() == b"-s" else offset
                target[: len(values[:2])] = values[:2]
        else:
            value, _, after = after.partition(b" ")
            clamped |= word.lower() == b"-clamp" and value.lower() == b"on"
            after = after.strip()
        rest = after
    return rest, tuple(scale), tuple(offset), clamped


def _leading_numbers(rest: bytes, most: int) -> tuple[list[float], bytes]:
    """Up to `most` numbers at the start, and what follows them. The last word is always left: it is the name."""
    values: list[float] = []
    while len(values) < most and b" " in rest:
        word, _, after = rest.partition(b" ")
        number = _numbers([word])
        if not number:
            break
        values += number
        rest = after.strip()
    return values, rest


def _numbers(words: list[bytes]) -> list[float]:
    try:
        return [float(word) for word in words]
    except ValueError:
        return []
