"""Poses as JSON lines: everything that is known of them, which BOP's result CSV has no columns for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pose_regressor.files.bop import ImageResult
from pose_regressor.files.io import replacing
from pose_regressor.geometry.so3 import to_quaternion
from pose_regressor.types import PoseEstimate


@contextmanager
def pose_lines_writer(path: str | Path) -> Iterator[Callable[[ImageResult], None]]:
    """A function that adds an image to a file of JSON lines, one line for each image. Units are metres and radians.

    The file appears when the block ends without an error. InputError: it cannot be written.
    """
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:

        def add(result: ImageResult) -> None:
            line = {
                "scene_id": result.scene_id,
                "im_id": result.im_id,
                "seconds": result.seconds,
                "depth": result.has_depth,
                "poses": [_entry(estimate) for estimate in result.estimates],
            }
            print(json.dumps(line), file=file)

        yield add


def _entry(estimate: PoseEstimate) -> dict[str, Any]:
    return {
        "object": estimate.model.name,
        "obj_id": estimate.model.obj_id,
        "instance": estimate.instance,
        "score": estimate.score,
        "translation": estimate.translation.tolist(),
        "quaternion_xyzw": to_quaternion(estimate.rotation).tolist(),
        "covariance": estimate.covariance.tolist(),
        "method": estimate.method,
        "depth_share": estimate.depth_share,
    }
