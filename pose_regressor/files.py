"""Files in and out: cameras, BOP's scene files and result CSV, and writing that leaves a whole file or none.

BOP keeps millimetres; they are turned to metres when read and back when written, here and nowhere else. Whatever is
wrong with a file comes out as an InputError of one line that names the path and what was expected.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from pose_regressor.types import Camera, FloatArray, InputError, PoseEstimate

MILLIMETRES_PER_METRE = 1000.0
RESULT_HEADER = "scene_id,im_id,obj_id,score,R,t,time"


# ------------------------------------------------------------------ reading


def read_text(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: expected a text file in UTF-8") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None


def read_json(path: str | Path) -> Any:
    text = read_text(path)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: expected JSON ({error})") from None


def read_yaml(path: str | Path) -> Any:
    """The first document of a YAML file (`ros2 topic echo` ends each message with a document mark)."""
    text = read_text(path)
    try:
        return next(iter(yaml.safe_load_all(text)), None)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: expected YAML ({reason})") from None


def _mapping(path: str | Path, what: str, value: object) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{path}: expected {what} to be a mapping, got {type(value).__name__}")
    return value


def _get(path: str | Path, where: str, mapping: dict[Any, Any], key: str) -> Any:
    if key not in mapping:
        raise InputError(f"{path}: expected the key '{key}'{where}, got {', '.join(map(str, mapping)) or 'none'}")
    return mapping[key]


def _numbers(path: str | Path, key: str, value: object, count: int | None = None) -> FloatArray:
    """`value` as a flat (count,) float64 array; None accepts any length."""
    try:
        array = np.asarray([] if value is None else value, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError):
        raise InputError(f"{path}: expected numbers in '{key}', got {value!r}"[:300]) from None
    except OverflowError:
        raise InputError(f"{path}: expected finite numbers in '{key}', got a whole one that is too large") from None
    if count is not None and len(array) != count:
        raise InputError(f"{path}: expected {count} numbers in '{key}', got {len(array)}")
    if not np.isfinite(array).all():
        raise InputError(f"{path}: expected finite numbers in '{key}', got {array.tolist()}")
    return array


def _whole_number(path: str | Path, key: str, value: object) -> int:
    """BOP's image ids are JSON keys, so strings of digits; a float must be whole."""
    try:
        number = int(value)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        number = None
    if number is None or (isinstance(value, float) and number != value):
        raise InputError(f"{path}: expected a whole number for '{key}', got {value!r}")
    return number


# ------------------------------------------------------------------ cameras


def load_camera(path: str | Path) -> Camera:
    """A camera from a BOP `camera.json` (width, height, fx, fy, cx, cy; no distortion), from a calibration YAML of
    ROS's camera_calibration (image_width, camera_matrix, distortion_model, ...), or from a CameraInfo message
    written as YAML (`ros2 topic echo --once camera_info`). The keys say which it is, not the file's name."""
    content = read_json(path) if Path(path).suffix.lower() == ".json" else read_yaml(path)
    content = _mapping(path, "a camera file", content)
    if "camera_matrix" in content:
        read: Callable[[str | Path, dict[Any, Any]], Camera] = _camera_from_calibration
    elif "k" in content or "K" in content:
        read = _camera_from_message
    elif "fx" in content:
        read = _camera_from_bop
    else:
        raise InputError(
            f"{path}: expected a camera file with fx, fy, cx, cy (BOP), camera_matrix (ROS calibration) or k "
            f"(CameraInfo), got {', '.join(map(str, content)) or 'nothing'}"
        )
    try:
        return read(path, content)
    except InputError as error:
        message = str(error)
        raise InputError(message if message.startswith(f"{path}: ") else f"{path}: {message}") from None


def _camera_from_bop(path: str | Path, content: dict[Any, Any]) -> Camera:
    fx, fy, cx, cy = (_numbers(path, key, _get(path, "", content, key), 1)[0] for key in ("fx", "fy", "cx", "cy"))
    return Camera(
        width=_whole_number(path, "width", _get(path, "", content, "width")),
        height=_whole_number(path, "height", _get(path, "", content, "height")),
        matrix=np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]),
    )


