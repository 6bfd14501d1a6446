"""Options that several commands share, described once, and how they are read."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pose_regressor_training.randomize.shipped import CONFIGS, PRESETS, shipped

if TYPE_CHECKING:
    from pose_regressor_training.meshes.mesh import Mesh

_MESH = "Mesh of an object: OBJ, PLY, GLB, glTF, STL, OFF or COLLADA (.dae)."
_GUESSED = "Default: guessed from each mesh's size, with a warning."
_PLACE = "obj_000010.ply is object 10, others are numbered in order"
_RANDOMIZED = f"What is randomized: a YAML file, or the name of a shipped one ({', '.join(shipped(CONFIGS))})."

# Meshes and what is said of them.
MeshOption = Annotated[Path, typer.Option("--mesh", metavar="FILE", help=_MESH)]
MeshesOption = Annotated[
    list[Path], typer.Option("--mesh", metavar="FILE", help=f"{_MESH} Repeat it for more objects.")
]
NumberedMeshesOption = Annotated[
    list[Path],
    typer.Option("--mesh", metavar="FILE", help=f"{_MESH} Repeat it for more objects: {_PLACE}."),
]
BundleMeshesOption = Annotated[
    list[Path],
    typer.Option("--mesh", metavar="FILE", help=f"{_MESH} Repeat it for more objects, in the bundle's order."),
]
MissingMeshesOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--mesh",
        metavar="FILE",
        help=f"{_MESH} For objects that have none in the dataset. Repeat it for more: {_PLACE}. Default: none.",
    ),
]
UnitOption = Annotated[str | None, typer.Option("--unit", help=f"Unit of the meshes: m or mm. {_GUESSED}")]
UnitsOption = Annotated[
    list[str] | None,
    typer.Option("--unit", help=f"Unit of the meshes, m or mm: one for all, or one for each. {_GUESSED}"),
]
ColorOption = Annotated[
    list[str] | None,
    typer.Option(
        "--color",
        metavar="#RRGGBB",
        help="Colour of meshes without a texture: one for all, or one for each. Default: the files' own colours.",
    ),
]
NameOption = Annotated[
    list[str] | None,
    typer.Option("--name", metavar="NAME", help="Name of an object, one for each mesh. Default: the files' names."),
]
ObjIdOption = Annotated[
    list[int] | None,
    typer.Option(
        "--obj-id",
        metavar="ID",
        help="BOP id of an object, one for each mesh. Default: 10 for obj_000010.ply; others are numbered in order.",
    ),
]
ModelsInfoOption = Annotated[
    Path | None,
    typer.Option(
        "--models-info",
        metavar="FILE",
        help="BOP models_info.json with the symmetries of its objects. Default: found from the meshes.",
    ),
]
BesideOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--beside",
        metavar="FILE",
        help="Mesh of another thing that stands near the objects in training and must not be found. Repeat it for "
        "more. Default: none.",
    ),
]
BesideUnitOption = Annotated[
    list[str] | None,
    typer.Option("--beside-unit", help=f"Unit of the meshes beside, m or mm: one for all, or one for each. {_GUESSED}"),
]

# What is drawn, and where it is computed.
ConfigOption = Annotated[str, typer.Option("--config", metavar="NAME|FILE", help=_RANDOMIZED)]
PresetConfigOption = Annotated[
    str | None, typer.Option("--config", metavar="NAME|FILE", help=f"{_RANDOMIZED} Default: the preset's.")
]
PresetOption = Annotated[
    str | None,
    typer.Option(
        "--preset",
        metavar="NAME|FILE",
        help=f"How to train: a YAML file, or the name of a shipped one ({', '.join(shipped(PRESETS))}). "
        "Default: gpu on CUDA, else cpu.",
    ),
]
DeviceOption = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="DEVICE",
        help="Where to compute: auto (CUDA if there is one), cpu, cuda or cuda:N.",
    ),
]


def read_meshes(paths: Sequence[Path], unit: str | None, colors: Sequence[str] | None) -> list[Mesh]:
    """The meshes. Their warnings go to stderr, one line each."""
    from pose_regressor_training.meshes.mesh import load_mesh
    from pose_regressor_training.train.objects import one_for_each

    each_color = one_for_each(paths, "color", colors or ())
    with warnings_on_stderr():
        return [load_mesh(path, unit, color) for path, color in zip(paths, each_color, strict=True)]


@contextmanager
def warnings_on_stderr() -> Iterator[None]:
    """Print the block's warnings to stderr, one line each."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield
    for warning in caught:
        print(f"warning: {warning.message}", file=sys.stderr)
