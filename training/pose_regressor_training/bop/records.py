"""What BOP's JSON files hold: the entries of images and objects, and the layout of a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pose_regressor.files.bop import MILLIMETRES_PER_METRE
from pose_regressor.types import FloatArray
from pose_regressor_training.bop.reader import Visibility


def pose_entry(obj_id: int, cam_from_obj: FloatArray) -> dict[str, Any]:
    """An object in scene_gt.json."""
    return {
        "cam_R_m2c": cam_from_obj[:3, :3].ravel().tolist(),
        "cam_t_m2c": (cam_from_obj[:3, 3] * MILLIMETRES_PER_METRE).tolist(),
        "obj_id": int(obj_id),
    }


def camera_entry(camera_matrix: FloatArray, depth_scale: float) -> dict[str, Any]:
    """An image in scene_camera.json."""
    return {"cam_K": camera_matrix.ravel().tolist(), "depth_scale": depth_scale}


def visibility_entry(shown: Visibility) -> dict[str, Any]:
    """An object in scene_gt_info.json."""
    return {
        "bbox_obj": list(shown.box),
        "bbox_visib": list(shown.visible_box),
        "px_count_all": shown.pixels,
        "px_count_valid": shown.valid,
        "px_count_visib": shown.visible,
        "visib_fract": shown.fraction,
    }


def one_line_each(entries: Mapping[str, object]) -> str:
    """The text of a JSON object with one line for each key, in the order given: for people and for line tools."""
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in entries.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"
