"""Pose from 2D-3D correspondences: RANSAC, Levenberg-Marquardt to the optimum, covariance from there."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_regressor.types import FloatArray, InputError

MIN_POINTS = 4
#: RANSAC's pose comes from a few points: refine it on all that agree, then on those that agree ever better, and keep as
#: inliers what agrees with the last pose as well as RANSAC asked (shares of its threshold).
REFINEMENTS = (1.0, 0.6, 1.0)


@dataclass(frozen=True, eq=False)
class PnPResult:
    """cam_from_obj: (4, 4); covariance: (6, 6) over (x, y, z, rotation about the camera's x, y, z) in m² and rad²;
    inliers: (N,) bool; rms: root mean square reprojection error of the inliers in pixels.
    """

    cam_from_obj: FloatArray
    covariance: FloatArray
    inliers: NDArray[np.bool_]
    rms: float


def solve_pnp(
    points_2d: NDArray, points_3d: NDArray, camera_matrix: NDArray, threshold: float, iterations: int = 100
) -> PnPResult | None:
    """points_2d (N, 2) pixels, points_3d (N, 3) metres, camera_matrix (3, 3) -> the pose most of them agree on.

    threshold: pixels within which a point agrees. None when no pose in front of the camera explains at least
    MIN_POINTS + 1 points. Raises InputError for arrays of other shapes.
    """
    if points_2d.ndim != 2 or points_2d.shape[1] != 2 or points_3d.shape != (len(points_2d), 3):
        raise InputError(f"solve_pnp: expected points (N, 2) and (N, 3), got {points_2d.shape} and {points_3d.shape}")
    if len(points_2d) <= MIN_POINTS:
        return None
    pixels, points = points_2d.astype(np.float64), points_3d.astype(np.float64)
    try:
        found, rvec, tvec, index = cv2.solvePnPRansac(
            points, pixels, camera_matrix, None,
            iterationsCount=iterations, reprojectionError=threshold, confidence=0.999, flags=cv2.SOLVEPNP_SQPNP,
        )  # fmt: skip
        if not found or index is None:
            return None
        inliers = np.zeros(len(pixels), bool)
        inliers[index.ravel()] = True
        for share in REFINEMENTS:
            if inliers.sum() <= MIN_POINTS:
                return None
            rvec, tvec = cv2.solvePnPRefineLM(points[inliers], pixels[inliers], camera_matrix, None, rvec, tvec)
            cam_from_obj = _pose(rvec, tvec)
            residual = _residual(cam_from_obj, pixels, points, camera_matrix)
            inliers = np.linalg.norm(residual, axis=1) < share * threshold
    except cv2.error:  # OpenCV raises on degenerate sets instead of reporting them
        return None
    used = points[inliers] @ cam_from_obj[:3, :3].T + cam_from_obj[:3, 3]
    if len(used) <= MIN_POINTS or not np.isfinite(cam_from_obj).all() or (used[:, 2] <= 0).any():
        return None
    rms = float(np.sqrt(np.square(residual[inliers]).sum(1).mean()))
    return PnPResult(cam_from_obj, _covariance(used, cam_from_obj, camera_matrix, residual[inliers]), inliers, rms)


def _pose(rvec: NDArray, tvec: NDArray) -> FloatArray:
    cam_from_obj = np.eye(4)
    cam_from_obj[:3, :3] = cv2.Rodrigues(rvec)[0]
    cam_from_obj[:3, 3] = tvec.ravel()
    return cam_from_obj


def _residual(cam_from_obj: NDArray, pixels: NDArray, points: NDArray, camera_matrix: NDArray) -> FloatArray:
    """(N, 2) projection minus pixel; without end for points behind the camera."""
    projected = (points @ cam_from_obj[:3, :3].T + cam_from_obj[:3, 3]) @ camera_matrix.T
    behind = projected[:, 2:] <= 0
    return np.where(behind, np.inf, projected[:, :2] / np.where(behind, 1.0, projected[:, 2:]) - pixels)


def _covariance(in_camera: NDArray, cam_from_obj: NDArray, camera_matrix: NDArray, residual: NDArray) -> FloatArray:
    """Gauss-Newton: σ² (JᵀJ)⁻¹ with σ² from the residual, for a left perturbation about the object's origin.

    Neighbouring correspondences of a dense prediction err together, so the points do not count as independent
    measurements: the information is divided by their number over that of a minimal set.
    """
    fx, fy = camera_matrix[0, 0], camera_matrix[1, 1]
    x, y, z = in_camera.T
    zero = np.zeros_like(z)
    by_point = np.stack([np.stack([fx / z, zero, -fx * x / z**2], -1), np.stack([zero, fy / z, -fy * y / z**2], -1)], 1)
    arm = in_camera - cam_from_obj[:3, 3]
    cross = np.stack(
        [np.stack([zero, arm[:, 2], -arm[:, 1]], -1), np.stack([-arm[:, 2], zero, arm[:, 0]], -1),
         np.stack([arm[:, 1], -arm[:, 0], zero], -1)], axis=1,
    )  # fmt: skip  # -[arm]x: how a rotation moves the point
    jacobian = np.concatenate([by_point, by_point @ cross], axis=2).reshape(-1, 6)
    variance = np.square(residual).sum() / max(1, residual.size - 6)
    information = jacobian.T @ jacobian * (MIN_POINTS / len(in_camera))
    return variance * np.linalg.pinv(information, hermitian=True)
