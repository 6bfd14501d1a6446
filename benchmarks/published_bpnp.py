"""BPnP's backward as published, item by item with autograd: the rival of bpnp.py.

Written from the formulas of Chen et al., End-to-End Learnable Geometric Vision by Backpropagating PnP Optimization,
CVPR 2020: f_j = sum_i <r_i, c_ij> with c_ij = -2 d pi_i / d y_j, both derivatives by automatic differentiation, one f_j
at a time; then dy/dtheta = -(df/dy)^-1 df/dtheta. Forward: OpenCV's iterative solver.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor


class PublishedBpnp(torch.autograd.Function):
    """points_2d (B, N, 2), points_3d (B, N, 3), camera (B, 3, 3) -> poses (B, 6), rotation vector and translation.

    one_by_one: differentiates every c_ij by itself, as the formula is written. Otherwise one call gives those of all
    points of an item, with a copy of the pose for each point.
    """

    @staticmethod
    def forward(ctx: Any, points_2d: Tensor, points_3d: Tensor, camera: Tensor, one_by_one: bool) -> Tensor:
        poses = []
        for pixels, points, matrix in zip(points_2d.numpy(), points_3d.numpy(), camera.numpy(), strict=True):
            _, rvec, tvec = cv2.solvePnP(points, pixels, matrix, None, flags=cv2.SOLVEPNP_ITERATIVE)
            poses.append(np.concatenate([rvec, tvec]).ravel())
        result = torch.from_numpy(np.stack(poses)).to(points_2d)
        ctx.save_for_backward(points_2d, points_3d, camera, result)
        ctx.slopes = _slopes_one_by_one if one_by_one else _slopes_at_once
        return result

    @staticmethod
    def backward(ctx: Any, by_pose: Tensor) -> tuple[Tensor | None, ...]:
        gradients = [_item(*values, ctx.slopes) for values in zip(*ctx.saved_tensors, by_pose, strict=True)]
        return *(torch.stack(column) for column in zip(*gradients, strict=True)), None


def project(poses: Tensor, points: Tensor, camera: Tensor) -> Tensor:
    """poses (N, 6), one for each of the points (N, 3) -> (N, 2) pixels."""
    angle = poses[:, :3].norm(dim=1, keepdim=True)
    axis = poses[:, :3] / angle
    along = (axis * points).sum(1, keepdim=True) * axis
    turned = points * angle.cos() + torch.linalg.cross(axis, points) * angle.sin() + along * (1 - angle.cos())
    h = (turned + poses[:, 3:]) @ camera.T
    return h[:, :2] / h[:, 2:]


def _slopes_at_once(image: Tensor, poses: Tensor, j: int) -> Tensor:
    """(N, 2): d pi_i / d y_j."""
    ones = torch.ones(len(image), dtype=image.dtype)
    columns = [torch.autograd.grad(image[:, k], poses, ones, create_graph=True)[0][:, j] for k in range(2)]
    return torch.stack(columns, 1)


def _slopes_one_by_one(image: Tensor, poses: Tensor, j: int) -> Tensor:
    """The same as _slopes_at_once, with a call for each value."""
    values = [torch.autograd.grad(value, poses, create_graph=True)[0][:, j].sum() for value in image.flatten()]
    return torch.stack(values).view_as(image)


def _item(points_2d: Tensor, points_3d: Tensor, camera: Tensor, pose: Tensor, by_pose: Tensor, slopes: Any) -> list:
    jacobians: list[list[Tensor]] = [[], [], [], []]
    for j in range(6):
        with torch.enable_grad():
            inputs = [value.detach().requires_grad_() for value in (pose, points_2d, points_3d, camera)]
            poses = inputs[0].repeat(len(points_2d), 1)
            image = project(poses, inputs[2], inputs[3])
            f = ((inputs[1] - image) * -2 * slopes(image, poses, j)).sum()
            rows = torch.autograd.grad(f, inputs)
        for jacobian, row in zip(jacobians, rows, strict=True):
            jacobian.append(row.flatten())
    weights = -by_pose @ torch.linalg.inv(torch.stack(jacobians[0]))
    likes = (points_2d, points_3d, camera)
    return [(weights @ torch.stack(rows)).view_as(like) for rows, like in zip(jacobians[1:], likes, strict=True)]
