"""Options that several commands share, described once, and how they are read."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pose_regressor_training.meshes.mesh import Mesh

MeshOption = Annotated[
    Path, typer.Option(help="Mesh with texture, vertex colours or neither (OBJ, PLY, GLB, STL).", metavar="FILE")
]
UnitOption = Annotated[
    str | None,
    typer.Option(help="Unit of the mesh: m or mm. Not given: guessed from its size, with a warning."),
]
ColorOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="#RRGGBB",
        help="Colour of plain meshes, in place of the files' own; one for all or one for each mesh.",
    ),
]
ModelsInfoOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="BOP models_info.json whose symmetries are taken; those of other objects are found from their meshes.",
    ),
]
ConfigOption = Annotated[
    str,
    typer.Option(
        metavar="NAME|FILE",
        help="What is randomized: a YAML file or a shipped one (complete, fixed_light, real_background, fixed_object, "
        "without_randomization, plain, upright, table, photoreal).",
    ),
]


def read_meshes(paths: Sequence[Path], unit: str | None, colors: Sequence[str] | None) -> list[Mesh]:
    """The meshes; what their reader warns of goes to stderr, a line each."""
    from pose_regressor_training.meshes.mesh import load_mesh
    from pose_regressor_training.train.objects import one_for_each

    each_color = one_for_each(paths, "color", colors or ())
    with warnings_on_stderr():
        return [load_mesh(path, unit, color) for path, color in zip(paths, each_color, strict=True)]


@contextmanager
def warnings_on_stderr() -> Iterator[None]:
    """What the block warns of goes to stderr, a line each."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield
    for warning in caught:
        print(f"warning: {warning.message}", file=sys.stderr)
