"""A part of a mesh file: triangles with one kind of colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pose_regressor.types import InputError

#: Colour of a mesh without colours, sRGB.
GREY = 160
#: Pictures and colours that are named one by one.
MOST_NAMED = 6


@dataclass(frozen=True, eq=False)
class Part:
    """A part of a mesh, with a texture or with vertex colours. Colours are uint8 sRGB.

    vertices: (V, 3) in the file's unit
    faces: (F, 3)
    texture: (H, W, 3)
    uv: (V, 2) vertices on the texture, v upwards
    colors: (V, 3), instead of a texture
    material: its name; empty if it has none
    picture: name of the texture's file; empty if there is none
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int64]
    texture: NDArray[np.uint8] | None
    uv: NDArray[np.float64] | None
    colors: NDArray[np.uint8] | None
    material: str = ""
    picture: str = ""


def checked(part: Part, path: Path) -> Part:
    """The part. Raises InputError if its arrays do not fit together."""
    vertices, faces = part.vertices, part.faces
    if vertices.shape[1:] != (3,) or faces.shape[1:] != (3,):
        raise InputError(f"mesh {path}: expected vertices of three coordinates and triangles")
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise InputError(f"mesh {path}: a face names vertex {faces.max()} of {len(vertices)}")
    if not np.isfinite(vertices[faces.ravel()]).all():
        raise InputError(f"mesh {path}: expected finite vertices, found NaN or infinity")
    if part.uv is not None and (part.uv.shape != (len(vertices), 2) or not np.isfinite(part.uv).all()):
        raise InputError(f"mesh {path}: expected finite texture coordinates, one a vertex")
    return part


def shares(values: NDArray, path: Path) -> NDArray[np.float64]:
    """Colours of any type in [0, 1]. Whole and real numbers may also be given as 0 to 255."""
    values = np.asarray(values)
    largest = float(np.max(values, initial=0))
    if not np.isfinite(largest) or not np.isfinite(values).all():
        raise InputError(f"mesh {path}: expected finite colours, found NaN or infinity")
    if values.dtype.kind in "ui":
        whole = 255 if largest <= 255 else np.iinfo(values.dtype).max
    elif largest > 255.5:
        raise InputError(f"mesh {path}: expected colours of 0 to 1 or of 0 to 255, got {largest:g}")
    else:
        whole = 255 if largest > 1.001 else 1
    return np.asarray(np.clip(values / whole, 0, 1))


def color_codes(values: NDArray, path: Path) -> NDArray[np.uint8]:
    """sRGB codes of sRGB colours of any type."""
    return (255 * shares(values, path) + 0.5).astype(np.uint8)


def taken_in_words(parts: Sequence[Part], area: NDArray[np.float64], color: str | None = None) -> str:
    """Which picture or plain colour is on which share of the surface.

    area: of all triangles, in the order of the parts
    color: that was given instead of the file's colours
    """
    whole = float(area.sum())
    if color is not None:
        return f"{_counted(len(parts), 'part')}, all {color.lower()} as given"
    ends = np.cumsum([len(part.faces) for part in parts])
    kinds: dict[str, float] = {}
    for part, own in zip(parts, np.split(area, ends[:-1]), strict=True):
        kind = _kind(part)
        kinds[kind] = kinds.get(kind, 0.0) + float(own.sum())
    order = sorted(kinds, key=lambda kind: -kinds[kind])
    named = [f"{kind} on {_percent(kinds[kind] / whole)} of the surface" for kind in order[:MOST_NAMED]]
    if more := order[MOST_NAMED:]:
        rest = sum(kinds[kind] for kind in more) / whole
        named.append(f"{len(more)} other colours on {_percent(rest)}")
    return f"{_counted(len(parts), 'part')}: {', '.join(named)}"


def _kind(part: Part) -> str:
    """What colours a part, such as: picture tex.png (material 'skin')."""
    material = f" (material {part.material!r})" if part.material else ""
    if part.texture is not None:
        height, width = part.texture.shape[:2]
        return f"picture {part.picture or 'without a name'}, {width}x{height}{material}"
    assert part.colors is not None
    used = part.colors[part.faces.ravel()]
    if (used != used[0]).any():
        return f"vertex colours{material}"
    return f"plain colour #{bytes(used[0]).hex()}{material}"


def _counted(count: int, word: str) -> str:
    return f"{count} {word}" + "s" * (count != 1)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else "less than 1 %"
