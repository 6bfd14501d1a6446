"""What a training is about: meshes with names, ids, units and symmetries."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pose_regressor.types import InputError, ObjectModel
from pose_regressor_training.bop.models_info import object_id, symmetries_of
from pose_regressor_training.meshes.mesh import Mesh, load_mesh, object_model
from pose_regressor_training.meshes.objects import for_each, object_names, one_for_each
from pose_regressor_training.meshes.surface_colors import with_colors
from pose_regressor_training.meshes.symmetry import Symmetries


@dataclass(frozen=True, eq=False)
class KnownObject:
    """An object as the training knows it.

    mesh: what is rendered
    model: what the runtime will know of it
    symmetries: discrete and continuous ones
    file: the mesh file's name, for people to read
    """

    mesh: Mesh
    model: ObjectModel
    symmetries: Symmetries
    file: str

    def identity(self) -> list[Any]:
        """Plain values that differ if its name, id, mesh, colours or symmetries differ."""
        symmetries = hashlib.sha256((self.model.symmetries.round(6) + 0.0).tobytes()).hexdigest()[:16]
        return [self.model.name, self.model.obj_id, f"mesh {self.mesh.digest()}", f"symmetries {symmetries}"]

    def in_words(self) -> str:
        size = " x ".join(f"{1000 * edge:.0f}" for edge in self.model.size)
        return (
            f"{self.model.name}, id {self.model.obj_id}: {size} mm, diameter {1000 * self.model.diameter:.0f} mm, "
            f"{len(self.mesh.faces)} triangles, {self.symmetries.in_words()}"
        )


def read_objects(
    paths: Sequence[Path],
    units: Sequence[str] = (),
    names: Sequence[str] = (),
    obj_ids: Sequence[int] = (),
    models_info: Path | None = None,
    colors: Sequence[str] = (),
) -> list[KnownObject]:
    """The objects of mesh files.

    paths: mesh files
    units: m, mm, cm or in, one for all files or one for each; by default guessed from each mesh's size
    names: one for each file; by default the file names without their endings, made valid
    obj_ids: one for each file; by default 10 for obj_000010.ply, else the place in the list, from 1
    models_info: BOP's models_info.json, whose symmetries are taken; those of other objects are found from their meshes
    colors: #RRGGBB, one for all files or one for each; by default the files' own colours

    Raises InputError, before any mesh is read, if two objects have the same name or id.
    """
    if not paths:
        raise InputError("training: expected at least one mesh, got none")
    each_unit, each_color = one_for_each(paths, "unit", units), one_for_each(paths, "color", colors)
    each_name = object_names(paths, names)
    each_id = for_each(paths, "obj-id", obj_ids) or [object_id(path, i) for i, path in enumerate(paths, start=1)]
    _distinct("name", each_name, paths, "--name, once for each --mesh,")
    _distinct("id", each_id, paths, "--obj-id, once for each --mesh,")
    objects = []
    for path, unit, color, name, obj_id in zip(paths, each_unit, each_color, each_name, each_id, strict=True):
        mesh = load_mesh(path, unit, color)
        symmetries = symmetries_of(mesh, obj_id, models_info)
        model = with_colors(object_model(mesh, name, obj_id, symmetries.discretised()), mesh)
        objects.append(KnownObject(mesh, model, symmetries, path.name))
    return objects


def read_beside(paths: Sequence[Path], units: Sequence[str] = ()) -> list[KnownObject]:
    """Meshes of things that only stand beside the objects. units: one for all, one for each, or none."""
    things = []
    for number, (path, unit) in enumerate(zip(paths, one_for_each(paths, "beside-unit", units), strict=True), start=1):
        mesh = load_mesh(path, unit)
        model = object_model(mesh, f"thing_{number}", number)
        things.append(KnownObject(mesh, model, Symmetries(np.zeros((0, 4, 4))), path.name))
    return things


def _distinct(what: str, values: Sequence[object], paths: Sequence[Path], remedy: str) -> None:
    for place, value in enumerate(values):
        if value in values[:place]:
            first = paths[values.index(value)]
            raise InputError(
                f"meshes {first} and {paths[place]}: expected objects of different {what}s, both have {value!r}; "
                f"{remedy} tells them apart"
            )
