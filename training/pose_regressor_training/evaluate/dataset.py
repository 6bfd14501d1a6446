"""What is to be found: the targets of a BOP dataset with their true poses, and the objects' meshes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from pose_regressor.files.bop import refuse_packed, scene_cameras
from pose_regressor.files.cameras import load_camera
from pose_regressor.types import FloatArray, InputError, ObjectModel
from pose_regressor_training.bop.models_info import ModelInfo, object_id, read_models_info
from pose_regressor_training.bop.reader import SCENE_GT, open_split, scene_folders
from pose_regressor_training.evaluate.errors import hull_of
from pose_regressor_training.evaluate.targets import Target, find_targets
from pose_regressor_training.meshes.mesh import Mesh, load_mesh, object_model
from pose_regressor_training.meshes.objects import valid_name
from pose_regressor_training.meshes.symmetry import find_symmetries

#: Folders of meshes: the first is meant for errors; T-LESS has two others of its own.
MODELS = ("models_eval", "models", "models_cad", "models_reconst")
#: A mesh with fewer vertices has them far from each other, at its corners. BOP remeshes its models for this reason.
COARSE = 1000
#: Points of the surface instead: so dense that the nearest one is less than a hundredth of the diameter away.
SAMPLES = 10_000


@dataclass(frozen=True, eq=False)
class EvaluatedObject:
    """An object and what its errors are measured on.

    model: its name, id and size, with BOP's diameter if the dataset states one
    mesh: on which errors are measured
    symmetries: (S, 4, 4), the identity first
    """

    mesh: Mesh
    model: ObjectModel
    symmetries: FloatArray

    @property
    def obj_id(self) -> int:
        return self.model.obj_id

    @property
    def diameter(self) -> float:
        return self.model.diameter

    @property
    def symmetric(self) -> bool:
        """Whether ADD(-S) means ADD-S."""
        return len(self.symmetries) > 1

    @cached_property
    def vertices(self) -> FloatArray:
        """(V, 3) points of MSSD and MSPD."""
        return self.mesh.vertices.astype(np.float64)

    @property
    def points(self) -> FloatArray:
        """(P, 3) points of ADD and ADD-S: the vertices, or points of the surface if the mesh is coarse."""
        return self.model.points if len(self.vertices) < COARSE else self.vertices

    @cached_property
    def hull(self) -> FloatArray:
        return hull_of(self.vertices)


@dataclass(frozen=True, eq=False)
class EvaluationSet:
    """A dataset to evaluate on.

    name: of the dataset and split
    targets: in order
    objects: by BOP id
    width: of the images, pixels
    has_depth: whether every image of the targets has a depth image
    targets_from: in words, where the targets come from
    """

    name: str
    targets: tuple[Target, ...]
    objects: dict[int, EvaluatedObject]
    width: int
    has_depth: bool
    targets_from: str = ""


def open_dataset(
    dataset: str | Path,
    split: str | None = None,
    meshes: Sequence[Path] = (),
    unit: str | None = None,
    obj_ids: Collection[int] | None = None,
    targets: str | None = None,
    camera: str | None = None,
) -> EvaluationSet:
    """Open the targets of DATASET/SPLIT.

    meshes: of objects for which the dataset brings none; named or numbered as for `pose-regressor generate`
    unit: of these meshes
    obj_ids: only these objects
    targets: as `name` of `find_targets`
    camera: as for `choose_camera`

    Raises InputError if something is missing.
    """
    dataset, scenes_at = _find_split(Path(dataset), split)
    scenes = {int(scene.folder.name): scene for scene in open_split(scenes_at, camera)}
    found, targets_from = find_targets(dataset, scenes_at.name, scenes, targets)
    wanted = [target for target in found if obj_ids is None or target.obj_id in obj_ids]
    if not wanted:
        raise InputError(f"{scenes_at}: expected objects to find, there are none" +
                         (f" with the ids {sorted(obj_ids)}" if obj_ids is not None else ""))  # fmt: skip
    known = {target.obj_id for target in wanted}
    given = {object_id(path, place): path for place, path in enumerate(meshes, start=1)}
    infos = _models_info(dataset)
    objects = {obj_id: _object(dataset, obj_id, given.get(obj_id), unit, infos.get(obj_id)) for obj_id in sorted(known)}
    has_depth = all(target.scene.has_depth(target.im_id) for target in wanted)
    cameras = {target.scene.camera for target in wanted} - {""}
    name = " ".join([dataset.resolve().name, scenes_at.name, *sorted(cameras)])
    return EvaluationSet(name, tuple(wanted), objects, _width(dataset, wanted[0]), has_depth, targets_from)


def _find_split(dataset: Path, split: str | None) -> tuple[Path, Path]:
    """The folders of the dataset and of the split's scenes."""
    if split is not None:
        _check_split(dataset / split)
        return dataset, dataset / split
    if scene_folders(dataset):
        return dataset.resolve().parent, dataset.resolve()
    splits = [path for path in sorted(dataset.glob("*/")) if scene_folders(path)]
    of_test = [path for path in splits if path.name.partition("_")[0] == "test"]
    chosen = [path for path in of_test if path.name == "test"] or of_test or splits
    if len(chosen) != 1:
        if not splits:
            for path in (dataset, *sorted(dataset.glob("*/"))):
                _check_split(path)
        found = ", ".join(path.name for path in splits) or "none"
        raise InputError(f"{dataset}: expected a folder of scenes, or the name of one with --split; found {found}")
    return dataset, chosen[0]


def _check_split(split: Path) -> None:
    """Raises InputError with the remedy for folders of images that cannot be evaluated as they are."""
    refuse_packed(split)
    if scene_folders(split):
        return
    without = [path for path in split.glob("*/") if path.name.isdecimal() and scene_cameras(path)]
    if without:
        raise InputError(
            f"{split}: its true poses are not public (no {SCENE_GT}); evaluate another split, such as val, or send the "
            "results of `pose-regressor predict` to bop.felk.cvut.cz"
        )


def _models_info(dataset: Path) -> dict[int, ModelInfo]:
    paths = [dataset / folder / "models_info.json" for folder in MODELS]
    return next((read_models_info(path) for path in paths if path.exists()), {})


def _object(
    dataset: Path, obj_id: int, given: Path | None, unit: str | None, info: ModelInfo | None
) -> EvaluatedObject:
    paths = [dataset / folder / f"obj_{obj_id:06d}.ply" for folder in MODELS]
    own = next((path for path in paths if path.exists()), None)
    path = own or given
    if path is None:
        expected = f"{MODELS[0]}/obj_{obj_id:06d}.ply"
        raise InputError(f"{dataset}: expected {expected} or a mesh of object {obj_id} with --mesh")
    mesh = load_mesh(path, "mm" if own else unit)
    name = f"object_{obj_id}" if path.stem.startswith("obj_") else valid_name(path.stem)
    model = object_model(mesh, name, obj_id, points=SAMPLES)
    symmetries = info.symmetries if info else find_symmetries(mesh)
    if info:
        model = ObjectModel(model.name, obj_id, info.diameter, model.bounds, model.points, model.keypoints)
    return EvaluatedObject(mesh, model, np.concatenate([np.eye(4)[None], symmetries.discretised()]))


def _width(dataset: Path, target: Target) -> int:
    camera = dataset / "camera.json"
    if camera.exists() and not target.scene.camera:
        return load_camera(camera).width
    return int(target.scene.image(target.im_id).shape[1])
