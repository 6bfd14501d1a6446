"""Camera files: BOP's camera.json, the YAML of ROS's camera_calibration, and CameraInfo messages as text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pose_regressor.files.io import as_mapping, as_numbers, as_whole_number, entry_of, read_json, read_yaml
from pose_regressor.types import Camera, FloatArray, InputError


def load_camera(path: str | Path) -> Camera:
    """A camera from a BOP `camera.json` (width, height, fx, fy, cx, cy; no distortion), from a calibration YAML of
    ROS's camera_calibration (image_width, camera_matrix, distortion_model, ...), or from a CameraInfo message
    written as YAML (`ros2 topic echo --once camera_info`). The keys say which it is, not the file's name."""
    content = read_json(path) if Path(path).suffix.lower() == ".json" else read_yaml(path)
    content = as_mapping(path, "a camera file", content)
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
    fx, fy, cx, cy = (as_numbers(path, key, entry_of(path, "", content, key), 1)[0] for key in ("fx", "fy", "cx", "cy"))
    return Camera(
        width=as_whole_number(path, "width", entry_of(path, "", content, "width")),
        height=as_whole_number(path, "height", entry_of(path, "", content, "height")),
        matrix=np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]),
    )


def _camera_from_calibration(path: str | Path, content: dict[Any, Any]) -> Camera:
    def data(key: str, count: int | None) -> FloatArray:
        block = as_mapping(path, f"'{key}'", entry_of(path, "", content, key))
        return as_numbers(path, f"{key}.data", entry_of(path, f" in '{key}'", block, "data"), count)

    return Camera(
        width=as_whole_number(path, "image_width", entry_of(path, "", content, "image_width")),
        height=as_whole_number(path, "image_height", entry_of(path, "", content, "image_height")),
        matrix=data("camera_matrix", 9).reshape(3, 3),
        distortion=data("distortion_coefficients", None) if "distortion_coefficients" in content else np.zeros(0),
        distortion_model=str(content.get("distortion_model") or "plumb_bob"),
    )


def _camera_from_message(path: str | Path, content: dict[Any, Any]) -> Camera:
    lower = {str(key).lower(): value for key, value in content.items()}  # ROS 1 wrote K and D
    return Camera(
        width=as_whole_number(path, "width", entry_of(path, "", lower, "width")),
        height=as_whole_number(path, "height", entry_of(path, "", lower, "height")),
        matrix=as_numbers(path, "k", lower["k"], 9).reshape(3, 3),
        distortion=as_numbers(path, "d", lower.get("d")),
        distortion_model=str(lower.get("distortion_model") or "plumb_bob"),
    )
