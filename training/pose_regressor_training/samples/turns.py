"""Labelled windows turned by quarters of a turn, as if the camera had been turned about its axis."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from pose_regressor.network.config import DENSE_STRIDE
from pose_regressor_training.samples.batches import Batch


def turned(batch: Batch) -> Batch:
    """The windows after a quarter turn, counterclockwise in the image.

    The pixel (x, y) goes to (y, S - DENSE_STRIDE - x): that maps the cells of the dense labels to cells. The last row
    of pixels, where nothing arrives, repeats the one above. All labels of the new images are exact.
    """
    size = batch.image.shape[-1]
    last = size - DENSE_STRIDE
    image = torch.rot90(batch.image, 1, (2, 3)).roll(1 - DENSE_STRIDE, 2)
    image[:, :, last + 1 :] = image[:, :, last : last + 1]
    pose = batch.cam_from_obj.clone()
    pose[:, 0], pose[:, 1] = batch.cam_from_obj[:, 1], -batch.cam_from_obj[:, 0]
    camera = batch.camera_matrix.clone()
    camera[:, 0, 0], camera[:, 1, 1] = batch.camera_matrix[:, 1, 1], batch.camera_matrix[:, 0, 0]
    camera[:, 0, 2], camera[:, 1, 2] = batch.camera_matrix[:, 1, 2], last - batch.camera_matrix[:, 0, 2]
    return replace(
        batch,
        image=image,
        box=_turned_boxes(batch.box, last),
        mask=torch.rot90(batch.mask, 1, (1, 2)),
        coordinates=torch.rot90(batch.coordinates, 1, (2, 3)),
        cam_from_obj=pose,
        camera_matrix=camera,
        other_box=_turned_boxes(batch.other_box, last),
    )


def _turned_boxes(boxes: Tensor, last: int) -> Tensor:
    x0, y0, x1, y1 = boxes.unbind(-1)
    return torch.stack([y0, last - x1, y1, last - x0], -1)
