"""From what the network says of a crop to a pose in the camera's frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pose_regressor.geometry.rigid import rigid
from pose_regressor.geometry.rotation import matrix_from_6d, rotation_to_ray
from pose_regressor.network.config import DENSE_STRIDE
from pose_regressor.ops.pnp import Status, ransac_pnp
from pose_regressor.types import FloatArray, ObjectModel

#: Correspondences that RANSAC gets; more of the same neighbourhood add time, not accuracy.
MAX_POINTS = 1024
#: A correspondence agrees with a pose when it is this near, as a share of the crop's edge.
INLIER_THRESHOLD = 0.04
#: The pose is the optimum over what agrees this share of the threshold well: the errors have heavy tails.
CORE = 0.6
#: Neighbouring correspondences err together, and whatever they have in common is in the pose, not in the residuals that
#: its covariance is taken from. All of them say as much as so few independent ones: on 273 synthetic crops each of the
#: shipped box and cube the 95 % ellipsoid then holds 93 and 96 % of the true poses (docs/bpnp.md).
EFFECTIVE_POINTS = 2.5
HYPOTHESES = 128
#: PnP is trusted when this many correspondences and this share of them agree.
MIN_INLIERS = 24
MIN_INLIER_SHARE = 0.4


@dataclass(frozen=True, eq=False)
class Correspondences:
    """pixels: (N, 2) in the crop; points: (N, 3) metres, object frame; weights: (N,) inverse variances of the points,
    up to a common factor.
    """

    pixels: FloatArray
    points: FloatArray
    weights: FloatArray


@dataclass(frozen=True, eq=False)
class PnPPose:
    """cam_from_obj: (4, 4); covariance: (6, 6) as PoseEstimate's; inliers: (N,) bool, the correspondences behind it."""

    cam_from_obj: FloatArray
    covariance: FloatArray
    inliers: NDArray[np.bool_]


def decode_regression(
    rotation_6d: Tensor, location: Tensor, camera_matrix: Tensor, crop_size: int, centre: Tensor, diameter: Tensor
) -> Tensor:
    """rotation_6d (..., 6), location (..., 3), camera_matrix (..., 3, 3) of the crop -> cam_from_obj (..., 4, 4).

    centre (..., 3) of the object's bounds and its diameter (...), metres.
    """
    pixel = location[..., :2] * crop_size + (crop_size - 1) / 2
    focal = (camera_matrix[..., 0, 0] * camera_matrix[..., 1, 1]).sqrt()
    depth = focal * diameter / (location[..., 2].clamp(-6, 3).exp() * crop_size)
    homogeneous = torch.cat([pixel, torch.ones_like(pixel[..., :1])], dim=-1).unsqueeze(-1)
    ray = torch.linalg.solve(camera_matrix, homogeneous).squeeze(-1)
    rotation = rotation_to_ray(ray) @ matrix_from_6d(rotation_6d)
    return rigid(rotation, ray * depth.unsqueeze(-1) - (rotation @ centre.unsqueeze(-1)).squeeze(-1))


def quarter_turns(images: Tensor, turns: int) -> Tensor:
    """(B, C, S, S) -> (turns * B, C, S, S): all of them as they are, then turned by 90 degrees, by 180, by 270.

    Turning by right angles is exact, and the network errs differently each time: pooling its answers is the cheapest
    way to a better pose.
    """
    return torch.cat([torch.rot90(images, turn, (2, 3)) for turn in range(turns)])


def _turn_back(columns: NDArray, rows: NDArray, turn: int, size: int) -> NDArray:
    """(N, 2) pixels in the crop of `size` of what stands at (columns, rows) of the crop after `turn` quarter turns."""
    last = size - 1
    x, y = [(columns, rows), (last - rows, columns), (last - columns, last - rows), (rows, last - columns)][turn]
    return np.stack([x, y], -1).astype(np.float64)


