"""Pictures of what a network is taught and of what it answers, from the first batch on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import lightning.pytorch as pl
import numpy as np
import torch
from numpy.typing import NDArray

from pose_regressor.draw import BOX_COLOUR, contact_sheet, draw_box
from pose_regressor.network.config import DENSE_STRIDE
from pose_regressor.network.network import PoseNetwork
from pose_regressor.ops.regression import decode_regression
from pose_regressor.types import Camera, ObjectModel
from pose_regressor_training.figures import write_picture
from pose_regressor_training.randomize.views import Kind
from pose_regressor_training.samples.batches import Batch
from pose_regressor_training.train.task import PoseTask

FIRST, PREDICTED = "first_batch.jpg", "predictions.jpg"
OUTLINE, OTHER = (255, 200, 0), (255, 60, 200)
_TILE, _COLUMNS, _LABELLED, _PREDICTED = 192, 8, 32, 16
_QUALITY = 85

Image = NDArray[np.uint8]


class Pictures(pl.Callback):
    """Writes the labels of the first batch, and now and then what the averaged network says of the last batch.

    The network has learnt from that batch only once: no batch comes twice.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Batch, *_: Any) -> None:
        task: PoseTask = pl_module
        done, config = task.steps_done, task.config
        if done == 1:
            write_picture(self._folder / FIRST, label_sheet(batch, task.models), _QUALITY)
        if done % config.preview_every == 0 or done == config.steps:
            sheet = prediction_sheet(task.average.network, batch, task.models)
            if sheet is not None:
                write_picture(self._folder / PREDICTED, sheet, _QUALITY)


def label_sheet(batch: Batch, models: Sequence[ObjectModel]) -> Image:
    """The windows of a batch with their labels drawn in.

    White: box of the true pose. Yellow: outline of what is visible of the object. Pink rectangles: other known objects.
        Windows without an object, or with too little of it, have no box and no outline.
    """
    tiles = []
    for i in range(min(len(batch.image), _LABELLED)):
        tile = _enlarged(batch.image[i])
        if batch.kind[i] in (Kind.LOOK, Kind.FIND):
            _outline(tile, batch.mask[i])
            draw_box(tile, _camera(batch, i), models[int(batch.model[i])], batch.cam_from_obj[i].double().cpu().numpy())
        scale = _TILE / batch.image.shape[-1]
        for box in batch.other_box[i][batch.other_model[i] >= 0].cpu().numpy():
            x0, y0, x1, y1 = np.clip(((box + 0.5) * scale - 0.5).round(), -1, _TILE).astype(int).tolist()
            cv2.rectangle(tile, (x0, y0), (x1, y1), OTHER, 1)
        tiles.append(tile)
    return contact_sheet(tiles, _COLUMNS, _TILE)


@torch.no_grad()
def prediction_sheet(network: PoseNetwork, batch: Batch, models: Sequence[ObjectModel]) -> Image | None:
    """Two tiles for each of some crops: the true and the regressed pose as boxes; the predicted coordinates as colours.

    The coordinates are shown where the predicted mask is set. None if the batch has no crop with an object.
    """
    asked = (batch.kind == Kind.LOOK).nonzero().flatten()[:_PREDICTED]
    if not len(asked):
        return None
    _, poses = network(batch.image[asked])
    tiles = []
    for row, i in enumerate(asked.tolist()):
        channel = int(batch.model[i])
        model = models[channel]
        regressed = decode_regression(
            poses.rotation_6d[row, channel].double().cpu(), poses.location[row, channel].double().cpu(),
            batch.camera_matrix[i].double().cpu(), batch.image.shape[-1],
            torch.from_numpy(model.bounds.mean(0)), torch.tensor(model.diameter),
        )  # fmt: skip
        tile, camera = _enlarged(batch.image[i]), _camera(batch, i)
        draw_box(tile, camera, model, batch.cam_from_obj[i].double().cpu().numpy())
        draw_box(tile, camera, model, regressed.numpy(), BOX_COLOUR)
        coordinates = (poses.coordinates[row, channel].float().clamp(-1, 1) + 1) / 2
        shown = (coordinates * (poses.mask[row, channel] > 0) * 255).byte().permute(1, 2, 0).cpu().numpy()
        tiles += [tile, np.asarray(cv2.resize(shown, (_TILE, _TILE), interpolation=cv2.INTER_NEAREST))]
    return contact_sheet(tiles, _COLUMNS, _TILE)


def _enlarged(image: torch.Tensor) -> Image:
    """(3, S, S) -> (_TILE, _TILE, 3)."""
    picture = image.permute(1, 2, 0).contiguous().cpu().numpy()
    return np.asarray(cv2.resize(picture, (_TILE, _TILE), interpolation=cv2.INTER_LINEAR))


def _camera(batch: Batch, i: int) -> Camera:
    """The camera of the enlarged window."""
    scale = _TILE / batch.image.shape[-1]
    enlarge = np.array([[scale, 0, scale / 2 - 0.5], [0, scale, scale / 2 - 0.5], [0, 0, 1]])
    return Camera(_TILE, _TILE, enlarge @ batch.camera_matrix[i].double().cpu().numpy())


def _outline(tile: Image, mask: torch.Tensor) -> None:
    """Draw the outline of a mask whose cells stand at every DENSE_STRIDE-th pixel of the window."""
    seen = np.kron(mask.cpu().numpy().astype(np.uint8), np.ones((DENSE_STRIDE, DENSE_STRIDE), np.uint8))
    large = cv2.resize(seen, (_TILE, _TILE), interpolation=cv2.INTER_NEAREST)
    found = cv2.findContours(large, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    cv2.drawContours(tile, found, -1, OUTLINE, 1)
