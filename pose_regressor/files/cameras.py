"""Camera files: BOP's camera.json, ROS calibration YAML, and CameraInfo messages as YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pose_regressor.files.io import as_mapping, as_numbers, as_whole_number, entry_of, read_json, read_yaml
from pose_regressor.types import Camera, FloatArray, InputError

#: Distortion model of a file that names none; OpenCV's usual one.
_DISTORTION_MODEL = "plumb_bob"


def load_camera(path: str | Path) -> Camera:
    """The camera in a file. Its keys tell the format; .json is read as JSON, all else as YAML.

    camera.json of BOP: width, height, fx, fy, cx, cy; without distortion
    calibration YAML of ROS's camera_calibration: image_width, image_height, camera_matrix, distortion_model, ...
    CameraInfo message as YAML, from `ros2 topic echo --once camera_info`: width, height, k, d, distortion_model

    Raises InputError that begins with the path.
    """
    content = read_json(path) if Path(path).suffix.lower() == ".json" else read_yaml(path)
    content = as_mapping(path, "a camera file", content)
    if "camera_matrix" in content:
        values = _from_calibration(path, content)
    elif "k" in content or "K" in content:
        values = _from_message(path, content)
    elif "fx" in content:
        values = _from_bop(path, content)
    else:
        raise InputError(
            f"{path}: expected a camera file with fx, fy, cx, cy (BOP), camera_matrix (ROS calibration) or k "
            f"(CameraInfo), got {', '.join(map(str, content)) or 'nothing'}"
        )
    try:
        return Camera(**values)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _from_bop(path: str | Path, content: dict[Any, Any]) -> dict[str, Any]:
    fx, fy, cx, cy = (as_numbers(path, key, entry_of(path, "", content, key), 1)[0] for key in ("fx", "fy", "cx", "cy"))
    return {
        "width": _whole(path, content, "width"),
        "height": _whole(path, content, "height"),
        "matrix": np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]),
    }


def _from_calibration(path: str | Path, content: dict[Any, Any]) -> dict[str, Any]:
    def data(key: str, count: int | None = None) -> FloatArray:
        block = as_mapping(path, f"'{key}'", entry_of(path, "", content, key))
        return as_numbers(path, f"{key}.data", entry_of(path, f" in '{key}'", block, "data"), count)

    return {
        "width": _whole(path, content, "image_width"),
        "height": _whole(path, content, "image_height"),
        "matrix": data("camera_matrix", 9).reshape(3, 3),
        "distortion": data("distortion_coefficients") if "distortion_coefficients" in content else np.zeros(0),
        "distortion_model": str(content.get("distortion_model") or _DISTORTION_MODEL),
    }


def _from_message(path: str | Path, content: dict[Any, Any]) -> dict[str, Any]:
    lower = {str(key).lower(): value for key, value in content.items()}  # ROS 1 wrote K and D
    return {
        "width": _whole(path, lower, "width"),
        "height": _whole(path, lower, "height"),
        "matrix": as_numbers(path, "k", lower["k"], 9).reshape(3, 3),
        "distortion": as_numbers(path, "d", lower.get("d")),
        "distortion_model": str(lower.get("distortion_model") or _DISTORTION_MODEL),
    }


def _whole(path: str | Path, content: dict[Any, Any], key: str) -> int:
    return as_whole_number(path, key, entry_of(path, "", content, key))
