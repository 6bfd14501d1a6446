"""Fourth step: poses are improved by further cues, one after another: outline, colours, measured depth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_regressor.estimation.correspondences import pooled_mask
from pose_regressor.estimation.look import Look
from pose_regressor.estimation.refine_colors import Crop, Surface, refine_on_colors
from pose_regressor.estimation.refine_depth import Solid, refine_on_depth
from pose_regressor.estimation.refine_outline import Edges, refine_on_outline
from pose_regressor.types import FloatArray, ObjectModel

#: Pose (4, 4) and covariance (6, 6).
Belief = tuple[FloatArray, FloatArray]


@dataclass(frozen=True, eq=False)
class Shape:
    """What an object's pose is refined on, worked out once.

    edges: of its mesh; None if the bundle lacks one
    surface: its coloured points; None if the bundle lacks them
    solid: what measured depth is compared with; None if the bundle lacks the mesh
    """

    edges: Edges | None
    surface: Surface | None
    solid: Solid | None

    @classmethod
    def of(cls, model: ObjectModel) -> Shape:
        return cls(Edges.of(model), Surface.of(model), Solid.of(model))


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


def refine(look: Look, shape: Shape, covariance_scale: float, image: bool = True) -> None:
    """Improve the look's pose and covariance: on the image, then on depth where the frame has it.

    Regressed poses are too rough for the cues in the image, so these leave them as they are.

    covariance_scale: the bundle's factor for covariances by PnP, which depth must know to weigh the pose before it
    image: False: only on depth
    """
    if look.method == "regression" and look.depth is None:
        return
    shown = pooled_mask(look.answer.mask)
    if image and look.method != "regression":
        for step in STEPS:
            look.cam_from_obj, look.covariance = step(look, shown, shape)
    if look.depth is not None and shape.solid is not None and shape.edges is not None:
        scale = covariance_scale if look.method == "pnp" else 1.0
        matrix, covariance = look.window.camera_matrix, scale * look.covariance
        solid, edges = shape.solid, shape.edges
        fit = refine_on_depth(look.cam_from_obj, covariance, matrix, shown, look.depth, solid, edges)
        if fit.evidence:
            look.cam_from_obj, look.covariance, look.evidence = fit.cam_from_obj, fit.covariance, fit.evidence
            look.bias = fit.bias
            look.score *= fit.evidence.support
