"""From what the network says of crops to poses with scores: PnP where its correspondences agree, else regression."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_regressor.estimation.correspondences import Correspondences, correspondences
from pose_regressor.estimation.look import Look
from pose_regressor.estimation.pnp.ransac import ransac_pnp, uniform_draws
from pose_regressor.geometry.camera import project
from pose_regressor.geometry.rigid import apply, rigid
from pose_regressor.geometry.so3 import from_6d, ray_from_axis
from pose_regressor.types import FloatArray, ObjectModel

#: A correspondence agrees with a pose if its reprojection error is below this share of the crop's edge.
INLIER_THRESHOLD = 0.04
#: The pose is the optimum over the correspondences whose errors are below this share of the threshold: the errors have
#: heavy tails.
CORE = 0.6
#: Neighbouring correspondences err together. What their errors have in common moves the pose, but does not show in the
#: residuals from which its covariance is taken. So all of them count as this many independent ones: on 273 synthetic
#: crops each of the shipped box and cube, the 95 % ellipsoid then holds 93 and 96 % of the true poses (docs/bpnp.md).
EFFECTIVE_POINTS = 2.5
#: Poses that RANSAC tries.
HYPOTHESES = 128
#: PnP is trusted if at least this many correspondences agree, and this share of all.
MIN_INLIERS = 24
MIN_INLIER_SHARE = 0.4
#: Regressed logarithms of an apparent size are clamped to these.
SMALLEST, LARGEST = -6.0, 3.0
#: Standard deviations assumed for a regressed pose: shares of the distance and of the diameter, and radians.
REGRESSION_SIGMA = {"depth": 0.05, "sideways": 0.1, "rotation": 0.3}


@dataclass(frozen=True, eq=False)
class PnPPose:
    """A pose that the correspondences of one crop agree on.

    cam_from_obj: (4, 4)
    covariance: (6, 6), as in PoseEstimate
    inliers: (N,) bool, which correspondences agree
    """

    cam_from_obj: FloatArray
    covariance: FloatArray
    inliers: NDArray[np.bool_]


def decode(looks: Sequence[Look], depth_scale: float) -> None:
    """Third step: give each look its pose, covariance, method and raw score.

    The pose is found by PnP if the correspondences of all orientations agree, else it is regressed from the crop as it
    is. depth_scale: the bundle's factor for distances by PnP. The score is the geometric mean of the presence and of
    the share of correspondences that the pose explains: two parts of the network must vouch for it.
    """
    answers = [look.answer for look in looks]
    found = [
        correspondences(answer.coordinates, answer.mask, answer.certainty, look.candidate.model)
        for look, answer in zip(looks, answers, strict=True)
    ]
    regressed = [regressed_pose(look) for look in looks]
    matrices, crop_size = [look.window.camera_matrix for look in looks], looks[0].crop_size if looks else 0
    by_pnp = decode_pnp(found, matrices, crop_size, regressed)
    for look, points, pnp, pose in zip(looks, found, by_pnp, regressed, strict=True):
        if pnp is None:
            look.method, look.cam_from_obj = "regression", pose
            look.covariance = _regression_covariance(look.cam_from_obj, look.candidate.model)
            explained = agreement(points, look.cam_from_obj, look.window.camera_matrix, look.crop_size)
        else:
            look.method, look.cam_from_obj, look.covariance = "pnp", pnp.cam_from_obj, pnp.covariance
            look.cam_from_obj[:3, 3] *= depth_scale
            explained = float(pnp.inliers.mean())
        look.score = math.sqrt(look.answer.presence * explained)


def regressed_pose(look: Look) -> FloatArray:
    """(4, 4) cam_from_obj: `ops.regression.decode_regression` for one crop."""
    answer, model, matrix = look.answer, look.candidate.model, look.window.camera_matrix
    location = answer.location.astype(np.float64)
    pixel = location[:2] * look.crop_size + (look.crop_size - 1) / 2
    log_size = min(max(location[2], SMALLEST), LARGEST)
    depth = math.sqrt(matrix[0, 0] * matrix[1, 1]) * model.diameter / (math.exp(log_size) * look.crop_size)
    ray = np.linalg.solve(matrix, np.append(pixel, 1.0))
    rotation = ray_from_axis(ray) @ from_6d(answer.rotation_6d.astype(np.float64))
    return rigid(rotation, ray * depth - rotation @ model.bounds.mean(0))


def _regression_covariance(pose: FloatArray, model: ObjectModel) -> FloatArray:
    sigma = np.repeat([REGRESSION_SIGMA["sideways"] * model.diameter, REGRESSION_SIGMA["rotation"]], 3)
    sigma[2] = REGRESSION_SIGMA["depth"] * pose[2, 3]
    return np.diag(sigma**2)


def decode_pnp(
    found: Sequence[Correspondences],
    camera_matrices: Sequence[NDArray],
    crop_size: int,
    starts: Sequence[FloatArray] | None = None,
) -> list[PnPPose | None]:
    """The pose of each crop by PnP; None if too few of its correspondences agree.

    found: the correspondences of each crop
    camera_matrices: (3, 3) of each crop
    crop_size: pixels along the crops' edges
    starts: (4, 4) of each crop, a pose that may be near; None: there are none
    """
    poses: list[PnPPose | None] = [None] * len(found)
    enough = [i for i, item in enumerate(found) if len(item.pixels) >= MIN_INLIERS]
    for i, draws in zip(enough, uniform_draws(len(enough), HYPOTHESES), strict=True):
        item, threshold = found[i], INLIER_THRESHOLD * crop_size
        start = starts[i][:3] if starts is not None else None
        result = ransac_pnp(item.pixels, item.points, camera_matrices[i], threshold, item.weights, draws, CORE, start)
        agreeing = int(result.inliers.sum())
        if result.minimum and agreeing >= max(MIN_INLIERS, MIN_INLIER_SHARE * len(item.pixels)):
            rotation, translation, covariance = result.minimum
            covariance = covariance * (agreeing / EFFECTIVE_POINTS)
            poses[i] = PnPPose(rigid(rotation, translation), covariance, result.inliers)
    return poses


def agreement(found: Correspondences, cam_from_obj: NDArray, camera_matrix: NDArray, crop_size: int) -> float:
    """Share of the correspondences that a pose (4, 4) explains; 0 if there are too few to tell."""
    if len(found.pixels) < MIN_INLIERS:
        return 0.0
    pixels = project(apply(cam_from_obj, found.points), camera_matrix, least_depth=1e-6)
    error = np.linalg.norm(pixels - found.pixels, axis=1)
    return float(np.mean(error < INLIER_THRESHOLD * crop_size))
