"""Objects of whole frames, placed apart from each other and on the ground."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pose_regressor.types import FloatArray
from pose_regressor_training.randomize.views import Models, Views
from pose_regressor_training.scenes import NONE


def apart(models: Models, tries: list[Views]) -> tuple[Views, NDArray[np.bool_]]:
    """Objects apart from each other: each has the first of its tried poses that is clear of those before it.

    Returns the views, and (B, T) which objects found no place.
    """
    model = tries[0].model
    radius = models.diameter[model] / 2
    chosen = tries[0].cam_from_obj.copy()
    centres = np.full((*model.shape, 3), np.inf)
    absent = model == NONE
    for place in range(model.shape[1]):
        waiting = ~absent[:, place]
        for views in tries:
            pose = views.cam_from_obj[:, place]
            centre = models.centres(pose, model[:, place])
            free = _clear_of(centre, radius[:, place], centres[:, :place], radius[:, :place]) & waiting
            chosen[free, place], centres[free, place] = pose[free], centre[free]
            waiting &= ~free
        absent[:, place] |= waiting
    return replace(tries[0], cam_from_obj=chosen), absent


def settled(
    models: Models, views: Views, absent: NDArray[np.bool_], ground: NDArray[np.void]
) -> tuple[Views, NDArray[np.bool_]]:
    """All objects moved along the ground's normal until they touch it. Those that then touch another are absent."""
    grounded = ground["picture"] != NONE
    normal, offset = ground["plane"][:, None, :3].astype(np.float64), ground["plane"][:, None, 3]
    centre = models.centres(views.cam_from_obj, views.model)
    support = models.support[views.model] @ np.swapaxes(views.cam_from_obj[..., :3, :3], -1, -2)
    height = (support @ normal[..., None])[..., 0].min(-1) + (centre * normal).sum(-1) + offset
    lift = np.where(grounded[:, None], -height, 0)[..., None] * normal
    pose = views.cam_from_obj.copy()
    pose[..., :3, 3] += lift
    centre = centre + lift
    radius = models.diameter[views.model] / 2
    absent = absent | (centre[..., 2] < 1.2 * radius)
    for place in range(1, absent.shape[1]):
        others = np.where(absent[:, :place, None], np.inf, centre[:, :place])
        clear = _clear_of(centre[:, place], radius[:, place], others, radius[:, :place])
        absent[:, place] |= ~clear & grounded
    return replace(views, cam_from_obj=pose), absent


def _clear_of(centre: FloatArray, radius: FloatArray, others: FloatArray, radii: FloatArray) -> NDArray[np.bool_]:
    """(B,) whether balls with centres (B, 3) and radii (B,) touch none of `others` (B, N, 3) with `radii` (B, N)."""
    return (np.linalg.norm(centre[:, None] - others, axis=-1) > radius[:, None] + radii).all(1)
