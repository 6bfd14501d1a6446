"""Fourth step: poses found by PnP are improved by further cues, one after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_regressor.estimation.correspondences import pooled_mask
from pose_regressor.estimation.look import Look
from pose_regressor.estimation.refine_colors import Crop, Surface, refine_on_colors
from pose_regressor.estimation.refine_outline import Edges, refine_on_outline
from pose_regressor.types import FloatArray, ObjectModel

#: Pose (4, 4) and covariance (6, 6).
Belief = tuple[FloatArray, FloatArray]


@dataclass(frozen=True, eq=False)
class Shape:
    """What an object's pose is refined on, worked out once.

    edges: of its mesh; None if the bundle lacks one
    surface: its coloured points; None if the bundle lacks them
    """

    edges: Edges | None
    surface: Surface | None

    @classmethod
    def of(cls, model: ObjectModel) -> Shape:
        return cls(Edges.of(model), Surface.of(model))


def _on_outline(look: Look, shown: NDArray[np.float32], shape: Shape) -> Belief:
    if shape.edges is None:
        return look.cam_from_obj, look.covariance
    return refine_on_outline(look.cam_from_obj, look.covariance, look.window.camera_matrix, shown, shape.edges)


def _on_colors(look: Look, shown: NDArray[np.float32], shape: Shape) -> Belief:
    if shape.surface is None:
        return look.cam_from_obj, look.covariance
    fine = look.finer.image if look.finer else None
    crop = Crop.of(look.window.image, shown, look.answer.coordinates[0], look.candidate.model, fine)
    return refine_on_colors(look.cam_from_obj, look.covariance, look.window.camera_matrix, crop, shape.surface)


#: In this order. Each takes the look, its mask (S, S) and the object's shape, and gives a better pose and covariance;
#: or the same ones, if its cue is missing or contradicts them.
STEPS: Sequence[Callable[[Look, NDArray[np.float32], Shape], Belief]] = (_on_outline, _on_colors)


def refine(look: Look, shape: Shape) -> None:
    """Improve the look's pose and covariance. Regressed poses stay: they are too rough for any cue."""
    if look.method == "regression":
        return
    shown = pooled_mask(look.answer.mask)
    for step in STEPS:
        look.cam_from_obj, look.covariance = step(look, shown, shape)
