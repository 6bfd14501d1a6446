"""Options that several commands share, described once, and how they are read."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pose_regressor_training.randomize.shipped import CONFIGS, PRESETS, shipped

if TYPE_CHECKING:
    from pose_regressor_training.meshes.mesh import Mesh

_MESH = "Mesh of an object: OBJ, PLY, GLB, glTF, STL, OFF or DAE."
_UNITS = "m, mm, cm or in"
_GUESSED = "Default: what GLB and DAE state, else guessed from each mesh's size, with a warning."
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
UnitOption = Annotated[
    str | None, typer.Option("--unit", metavar="m|mm|cm|in", help=f"Unit of the meshes: {_UNITS}. {_GUESSED}")
]
UnitsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--unit",
        metavar="m|mm|cm|in",
        help=f"Unit of the meshes, {_UNITS}: one for all, or one for each. {_GUESSED}",
    ),
]
ColorOption = Annotated[
    list[str] | None,
    typer.Option(
        "--color",
        metavar="#RRGGBB",
        help="Colour in place of those in the files: one for all meshes, or one for each. Default: the files' own.",
    ),
]
NameOption = Annotated[
    list[str] | None,
    typer.Option("--name", metavar="NAME", help="Name of an object, one for each mesh. Default: the files' names."),
]
BundleNameOption = Annotated[
    list[str] | None,
    typer.Option(
        "--name",
        metavar="NAME",
        help="The bundle's object that a mesh shows, one for each mesh. Default: the bundle's order.",
    ),
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
BundleModelsInfoOption = Annotated[
    Path | None,
    typer.Option(
        "--models-info",
        metavar="FILE",
        help="BOP models_info.json with the symmetries of its objects, which the bundle takes. Default: the bundle's.",
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
    typer.Option(
        "--beside-unit",
        metavar="m|mm|cm|in",
        help=f"Unit of the meshes beside, {_UNITS}: one for all, or one for each. {_GUESSED}",
    ),
]

# What is drawn, and where it is computed.
ConfigOption = Annotated[str, typer.Option("--config", metavar="NAME|FILE", help=_RANDOMIZED)]
PresetConfigOption = Annotated[
    str | None, typer.Option("--config", metavar="NAME|FILE", help=f"{_RANDOMIZED} Default: the preset's.")
]
PhotosOption = Annotated[
    Path | None,
    typer.Option(
        "--photos",
        metavar="FOLDER",
        help="Photographs (JPEG, PNG) for half of the backgrounds, such as pictures of the place where the camera will "
        "be. Default: the configuration's, which has none.",
    ),
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
SeedOption = Annotated[
    int | None, typer.Option(metavar="N", help="Seed of all random numbers, 0 or more. Default: the preset's.")
]
WorkersOption = Annotated[
    int | None, typer.Option(metavar="N", help="Processes that make images, 0 or more. Default: the preset's.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Override a value of the preset, as in batch_size=64 or losses.rotation=0. Repeat it for more. "
        "docs/training.md lists all keys.",
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


def read_meshes(paths: Sequence[Path], units: Sequence[str] | None, colors: Sequence[str] | None) -> list[Mesh]:
    """The meshes, with a line printed for each of what was taken. Their warnings go to stderr, one line each.

    units, colors: one for all, one for each, or none
    """
    from pose_regressor_training.meshes.mesh import load_mesh
    from pose_regressor_training.meshes.objects import one_for_each

    each = zip(paths, one_for_each(paths, "unit", units or ()), one_for_each(paths, "color", colors or ()), strict=True)
    with warnings_on_stderr():
        meshes = [load_mesh(path, unit, color) for path, unit, color in each]
    for path, mesh in zip(paths, meshes, strict=True):
        print(f"{path}: {mesh.in_words()}")
    return meshes


def read_names(paths: Sequence[Path], names: Sequence[str] | None) -> list[str]:
    """A valid name for each mesh. Names that had to be changed are said on stderr."""
    from pose_regressor_training.meshes.objects import object_names

    with warnings_on_stderr():
        return object_names(paths, names or ())


@contextmanager
def warnings_on_stderr() -> Iterator[None]:
    """Print the block's warnings to stderr, one line each."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield
    for warning in caught:
        print(f"warning: {warning.message}", file=sys.stderr)


def preset_changes(assignments: list[str], **options: Any) -> dict[str, Any]:
    """What overrides the preset, as a mapping.

    assignments: texts KEY=VALUE, with dots between the keys of nested mappings
    options: values by key; None is not given
    """
    import yaml

    from pose_regressor.types import InputError

    merged: dict[str, Any] = {key: value for key, value in options.items() if value is not None}
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        keys = path.split(".")
        if not equals or not all(keys):
            raise InputError(f"--set {assignment}: expected KEY=VALUE, such as losses.rotation=0")
        inner = merged
        for key in keys[:-1]:
            below = inner.setdefault(key, {})
            if not isinstance(below, dict):
                raise InputError(f"--set {assignment}: {key} is already given as a whole")
            inner = below
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            raise InputError(f"--set {assignment}: expected a value in YAML, got {text!r}") from None
        if isinstance(value, str):
            with suppress(ValueError):
                value = float(value)  # YAML 1.1 reads 2e-3 as a word
        inner[keys[-1]] = value
    return merged
