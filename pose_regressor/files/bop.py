"""BOP's scene files, read, and its result CSV, written. Millimetres there, metres here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pose_regressor.files.io import as_mapping, as_numbers, as_whole_number, entry_of, read_json, replacing
from pose_regressor.types import FloatArray, InputError, PoseEstimate

MILLIMETRES_PER_METRE = 1000.0


RESULT_HEADER = "scene_id,im_id,obj_id,score,R,t,time"


@dataclass(frozen=True, eq=False)
class TruePose:
    """An annotated object of one image; cam_from_obj: (4, 4), metres."""

    obj_id: int
    cam_from_obj: FloatArray


def read_scene_camera(path: str | Path) -> dict[int, FloatArray]:
    """(3, 3) intrinsics by image id, from a BOP `scene_camera.json`."""
    content = as_mapping(path, "scene_camera.json", read_json(path))
    matrices = {}
    for key, entry in content.items():
        where = f" of image {key}"
        matrix = entry_of(path, where, as_mapping(path, f"image {key}", entry), "cam_K")
        matrices[as_whole_number(path, "image id", key)] = as_numbers(path, f"cam_K{where}", matrix, 9).reshape(3, 3)
    return matrices


def read_scene_gt(path: str | Path) -> dict[int, list[TruePose]]:
    """The annotated objects by image id, from a BOP `scene_gt.json`."""
    content = as_mapping(path, "scene_gt.json", read_json(path))
    scene: dict[int, list[TruePose]] = {}
    for key, entries in content.items():
        where = f" of image {key}"
        if not isinstance(entries, list):
            raise InputError(f"{path}: expected a list for image {key}, got {type(entries).__name__}")
        poses = scene.setdefault(as_whole_number(path, "image id", key), [])
        for entry in entries:
            entry = as_mapping(path, f"every object{where}", entry)
            pose = np.eye(4)
            pose[:3, :3] = as_numbers(path, f"cam_R_m2c{where}", entry_of(path, where, entry, "cam_R_m2c"), 9).reshape(
                3, 3
            )
            millimetres = as_numbers(path, f"cam_t_m2c{where}", entry_of(path, where, entry, "cam_t_m2c"), 3)
            pose[:3, 3] = millimetres / MILLIMETRES_PER_METRE
            poses.append(
                TruePose(as_whole_number(path, f"obj_id{where}", entry_of(path, where, entry, "obj_id")), pose)
            )
    return scene


@dataclass(frozen=True)
class ImageResult:
    """What was found in one image, and in how many seconds (-1: not measured)."""

    scene_id: int
    im_id: int
    estimates: Sequence[PoseEstimate]
    seconds: float = -1.0


@contextmanager
def result_writer(path: str | Path) -> Iterator[Callable[[ImageResult], None]]:
    """A function that adds an image to a BOP result CSV: R row-major, t in millimetres, time in seconds for the whole
    image. The file is there when the block ends well."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        print(RESULT_HEADER, file=file)

        def add(result: ImageResult) -> None:
            for estimate in result.estimates:
                rotation = " ".join(f"{value:.9g}" for value in estimate.rotation.reshape(-1))
                translation = " ".join(f"{value * MILLIMETRES_PER_METRE:.9g}" for value in estimate.translation)
                ids = f"{result.scene_id},{result.im_id},{estimate.model.obj_id}"
                print(f"{ids},{estimate.score:.6g},{rotation},{translation},{result.seconds:.6g}", file=file)

        yield add
