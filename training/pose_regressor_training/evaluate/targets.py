"""What is to be found in a BOP dataset: its list of targets, or else all objects that are visible enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_regressor.files.io import read_json
from pose_regressor.types import FloatArray, InputError
from pose_regressor_training.bop.reader import BopScene

#: Where a list does not say how many instances count, those that are at least this visible do, as in BOP.
MIN_VISIBLE = 0.1
#: Lists of the BOP Challenge, in this order. That of 2024 names images only.
LISTS = ("targets_bop19.json", "targets_bop24.json")
#: In place of a list's name: all objects that are visible enough.
VISIBLE = "visible"


@dataclass(frozen=True, eq=False)
class Target:
    """The objects of one kind in one image.

    scene: of the image
    scene_id, im_id, obj_id: BOP's
    count: how many of the best estimates count
    truth: (G, 4, 4) poses of all that are there
    wanted: (G,) bool, those to be found: the most visible
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


@dataclass(frozen=True)
class _Wanted:
    """instances: to be found; considered: how many of the best estimates count."""

    instances: int
    considered: int


def find_targets(
    dataset: Path, split: str, scenes: Mapping[int, BopScene], name: str | None = None
) -> tuple[list[Target], str]:
    """The targets in order, and in words where they come from.

    name: of a list in the dataset's folder, or VISIBLE; None: the challenge's list for the split, if there is one

    Raises InputError if a list is not in BOP's format or names what is not there.
    """
    path = None if name == VISIBLE else _list_of(dataset, split, name)
    if path is None:
        wanted = {
            (scene_id, im_id, pose.obj_id): _visible_enough(scene, im_id, pose.obj_id)
            for scene_id, scene in scenes.items()
            for im_id in scene.im_ids
            for pose in scene.poses[im_id]
        }
        words = f"all objects that are visible to at least {MIN_VISIBLE:.0%}"
        words += "" if name == VISIBLE else f" (there is no {' or '.join(_names(split))})"
    else:
        wanted, words = _read_list(path, dataset / split, scenes), path.name
        words += " (the AP of BOP'24 is not computed)" if path.name.endswith(LISTS[1]) else ""
    return [_target(scenes[key[0]], *key, counts) for key, counts in wanted.items() if counts.instances > 0], words


def _names(split: str) -> list[str]:
    """A list is named after the split or, as bop_toolkit does it, after its first word: test for test_primesense."""
    stems = dict.fromkeys((split, split.partition("_")[0]))
    return [f"{stem}_{ending}" for ending in LISTS for stem in stems]


def _list_of(dataset: Path, split: str, name: str | None) -> Path | None:
    if name is not None:
        paths = [dataset / name, Path(name)]
        found = next((path for path in paths if path.is_file()), None)
        if found is None:
            there = ", ".join(path.name for path in sorted(dataset.glob("*targets*.json"))) or "none"
            raise InputError(f"{paths[0]}: there is no such list of targets; there are: {there}, or give {VISIBLE!r}")
        return found
    return next((dataset / name for name in _names(split) if (dataset / name).exists()), None)


def _read_list(path: Path, split: Path, scenes: Mapping[int, BopScene]) -> dict[tuple[int, int, int], _Wanted]:
    content = read_json(path)
    if not isinstance(content, list):
        raise InputError(f"{path}: expected a list of targets, got {type(content).__name__}")
    wanted: dict[tuple[int, int, int], _Wanted] = {}
    for entry in content:
        scene_id, im_id, obj_id, count = (
            _whole(path, entry, key) for key in ("scene_id", "im_id", "obj_id", "inst_count")
        )
        if scene_id is None or im_id is None:
            raise InputError(f"{path}: expected scene_id and im_id in every entry, got {str(entry)[:80]}")
        scene = scenes.get(scene_id)
        if scene is None or im_id not in scene.poses:
            advice = f"give another list with --targets, or --targets {VISIBLE}"
            raise InputError(f"{path}: names image {im_id} of scene {scene_id}, which is not in {split}; {advice}")
        there = {pose.obj_id for pose in scene.poses[im_id]} if obj_id is None else {obj_id}
        for each in sorted(there):
            counts = _visible_enough(scene, im_id, each) if count is None else _Wanted(count, count)
            if count is None:
                # Estimates of hardly visible objects are there as well, and must not take the place of others.
                counts = _Wanted(counts.instances, len(_places(scene, im_id, each)))
            wanted[scene_id, im_id, each] = counts
    return wanted


def _whole(path: Path, entry: Any, key: str) -> int | None:
    """A whole number of an entry; None if it has no such key."""
    value = entry.get(key) if isinstance(entry, dict) else None
    if value is None:
        return None
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{path}: expected a whole number as {key}, got {value!r}") from None


def _places(scene: BopScene, im_id: int, obj_id: int) -> list[int]:
    return [place for place, pose in enumerate(scene.poses[im_id]) if pose.obj_id == obj_id]


def _visible_enough(scene: BopScene, im_id: int, obj_id: int) -> _Wanted:
    shown = scene.visibility.get(im_id)
    places = _places(scene, im_id, obj_id)
    count = len(places) if shown is None else sum(shown[place].fraction >= MIN_VISIBLE for place in places)
    return _Wanted(count, count)


def _target(scene: BopScene, scene_id: int, im_id: int, obj_id: int, counts: _Wanted) -> Target:
    places, shown = _places(scene, im_id, obj_id), scene.visibility.get(im_id)
    if not places:
        raise InputError(
            f"{scene.folder}: expected object {obj_id} in the true poses of image {im_id}, it is not there"
        )
    visibility = np.array([shown[place].fraction if shown else np.nan for place in places])
    order = np.argsort(-visibility, kind="stable")  # either all are NaN or none; NaN do not change the order
    wanted = np.zeros(len(places), bool)
    wanted[order[: counts.instances]] = True
    truth = np.stack([scene.poses[im_id][place].cam_from_obj for place in places])
    return Target(scene, scene_id, im_id, obj_id, counts.considered, truth, wanted, visibility)
