"""Reads OBJ's material files (MTL)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pose_regressor.types import InputError
from pose_regressor_training.meshes.pictures import REMEDY, decoded, find_file, open_picture, text

#: Options of a texture that come before its name, with the most numbers or words that follow each.
OPTIONS = {
    **dict.fromkeys((b"-blendu", b"-blendv", b"-cc", b"-clamp", b"-imfchan", b"-type"), 1),
    **dict.fromkeys((b"-boost", b"-texres", b"-bm"), 1),
    b"-mm": 2,
    **dict.fromkeys((b"-o", b"-s", b"-t"), 3),
}


@dataclass(frozen=True)
class Texture:
    """A picture as a line of an MTL file names it.

    name: of the file
    scale, offset: (2,) of the texture coordinates: u' = scale u + offset
    clamped: whether the picture's edge is seen beyond the picture, in place of the picture again
    """

    name: bytes
    scale: tuple[float, ...] = (1.0, 1.0)
    offset: tuple[float, ...] = (0.0, 0.0)
    clamped: bool = False


@dataclass
class Material:
    """A material of an MTL file.

    name: as people read it
    folder: where its pictures are looked for
    diffuse, glow: (3,) sRGB in [0, 1] of what it reflects and of what it sends out; None if the file states none
    picture, glow_picture: the same as textures
    opacity: 1 is opaque
    """

    name: str
    folder: Path
    diffuse: tuple[float, ...] | None = None
    glow: tuple[float, ...] | None = None
    picture: Texture | None = None
    glow_picture: Texture | None = None
    opacity: float = 1.0

    def color(self, default: int) -> NDArray[np.uint8]:
        """(3,) sRGB of the plain material. Without one of its own, it is grey of the code `default`."""
        if self.diffuse is None:
            return np.full(3, default, np.uint8)
        return (255 * np.clip(self.diffuse, 0, 1) + 0.5).astype(np.uint8)

    def pixels(self, mesh: Path) -> NDArray[np.uint8] | None:
        """(H, W, 3) RGB of its picture. Raises InputError if the picture is missing or broken."""
        if self.picture is None:
            return None
        for name in (self.picture.name, self.picture.name.split(b" #")[0]):  # a comment may follow
            if file := find_file(self.folder, name) or find_file(mesh.parent, name):
                return open_picture(file, mesh, str(file))
        raise InputError(
            f"mesh {mesh}: its texture {self.folder / self.picture_name} is not there (material {self.name!r}); "
            f"{REMEDY}"
        )

    @property
    def picture_name(self) -> str:
        return "" if self.picture is None else text(self.picture.name).replace("\\", "/")


def read_materials(path: Path) -> dict[bytes, Material]:
    """The materials of an MTL file, by the bytes of their names. What only shines counts as its colour."""
    found: dict[bytes, Material] = {}
    current = None
    for line in decoded(path.read_bytes()).splitlines():
        key, _, rest = line.strip().replace(b"\t", b" ").partition(b" ")
        key, rest = key.lower(), rest.strip()
        if key == b"newmtl":
            current = found.setdefault(rest, Material(text(rest), path.parent))
        elif current is not None and rest:
            _fill(current, key, rest, path)
    for material in found.values():
        if material.diffuse is not None and not any(material.diffuse) and material.picture is None:
            material.picture = material.glow_picture
            material.diffuse = material.glow if material.glow is not None and any(material.glow) else material.diffuse
    return found


def _fill(material: Material, key: bytes, rest: bytes, path: Path) -> None:
    """Take one line of the file into the material."""
    if key in (b"kd", b"ke"):
        color = _color(rest)
        if color is None:
            warnings.warn(
                f"{path}: the colour '{text(key).capitalize()} {text(rest)[:40]}' of material {material.name!r} is "
                "left out, expected red, green and blue",
                stacklevel=6,
            )
        elif key == b"kd":
            material.diffuse = color
        else:
            material.glow = color
    elif key == b"map_kd" or (key == b"map_ka" and material.picture is None):
        material.picture = _texture(rest)
    elif key == b"map_ke":
        material.glow_picture = _texture(rest)
    elif key == b"d" and (values := _numbers(rest.split()[-1:])):
        material.opacity = values[0]


def _color(rest: bytes) -> tuple[float, ...] | None:
    """Red, green and blue of `Kd r g b` or `Kd r`, also if they are given as 0 to 255; None for rubbish."""
    values = _numbers(rest.split(b"#")[0].split()[:3])
    if len(values) not in (1, 3) or not np.isfinite(values).all():
        return None
    largest = 255 if max(values) > 1 else 1
    return tuple(value / largest for value in (values if len(values) == 3 else 3 * values))


def _texture(rest: bytes) -> Texture:
    """What follows `map_Kd`. Names may hold spaces, and options come before them."""
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
            clamped = value == b"on" if word.lower() == b"-clamp" else clamped
        rest = after.strip()
    return Texture(rest, tuple(scale), tuple(offset), clamped)


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
