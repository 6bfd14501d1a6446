"""A picture of the worst cases: what was found in the wrong place, and what was missed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_regressor.draw import contact_sheet, draw_box, draw_pose, draw_text
from pose_regressor.geometry.camera import project, window_from_image
from pose_regressor.geometry.rigid import apply
from pose_regressor.types import Camera, FloatArray
from pose_regressor_training.evaluate.dataset import EvaluationSet
from pose_regressor_training.evaluate.judge import RIGHT, Outcome

COUNT = 12
#: Edge of each square picture in pixels, and as a multiple of the longer edge of the object's box.
SIZE, MARGIN = 240, 1.8
#: At most this share of the pictures shows objects that were not found at all.
_MISSED = 1 / 3


def worst_sheet(dataset: EvaluationSet, outcomes: Sequence[Outcome]) -> NDArray[np.uint8] | None:
    """The found objects with the largest ADD(-S), and the most visible of those that were not found.

    Thin boxes are the true poses. None if all are right.
    """

    def share(outcome: Outcome) -> float:
        return outcome.error / dataset.objects[outcome.target.obj_id].diameter

    wrong = sorted((o for o in outcomes if math.isfinite(o.error) and share(o) >= RIGHT), key=share, reverse=True)
    missed = sorted((o for o in outcomes if o.estimate is None), key=lambda o: -np.nan_to_num(o.visibility))
    fewest = max(int(COUNT * _MISSED), COUNT - len(wrong))
    missed = missed[:fewest]
    chosen = wrong[: COUNT - len(missed)] + missed
    return contact_sheet([_picture(dataset, outcome) for outcome in chosen], width=SIZE) if chosen else None


def _picture(dataset: EvaluationSet, outcome: Outcome) -> NDArray[np.uint8]:
    target, item, found = outcome.target, dataset.objects[outcome.target.obj_id], outcome.estimate
    window_from_pixel = _around(apply(outcome.truth, item.model.points), target.camera_matrix)
    camera = Camera(SIZE, SIZE, window_from_pixel @ target.camera_matrix)
    image = target.scene.image(target.im_id)
    picture = np.asarray(cv2.warpAffine(image, window_from_pixel[:2], (SIZE, SIZE), flags=cv2.INTER_AREA), np.uint8)
    if found is not None:
        draw_pose(picture, camera, item.model, found.cam_from_obj, "")
    draw_box(picture, camera, item.model, outcome.truth)
    what = "not found" if found is None else f"{outcome.error / item.diameter:.2f} d, score {found.score:.2f}"
    seen = "" if math.isnan(outcome.visibility) else f", {outcome.visibility:.0%} seen"
    draw_text(picture, f"{target.scene_id}/{target.im_id} #{item.obj_id}: {what}{seen}")
    return picture


def _around(points: FloatArray, camera_matrix: FloatArray) -> FloatArray:
    """(3, 3) from pixels of the image to those of a picture around the points (N, 3), in the camera's frame."""
    pixels = project(points, camera_matrix)
    low, high = pixels.min(0), pixels.max(0)
    scale = SIZE / (MARGIN * max(float((high - low).max()), 1.0))
    left, top = (low + high) / 2 - SIZE / (2 * scale)
    return window_from_image(left, top, scale)