def _camera_from_calibration(path: str | Path, content: dict[Any, Any]) -> Camera:
    def data(key: str, count: int | None) -> FloatArray:
        block = _mapping(path, f"'{key}'", _get(path, "", content, key))
        return _numbers(path, f"{key}.data", _get(path, f" in '{key}'", block, "data"), count)

    return Camera(
        width=_whole_number(path, "image_width", _get(path, "", content, "image_width")),
        height=_whole_number(path, "image_height", _get(path, "", content, "image_height")),
        matrix=data("camera_matrix", 9).reshape(3, 3),
        distortion=data("distortion_coefficients", None) if "distortion_coefficients" in content else np.zeros(0),
        distortion_model=str(content.get("distortion_model") or "plumb_bob"),
    )


def _camera_from_message(path: str | Path, content: dict[Any, Any]) -> Camera:
    lower = {str(key).lower(): value for key, value in content.items()}  # ROS 1 wrote K and D
    return Camera(
        width=_whole_number(path, "width", _get(path, "", lower, "width")),
        height=_whole_number(path, "height", _get(path, "", lower, "height")),
        matrix=_numbers(path, "k", lower["k"], 9).reshape(3, 3),
        distortion=_numbers(path, "d", lower.get("d")),
        distortion_model=str(lower.get("distortion_model") or "plumb_bob"),
    )


# ------------------------------------------------------------------ BOP


@dataclass(frozen=True, eq=False)
class TruePose:
    """An annotated object of one image; cam_from_obj: (4, 4), metres."""

    obj_id: int
    cam_from_obj: FloatArray


def read_scene_camera(path: str | Path) -> dict[int, FloatArray]:
    """(3, 3) intrinsics by image id, from a BOP `scene_camera.json`."""
    content = _mapping(path, "scene_camera.json", read_json(path))
    matrices = {}
    for key, entry in content.items():
        where = f" of image {key}"
        matrix = _get(path, where, _mapping(path, f"image {key}", entry), "cam_K")
        matrices[_whole_number(path, "image id", key)] = _numbers(path, f"cam_K{where}", matrix, 9).reshape(3, 3)
    return matrices


def read_scene_gt(path: str | Path) -> dict[int, list[TruePose]]:
    """The annotated objects by image id, from a BOP `scene_gt.json`."""
    content = _mapping(path, "scene_gt.json", read_json(path))
    scene: dict[int, list[TruePose]] = {}
    for key, entries in content.items():
        where = f" of image {key}"
        if not isinstance(entries, list):
            raise InputError(f"{path}: expected a list for image {key}, got {type(entries).__name__}")
        poses = scene.setdefault(_whole_number(path, "image id", key), [])
        for entry in entries:
            entry = _mapping(path, f"every object{where}", entry)
            pose = np.eye(4)
            pose[:3, :3] = _numbers(path, f"cam_R_m2c{where}", _get(path, where, entry, "cam_R_m2c"), 9).reshape(3, 3)
            millimetres = _numbers(path, f"cam_t_m2c{where}", _get(path, where, entry, "cam_t_m2c"), 3)
            pose[:3, 3] = millimetres / MILLIMETRES_PER_METRE
            poses.append(TruePose(_whole_number(path, f"obj_id{where}", _get(path, where, entry, "obj_id")), pose))
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


# ------------------------------------------------------------------ writing


def check_file_to_write(path: str | Path) -> None:
    """InputError for what cannot become a file: to be asked before hours of work, not after them."""
    path = Path(path)
    if not path.name or path.is_dir():
        raise InputError(f"{path}: expected a file to write, this is a folder")


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A path beside `path`, with the same ending, to write to. It takes the place of `path` when the block ends well
    and is removed when it does not, so nobody ever sees half a file. Missing folders are made. A link stays one, and
    what is no file, such as /dev/null, is written to as it is."""
    file = Path(path).resolve()
    temporary = file.parent / f".{file.stem}.{os.getpid()}{file.suffix}"
    try:
        check_file_to_write(path)
        if file.exists() and not file.is_file():
            yield file
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(file)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from None
    finally:
        with suppress(OSError):  # gone already when all went well
            temporary.unlink()


def write_text(path: str | Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, content: object) -> None:
    write_text(path, json.dumps(content, indent=1) + "\n")
