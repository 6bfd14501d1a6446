"""From what the network says of crops to estimates: PnP and the outline where they can be trusted, else regression."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from pose_regressor.estimation.boxes import projected_box
from pose_regressor.estimation.correspondences import (
    agreement,
    correspondences,
    decode_pnp,
    decode_regression,
    pooled_mask,
)
from pose_regressor.estimation.refine_colors import Crop, Surface, refine_on_colors
from pose_regressor.estimation.refine_outline import Edges, refine_on_outline
from pose_regressor.estimation.windows import Window
from pose_regressor.network.bundle import Bundle
from pose_regressor.network.heads import PoseOutput
from pose_regressor.types import Camera, FloatArray, ObjectModel, PoseEstimate

#: Standard deviations assumed for a pose that was regressed: shares of the distance and of the diameter, and radians.
REGRESSION_SIGMA = {"depth": 0.05, "sideways": 0.1, "rotation": 0.3}


@dataclass(frozen=True, eq=False)
class Shape:
    """What an object's pose is refined on, worked out once: None what its bundle has not."""

    edges: Edges | None
    surface: Surface | None

    @classmethod
    def of(cls, model: ObjectModel) -> Shape:
        return cls(Edges.of(model), Surface.of(model))


def estimates_of(
    poses: PoseOutput,
    channels: list[int],
    windows: list[Window],
    finer: list[Window | None],
    bundle: Bundle,
    shapes: list[Shape],
    presence: NDArray,
    camera: Camera,
    refined: bool = True,
) -> list[PoseEstimate]:
    """PnP where the correspondences of all turns agree, `refined` on the mask's edge and on the object's colours, else
    the pose regressed from the crop as it is.

    One row of `poses` and of `presence` for each window, and the object's channel in them. Two parts of the network
    must vouch for either: the raw score is the geometric mean of the presence and of the share of correspondences that
    the pose explains. finer: each window once more by `finer_window`, for the colours; shapes: of each of the bundle's
    objects.
    """
    crop_size, matrices = bundle.config.crop_size, [window.camera_matrix for window in windows]
    found, masks = [], []
    for row, channel in enumerate(channels):
        coordinates, mask, certainty = (
            maps[:, row, channel].float().numpy() for maps in (poses.coordinates, poses.mask, poses.certainty)
        )
        masks.append(mask)
        found.append(correspondences(coordinates, mask, certainty, bundle.objects[channel]))
    estimates = []
    for row, (channel, result) in enumerate(zip(channels, decode_pnp(found, matrices, crop_size), strict=True)):
        model, matrix = bundle.objects[channel], matrices[row]
        if result is None:
            method: Literal["pnp", "regression"] = "regression"
            pose = decode_regression(
                poses.rotation_6d[0, row, channel].double(), poses.location[0, row, channel].double(),
                torch.from_numpy(matrix), crop_size, torch.from_numpy(model.bounds.mean(0)),
                torch.tensor(model.diameter),
            ).numpy()  # fmt: skip
            covariance = _regression_covariance(pose, model)
            explained = agreement(found[row], pose, matrix, crop_size)
        else:
            method = "pnp"
            pose, covariance = result.cam_from_obj, result.covariance
            explained = float(result.inliers.mean())
            pose[:3, 3] *= bundle.depth_scale
            shape = shapes[channel]
            shown = pooled_mask(masks[row]) if refined else None
            if shown is not None and shape.edges is not None:
                pose, covariance = refine_on_outline(pose, covariance, matrix, shown, shape.edges)
            if shown is not None and shape.surface is not None:
                upright, fine = poses.coordinates[0, row, channel].float().numpy(), finer[row]
                crop = Crop.of(windows[row].image, shown, upright, model, fine.image if fine else None)
                pose, covariance = refine_on_colors(pose, covariance, matrix, crop, shape.surface)
        score = math.sqrt(float(presence[row, channel]) * explained)
        box = projected_box(model, pose, camera.matrix, camera.distortion if camera.is_distorted else None)
        estimates.append(PoseEstimate(model, pose, covariance, score, method, box))
    return estimates


def _regression_covariance(pose: FloatArray, model: ObjectModel) -> FloatArray:
    sigma = np.repeat([REGRESSION_SIGMA["sideways"] * model.diameter, REGRESSION_SIGMA["rotation"]], 3)
    sigma[2] = REGRESSION_SIGMA["depth"] * pose[2, 3]
    return np.diag(sigma**2)
