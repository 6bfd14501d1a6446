"""What is to be found: the targets of a BOP dataset with their true poses, and the objects' meshes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pose_regressor.files.cameras import load_camera
from pose_regressor.files.io import read_json
from pose_regressor.types import FloatArray, InputError, ObjectModel
from pose_regressor_training.bop.models_info import ModelInfo, object_id, read_models_info
from pose_regressor_training.bop.reader import SCENE_GT, BopScene, depth_path, open_split
from pose_regressor_training.evaluate.errors import hull_of
from pose_regressor_training.meshes.mesh import Mesh, load_mesh, object_model
from pose_regressor_training.meshes.objects import valid_name
from pose_regressor_training.meshes.symmetry import find_symmetries

#: Without a list of targets, every object that is at least this visible is a target, as in BOP.
MIN_VISIBLE = 0.1
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
class Target:
    """The objects of one kind in one image.

    scene: of the image
    scene_id, im_id, obj_id: BOP's
    count: how many are to be found
    truth: (G, 4, 4) poses of all that are there
    wanted: (G,) bool, the `count` most visible of them
    visibility: (G,) visible shares, NaN if the dataset does not state them
    """

    scene: BopScene
    scene_id: int
    im_id: int
    obj_id: int
    count: int
    truth: FloatArray
    wanted: NDArray[np.bool_]
    visibility: FloatArray

    @property
    def camera_matrix(self) -> FloatArray:
        return self.scene.cameras[self.im_id]


@dataclass(frozen=True, eq=False)
class EvaluationSet:
    """A dataset to evaluate on.

    name: of the dataset and split
    targets: in order
    objects: by BOP id
    width: of the images, pixels
    has_depth: whether every image of the targets has a depth image
    """

    name: str
    targets: tuple[Target, ...]
    objects: dict[int, EvaluatedObject]
    width: int
    has_depth: bool


def open_dataset(
    dataset: str | Path,
    split: str | None = None,
    meshes: Sequence[Path] = (),
    unit: str | None = None,
    obj_ids: Collection[int] | None = None,
) -> EvaluationSet:
    """Open the targets of DATASET/SPLIT.

    They are those of SPLIT_targets_bop19.json or, without such a file, all objects that are visible enough.

    meshes: of objects for which the dataset brings none; named or numbered as for `pose-regressor generate`
    unit: of these meshes
    obj_ids: only these objects

    Raises InputError if something is missing.
    """
    dataset, scenes_at = _find_split(Path(dataset), split)
    scenes = {int(scene.folder.name): scene for scene in open_split(scenes_at)}
    targets = [target for target in _targets(dataset, scenes_at.name, scenes)
               if obj_ids is None or target.obj_id in obj_ids]  # fmt: skip
    if not targets:
        raise InputError(f"{scenes_at}: expected objects to find, there are none" +
                         (f" with the ids {sorted(obj_ids)}" if obj_ids is not None else ""))  # fmt: skip
    known = {target.obj_id for target in targets}
    given = {object_id(path, place): path for place, path in enumerate(meshes, start=1)}
    infos = _models_info(dataset)
    objects = {obj_id: _object(dataset, obj_id, given.get(obj_id), unit, infos.get(obj_id)) for obj_id in sorted(known)}
    has_depth = all(depth_path(target.scene.folder, target.im_id).exists() for target in targets)
    name = f"{dataset.resolve().name} {scenes_at.name}"
    return EvaluationSet(name, tuple(targets), objects, _width(dataset, targets[0]), has_depth)


def _find_split(dataset: Path, split: str | None) -> tuple[Path, Path]:
    """The folders of the dataset and of the split's scenes."""
    if split is not None:
        return dataset, dataset / split
    if any(dataset.glob(f"[0-9]*/{SCENE_GT}")):
        return dataset.resolve().parent, dataset.resolve()
    splits = sorted({path.parent.parent for path in dataset.glob(f"*/[0-9]*/{SCENE_GT}")})
    chosen = [path for path in splits if path.name == "test"] or splits
    if len(chosen) != 1:
        found = ", ".join(path.name for path in splits) or "none"
        raise InputError(f"{dataset}: expected a folder of scenes, or the name of one with --split; found {found}")
    return dataset, chosen[0]


