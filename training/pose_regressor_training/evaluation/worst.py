"""The worst cases as a picture: what was found where it should not have been, and what was missed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pose_regressor.draw import contact_sheet, draw_box, draw_pose, draw_text
from pose_regressor.types import Camera
from pose_regressor_training.evaluation.dataset import EvaluationSet
from pose_regressor_training.evaluation.judge import RIGHT, Outcome

COUNT = 12
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
    return contact_sheet([_picture(dataset, outcome) for outcome in chosen]) if chosen else None


def _picture(dataset: EvaluationSet, outcome: Outcome) -> NDArray[np.uint8]:
    target, item = outcome.target, dataset.objects[outcome.target.obj_id]
    image = target.scene.image(target.im_id).copy()
    camera = Camera(image.shape[1], image.shape[0], target.camera_matrix)
    if outcome.estimate is not None:
        draw_pose(image, camera, item.model, outcome.estimate.cam_from_obj, f"{outcome.estimate.score:.2f}")
    draw_box(image, camera, item.model, outcome.truth)
    what = f"{outcome.error / item.diameter:.2f} d" if outcome.estimate is not None else "not found"
    seen = "" if math.isnan(outcome.visibility) else f", {outcome.visibility:.0%} visible"
    draw_text(image, f"{target.scene_id}/{target.im_id} {item.model.name}: {what}{seen}")
    return image
