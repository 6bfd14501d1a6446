"""The worst cases as a picture: what was found where it should not have been, and what was missed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_regressor.draw import contact_sheet, draw_box, draw_pose, draw_text
from pose_regressor.types import Camera, FloatArray
from pose_regressor_training.evaluation.dataset import EvaluationSet
from pose_regressor_training.evaluation.judge import RIGHT, Outcome

COUNT = 12
#: Pixels of each picture, which is square, and its edge over the longer one of the object's box.
SIZE, MARGIN = 240, 1.8
#: At most this share of the pictures shows objects that were not found at all.
_MISSED = 1 / 3


def worst_sheet(dataset: EvaluationSet, outcomes: Sequence[Outcome]) -> NDArray[np.uint8] | None:
    """The found objects with the largest ADD(-S), and the most visible of those that were not found; thin boxes are the
    true poses. None if all is right."""

    def share(outcome: Outcome) -> float:
        return outcome.error / dataset.objects[outcome.target.obj_id].diameter

    wrong = sorted((o for o in outcomes if math.isfinite(o.error) and share(o) >= RIGHT), key=share, reverse=True)
    missed = sorted((o for o in outcomes if o.estimate is None), key=lambda o: -np.nan_to_num(o.visibility))
    fewest = max(int(COUNT * _MISSED), COUNT - len(wrong))
    missed = missed[:fewest]
    chosen = wrong[: COUNT - len(missed)] + missed
    return contact_sheet([_picture(dataset, outcome) for outcome in chosen], width=SIZE) if chosen else None


def _picture(dataset: EvaluationSet, outcome: Outcome) -> NDArray[np.uint8]:
    target, item = outcome.target, dataset.objects[outcome.target.obj_id]
    image = target.scene.image(target.im_id).copy()
    camera = Camera(image.shape[1], image.shape[0], target.camera_matrix)
    if outcome.estimate is not None:
        draw_pose(image, camera, item.model, outcome.estimate.cam_from_obj, "")
    draw_box(image, camera, item.model, outcome.truth)
    picture = _around(image, item.model.points @ outcome.truth[:3, :3].T + outcome.truth[:3, 3], target.camera_matrix)
    found = outcome.estimate
    what = "not found" if found is None else f"{outcome.error / item.diameter:.2f} d, score {found.score:.2f}"
    seen = "" if math.isnan(outcome.visibility) else f", {outcome.visibility:.0%} seen"
    draw_text(picture, f"{target.scene_id}/{target.im_id} #{item.obj_id}: {what}{seen}")
    return picture


def _around(image: NDArray[np.uint8], points: FloatArray, camera_matrix: FloatArray) -> NDArray[np.uint8]:
    """(SIZE, SIZE, 3) about points (N, 3) in the camera's frame; black beyond the image's edges."""
    pixels = points @ camera_matrix.T
    pixels = pixels[:, :2] / pixels[:, 2:]
    low, high = pixels.min(0), pixels.max(0)
    scale = SIZE / (MARGIN * max(float((high - low).max()), 1.0))
    shift = (SIZE - 1) / 2 - scale * (low + high) / 2
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    return np.asarray(cv2.warpAffine(image, matrix, (SIZE, SIZE), flags=cv2.INTER_AREA), np.uint8)
