"""A gradient for the projection loss that was tried and not kept: every wrong pixel pulls the nearest right one.

A distance transform of each silhouette tells which pixel of the other is nearest. A pixel that should be covered pulls
the point of the nearest covered pixel. A point where none should be is pulled to the nearest pixel where one should be.
All pull equally hard. Only `basin` uses it, to compare it with the kernels of `projection_loss`; it is slow.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from pose_regressor.ops.projection.reference import land, silhouette


def distance_loss(
    points: Tensor, rotation: Tensor, translation: Tensor, rotation_gt: Tensor, translation_gt: Tensor,
    camera_matrix: Tensor, size: tuple[int, int], scale: float,
) -> Tensor:  # fmt: skip
    """(B,) As `projection_loss`, but the value only carries the gradient."""
    height, width = size
    batch = len(rotation)
    cloud, camera = points.expand(batch, -1, 3), camera_matrix.expand(batch, 3, 3)
    with torch.no_grad():
        true = silhouette(land(cloud, rotation_gt, translation_gt, camera, height, width, scale), height * width)
        predicted = silhouette(land(cloud, rotation, translation, camera, height, width, scale), height * width)
    index = predicted.first.clamp(max=len(points) - 1)
    landing = land(points[index], rotation, translation, camera, height, width, scale)
    value = landing.a.new_zeros(batch)
    for image in range(batch):
        covered, wanted = (s.covered[image].view(height, width).numpy() for s in (predicted, true))
        if not covered.any() or not wanted.any():
            continue
        missing, surplus = wanted & ~covered, covered & ~wanted
        mover = np.concatenate([_nearest(covered, missing), np.flatnonzero(surplus)])
        goal = np.concatenate([np.flatnonzero(missing), _nearest(wanted, surplus)])
        place = torch.stack([landing.a[image, mover], landing.b[image, mover]], dim=1)
        wish = torch.from_numpy(np.stack([goal % width, goal // width], axis=1)).to(place)
        value[image] = (place - wish).norm(dim=1).sum() / float((covered | wanted).sum())
    return value


def _nearest(mask: NDArray[np.bool_], asking: NDArray[np.bool_]) -> NDArray[np.int64]:
    """For each pixel of `asking`, in order, the number of the nearest pixel of `mask`."""
    rows, columns = np.nonzero(mask | asking)
    part = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    row, column = distance_transform_edt(~mask[part], return_distances=False, return_indices=True).astype(np.int64)
    return ((row + rows.min()) * mask.shape[1] + column + columns.min())[asking[part]]