def _targets(dataset: Path, split: str, scenes: dict[int, BopScene]) -> list[Target]:
    path = dataset / f"{split}_targets_bop19.json"
    if path.exists():
        wanted = _read_targets(path)
    else:
        wanted = {
            (scene_id, im_id, pose.obj_id): _visible_enough(scene, im_id, pose.obj_id)
            for scene_id, scene in scenes.items()
            for im_id in scene.im_ids
            for pose in scene.poses[im_id]
        }
    targets = []
    for (scene_id, im_id, obj_id), count in wanted.items():
        scene = scenes.get(scene_id)
        if scene is None or im_id not in scene.poses:
            raise InputError(f"{path}: names image {im_id} of scene {scene_id}, which is not in {dataset / split}")
        if count > 0:
            targets.append(_target(scene, scene_id, im_id, obj_id, count))
    return targets


def _read_targets(path: Path) -> dict[tuple[int, int, int], int]:
    content = read_json(path)
    try:
        return {(int(t["scene_id"]), int(t["im_id"]), int(t["obj_id"])): int(t["inst_count"]) for t in content}
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: expected a list of scene_id, im_id, obj_id, inst_count ({error!r})") from None


def _places(scene: BopScene, im_id: int, obj_id: int) -> list[int]:
    return [place for place, pose in enumerate(scene.poses[im_id]) if pose.obj_id == obj_id]


def _visible_enough(scene: BopScene, im_id: int, obj_id: int) -> int:
    shown = scene.visibility.get(im_id)
    places = _places(scene, im_id, obj_id)
    return len(places) if shown is None else sum(shown[place].fraction >= MIN_VISIBLE for place in places)


def _target(scene: BopScene, scene_id: int, im_id: int, obj_id: int, count: int) -> Target:
    places, shown = _places(scene, im_id, obj_id), scene.visibility.get(im_id)
    if not places:
        raise InputError(f"{scene.folder / SCENE_GT}: expected object {obj_id} in image {im_id}, it is not there")
    visibility = np.array([shown[place].fraction if shown else np.nan for place in places])
    order = np.argsort(-visibility, kind="stable")  # either all are NaN or none; NaN do not change the order
    wanted = np.zeros(len(places), bool)
    wanted[order[:count]] = True
    truth = np.stack([scene.poses[im_id][place].cam_from_obj for place in places])
    return Target(scene, scene_id, im_id, obj_id, count, truth, wanted, visibility)


def _models_info(dataset: Path) -> dict[int, ModelInfo]:
    paths = [dataset / folder / "models_info.json" for folder in ("models_eval", "models")]
    return next((read_models_info(path) for path in paths if path.exists()), {})


def _object(
    dataset: Path, obj_id: int, given: Path | None, unit: str | None, info: ModelInfo | None
) -> EvaluatedObject:
    paths = [dataset / folder / f"obj_{obj_id:06d}.ply" for folder in ("models_eval", "models")]
    own = next((path for path in paths if path.exists()), None)
    path = own or given
    if path is None:
        raise InputError(
            f"{dataset}: expected {paths[0].relative_to(dataset)} or a mesh of object {obj_id} with --mesh"
        )
    mesh = load_mesh(path, "mm" if own else unit)
    model = object_model(
        mesh, f"object_{obj_id}" if path.stem.startswith("obj_") else valid_name(path.stem), obj_id, points=SAMPLES
    )
    symmetries = info.symmetries if info else find_symmetries(mesh)
    if info:
        model = ObjectModel(model.name, obj_id, info.diameter, model.bounds, model.points, model.keypoints)
    return EvaluatedObject(mesh, model, np.concatenate([np.eye(4)[None], symmetries.discretised()]))


def _width(dataset: Path, target: Target) -> int:
    camera = dataset / "camera.json"
    return load_camera(camera).width if camera.exists() else target.scene.image(target.im_id).shape[1]
