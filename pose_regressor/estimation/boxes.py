"""Boxes in the image: where the network sees objects, where poses put them, and which of them are the same."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from pose_regressor.network.heads import BoxOutput
from pose_regressor.types import Camera, FloatArray, ObjectModel, PoseEstimate

#: A peak of the box head is worth a second look from here on, and so many of them for each object; where an object is
#: known already, more of the kind must show more clearly.
FIND_THRESHOLD, FIND_MORE_THRESHOLD = 0.1, 0.4
MAX_CANDIDATES = 4


def peaks(output: BoxOutput) -> tuple[NDArray, NDArray]:
    """Local maxima of the presence map: scores (O, MAX_CANDIDATES) and boxes (O, MAX_CANDIDATES, 4), best first."""
    score = output.logits.float().sigmoid()
    score = score * (score == torch.nn.functional.max_pool2d(score, 3, 1, 1))
    best, index = score[0].flatten(1).topk(min(MAX_CANDIDATES, score[0, 0].numel()), dim=1)
    boxes = output.decode()[0].flatten(1, 2).gather(1, index[..., None].expand(-1, -1, 4))
    return best.cpu().numpy(), boxes.cpu().numpy()


def map_box(matrix: FloatArray, box: NDArray) -> FloatArray:
    """(4,) the box (4,) of two corners under a homography (3, 3) that turns nothing."""
    corners = matrix @ np.array([[box[0], box[2]], [box[1], box[3]], [1, 1]])
    return (corners[:2] / corners[2]).T.reshape(4)


def projected_box(
    model: ObjectModel, pose: FloatArray, matrix: FloatArray, distortion: FloatArray | None
) -> FloatArray:
    """(4,) around the object's points under a pose, in pixels of a camera (3, 3) with OpenCV's distortion, if any."""
    points = model.points @ pose[:3, :3].T + pose[:3, 3]
    if distortion is None:
        h = points @ matrix.T
        pixels = h[:, :2] / h[:, 2:]
    else:
        pixels = cv2.projectPoints(points, np.zeros(3), np.zeros(3), matrix, distortion)[0].reshape(-1, 2)
    return np.concatenate([pixels.min(0), pixels.max(0)])


def ideal_box(model: ObjectModel, cam_from_obj: FloatArray, camera: Camera) -> FloatArray:
    """(4,) around the object's points under a pose, in ideal pinhole pixels: those of the camera without distortion."""
    return projected_box(model, cam_from_obj, camera.matrix, None)


def distinct(estimates: list[PoseEstimate]) -> list[PoseEstimate]:
    """Best first, without those that are another's twin: the same object, less than half its diameter away or seen for
    the most part in the same pixels.
    """
    kept: list[PoseEstimate] = []
    for estimate in sorted(estimates, key=lambda e: -e.score):
        same = [e for e in kept if e.model is estimate.model]
        if not any(
            np.linalg.norm(e.translation - estimate.translation) < e.model.diameter / 2
            or shared_area(e.box, estimate.box) > 0.5
            for e in same
        ):
            kept.append(estimate)
    return kept


def shared_area(a: NDArray, b: NDArray) -> float:
    """Area of the intersection of two boxes over that of the smaller one."""
    edges = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    smaller = min(np.prod(a[2:] - a[:2]), np.prod(b[2:] - b[:2]))
    return float(np.prod(edges.clip(0)) / max(smaller, 1e-9))