def correspondences(coordinates: NDArray, mask: NDArray, certainty: NDArray, model: ObjectModel) -> Correspondences:
    """What the crop and its quarter turns say, pooled, each evenly thinned to its share of MAX_POINTS.

    coordinates: (T, 3, h, w) in [-1, 1], mask and certainty: (T, h, w), one for each of T <= 4 quarter turns, in their
    order, as in PoseOutput.
    """
    pixels, points, weights = [], [], []
    low, high = model.bounds
    size = mask.shape[1] * DENSE_STRIDE
    for turn, (values, shown) in enumerate(zip(coordinates.reshape(len(mask), 3, -1), mask > 0, strict=True)):
        place = np.flatnonzero(shown)
        step = -(-len(place) * len(mask) // MAX_POINTS) or 1
        place = place[::step]
        rows, columns = np.divmod(place, mask.shape[2])
        pixels.append(_turn_back(columns * DENSE_STRIDE, rows * DENSE_STRIDE, turn, size))
        points.append((low + high) / 2 + values[:, place].T.astype(np.float64) * ((high - low) / 2))
        weights.append(np.exp(2 * certainty[turn].reshape(-1)[place].astype(np.float64)))
    return Correspondences(np.concatenate(pixels), np.concatenate(points), np.concatenate(weights))


def pooled_mask(mask: NDArray) -> NDArray[np.float32]:
    """(S, S) how probable it is that a pixel of the crop shows the object, after the crop and its quarter turns.

    mask: (T, h, w) logits, as in `correspondences`.
    """
    size = mask.shape[1] * DENSE_STRIDE
    pooled = np.zeros((size, size), np.float32)
    onto_pixels = np.array([[DENSE_STRIDE, 0, 0], [0, DENSE_STRIDE, 0]], np.float64)
    for turn, logits in enumerate(mask.astype(np.float32)):
        probability = cv2.warpAffine(
            1 / (1 + np.exp(-logits)), onto_pixels, (size, size), borderMode=cv2.BORDER_REPLICATE
        )
        pooled += np.rot90(probability, -turn)
    return pooled / np.float32(len(mask))


def decode_pnp(
    found: Sequence[Correspondences], camera_matrices: Sequence[NDArray], crop_size: int
) -> list[PnPPose | None]:
    """For each of several crops the pose by PnP, or None where its correspondences agree too little to be trusted.

    camera_matrices: (3, 3) of each crop; crop_size: pixels along their edges.
    """
    poses: list[PnPPose | None] = [None] * len(found)
    enough = [i for i, item in enumerate(found) if len(item.pixels) >= MIN_INLIERS]
    if not enough:
        return poses
    counts = np.array([len(found[i].pixels) for i in enough])
    weights = np.zeros((len(enough), counts.max()))
    pixels, points = np.zeros((*weights.shape, 2)), np.zeros((*weights.shape, 3))
    for row, i in enumerate(enough):
        item, places = found[i], slice(counts[row])
        pixels[row, places], points[row, places], weights[row, places] = item.pixels, item.points, item.weights
    cameras = torch.from_numpy(np.stack([camera_matrices[i] for i in enough]))
    result = ransac_pnp(
        torch.from_numpy(pixels), torch.from_numpy(points), cameras, INLIER_THRESHOLD * crop_size,
        torch.from_numpy(weights), core=CORE, hypotheses=HYPOTHESES,
    )  # fmt: skip
    rotation, translation, covariance, _, status, inliers = (value.numpy() for value in result)
    agreeing = inliers.sum(1)
    trusted = (status == Status.OK) & (agreeing >= MIN_INLIERS) & (agreeing >= MIN_INLIER_SHARE * counts)
    for row, i in enumerate(enough):
        if trusted[row]:
            pose = np.eye(4)
            pose[:3, :3], pose[:3, 3] = rotation[row], translation[row]
            own = covariance[row] * (agreeing[row] / EFFECTIVE_POINTS)
            poses[i] = PnPPose(pose, own, inliers[row, : counts[row]])
    return poses


def agreement(found: Correspondences, cam_from_obj: NDArray, camera_matrix: NDArray, crop_size: int) -> float:
    """Share of the correspondences that a pose explains, 0 where there are too few to tell."""
    if len(found.pixels) < MIN_INLIERS:
        return 0.0
    projected = (found.points @ cam_from_obj[:3, :3].T + cam_from_obj[:3, 3]) @ camera_matrix.T
    depth = projected[:, 2:].clip(1e-6)
    error = np.linalg.norm(projected[:, :2] / depth - found.pixels, axis=1)
    return float(np.mean(error < INLIER_THRESHOLD * crop_size))
