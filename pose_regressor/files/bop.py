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
#: First line of a result CSV.
RESULT_HEADER = "scene_id,im_id,obj_id,score,R,t,time"


@dataclass(frozen=True, eq=False)
class TruePose:
    """An annotated object of one image.

    obj_id: BOP id of the object
    cam_from_obj: (4, 4) metres
    """

    obj_id: int
    cam_from_obj: FloatArray


def read_scene_camera(path: str | Path) -> dict[int, FloatArray]:
    """The (3, 3) camera matrix of each image, pixels, by image id, from a BOP `scene_camera.json`.

    Raises InputError that begins with the path.
    """
    content = as_mapping(path, "scene_camera.json", read_json(path))
    matrices = {}
    for key, entry in content.items():
        where = f" of image {key}"
        matrix = entry_of(path, where, as_mapping(path, f"image {key}", entry), "cam_K")
        matrices[as_whole_number(path, "image id", key)] = as_numbers(path, f"cam_K{where}", matrix, 9).reshape(3, 3)
    return matrices


def read_depth_scales(path: str | Path) -> dict[int, float]:
    """The millimetres that each step of a depth image stands for, by image id, from a BOP `scene_camera.json`.

    Raises InputError that begins with the path.
    """
    scales = {}
    for key, entry in as_mapping(path, "scene_camera.json", read_json(path)).items():
        where = f" of image {key}"
        value = entry_of(path, where, as_mapping(path, f"image {key}", entry), "depth_scale")
        scale = float(as_numbers(path, f"depth_scale{where}", value, 1)[0])
        if scale <= 0:
            raise InputError(f"{path}: expected a depth_scale above 0{where}, got {scale:g}")
        scales[as_whole_number(path, "image id", key)] = scale
    return scales


def read_scene_gt(path: str | Path) -> dict[int, list[TruePose]]:
    """The annotated objects of each image, by image id, from a BOP `scene_gt.json`.

    Raises InputError that begins with the path.
    """
    content = as_mapping(path, "scene_gt.json", read_json(path))
    scene: dict[int, list[TruePose]] = {}
    for key, entries in content.items():
        if not isinstance(entries, list):
            raise InputError(f"{path}: expected a list for image {key}, got {type(entries).__name__}")
        poses = scene.setdefault(as_whole_number(path, "image id", key), [])
        poses += [_true_pose(path, f" of image {key}", entry) for entry in entries]
    return scene


def _true_pose(path: str | Path, where: str, entry: object) -> TruePose:
    entry = as_mapping(path, f"every object{where}", entry)

    def numbers(key: str, count: int) -> FloatArray:
        return as_numbers(path, f"{key}{where}", entry_of(path, where, entry, key), count)

    pose = np.eye(4)
    pose[:3, :3] = numbers("cam_R_m2c", 9).reshape(3, 3)
    pose[:3, 3] = numbers("cam_t_m2c", 3) / MILLIMETRES_PER_METRE
    return TruePose(as_whole_number(path, f"obj_id{where}", entry_of(path, where, entry, "obj_id")), pose)


@dataclass(frozen=True)
class ImageResult:
    """The poses found in one image.

    scene_id, im_id: BOP ids of the scene and the image
    estimates: the poses
    seconds: time they took, for the whole image; -1: not measured
    """

    scene_id: int
    im_id: int
    estimates: Sequence[PoseEstimate]
    seconds: float = -1.0


@contextmanager
def result_writer(path: str | Path) -> Iterator[Callable[[ImageResult], None]]:
    """A function that adds an image to a BOP result CSV: R row-major, t in millimetres, time in seconds.

    The file appears when the block ends without an error. Raises InputError if it cannot be written.
    """
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        print(RESULT_HEADER, file=file)

        def add(result: ImageResult) -> None:
            for estimate in result.estimates:
                rotation = " ".join(f"{value:.9g}" for value in estimate.rotation.reshape(-1))
                translation = " ".join(f"{value * MILLIMETRES_PER_METRE:.9g}" for value in estimate.translation)
                ids = f"{result.scene_id},{result.im_id},{estimate.model.obj_id}"
                print(f"{ids},{estimate.score:.6g},{rotation},{translation},{result.seconds:.6g}", file=file)

        yield add
