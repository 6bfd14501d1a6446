"""COCO annotations of a BOP scene, as written by bop_toolkit's scripts/calc_gt_coco.py.

They hold no dates, so that the same scene gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_regressor.types import InputError

#: Objects that are less visible are marked to be ignored.
IGNORED_BELOW = 0.1


def encode_rle(mask: NDArray[np.bool_]) -> dict[str, list[int]]:
    """COCO's uncompressed run lengths: column by column, beginning with a run of zeros, which may be empty."""
    flat = np.asarray(mask, bool).ravel(order="F")
    ends = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff(np.concatenate([[0], ends, [flat.size]]))
    return {"counts": ([0] if flat[0] else []) + counts.tolist(), "size": list(mask.shape)}


def decode_rle(rle: Mapping[str, Sequence[int]]) -> NDArray[np.bool_]:
    """The mask (H, W). Raises InputError if the runs do not fill the image."""
    height, width = rle["size"]
    counts = np.asarray(rle["counts"], np.int64)
    if counts.sum() != height * width or (counts < 0).any():
        raise InputError(f"RLE: expected runs of {height * width} pixels in all, got {counts.sum()}")
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape(height, width, order="F")


def annotation_of(
    obj_id: int, mask: NDArray[np.bool_], mask_visible: NDArray[np.bool_], fraction: float
) -> dict[str, Any] | None:
    """An object's annotation, without its numbers; None if nothing of it is visible.

    The box is that of the whole silhouette within the image, the segmentation that of the visible part. fraction:
    visible share of the object.
    """
    if not mask_visible.any():
        return None
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    return {
        "category_id": obj_id,
        "iscrowd": 0,
        "area": int(mask_visible.sum()),
        "bbox": [int(columns[0]), int(rows[0]), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1],
        "segmentation": encode_rle(mask_visible),
        "width": mask.shape[1],
        "height": mask.shape[0],
        "ignore": bool(fraction < IGNORED_BELOW),
    }


def scene_coco(
    dataset: str, names: Mapping[int, str], images: Mapping[int, tuple[str, int, int, list[dict[str, Any]]]]
) -> dict[str, Any]:
    """The content of a scene's file.

    names: of the objects, by id
    images: by id: file name, width, height, annotations
    """
    annotations = [{"image_id": im_id} | entry for im_id, (_, _, _, own) in images.items() for entry in own]
    return {
        "info": {
            "description": dataset,
            "url": "https://github.com/thodan/bop_toolkit",
            "version": "0.1.0",
            "contributor": "",
        },
        "licenses": [],
        "categories": [
            {"id": obj_id, "name": name, "supercategory": dataset} for obj_id, name in sorted(names.items())
        ],
        "images": [
            {"id": im_id, "file_name": file, "width": width, "height": height, "license": 1, "coco_url": "",
             "flickr_url": ""}
            for im_id, (file, width, height, _) in images.items()
        ],
        "annotations": [{"id": number} | entry for number, entry in enumerate(annotations, start=1)],
    }  # fmt: skip
