"""BPnP's backward as published, item by item with autograd: what benchmarks/bpnp.py compares with.

Written from the formulas of Chen et al., CVPR 2020: f_j = sum_i <r_i, c_ij> with c_ij = -2 d pi_i / d y_j, all of it by
automatic differentiation, one f_j at a time; then dy/dtheta = -(df/dy)^-1 df/dtheta. Forward: OpenCV's iterative solver.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor


def project(poses: Tensor, points: Tensor, camera: Tensor) -> Tensor:
    """poses (N, 6) rotation vector and translation, one for each of points (N, 3) -> (N, 2)."""
    angle = poses[:, :3].norm(dim=1, keepdim=True)
    axis = poses[:, :3] / angle
    along = (axis * points).sum(1, keepdim=True) * axis
    turned = points * angle.cos() + torch.linalg.cross(axis, points) * angle.sin() + along * (1 - angle.cos())
    h = (turned + poses[:, 3:]) @ camera.T
    return h[:, :2] / h[:, 2:]


class PublishedBpnp(torch.autograd.Function):
    """points_2d (B, N, 2), points_3d (B, N, 3), camera (B, 3, 3) -> poses (B, 6)."""

    @staticmethod
    def forward(ctx: Any, points_2d: Tensor, points_3d: Tensor, camera: Tensor) -> Tensor:
        poses = []
        for pixels, points, matrix in zip(points_2d.numpy(), points_3d.numpy(), camera.numpy(), strict=True):
            _, rvec, tvec = cv2.solvePnP(points, pixels, matrix, None, flags=cv2.SOLVEPNP_ITERATIVE)
            poses.append(np.concatenate([rvec, tvec]).ravel())
        result = torch.from_numpy(np.stack(poses)).to(points_2d)
        ctx.save_for_backward(points_2d, points_3d, camera, result)
        return result

    @staticmethod
    def backward(ctx: Any, by_pose: Tensor) -> tuple[Tensor, ...]:
        gradients = [_item(*values) for values in zip(*ctx.saved_tensors, by_pose, strict=True)]
        return tuple(torch.stack(column) for column in zip(*gradients, strict=True))


def _item(points_2d: Tensor, points_3d: Tensor, camera: Tensor, pose: Tensor, by_pose: Tensor) -> list[Tensor]:
    jacobians: list[list[Tensor]] = [[], [], [], []]
    for j in range(6):
        with torch.enable_grad():
            inputs = [value.detach().requires_grad_() for value in (pose, points_2d, points_3d, camera)]
            repeated = inputs[0].repeat(len(points_2d), 1)
            image = project(repeated, inputs[2], inputs[3])
            f = torch.zeros((), dtype=pose.dtype)
            for coordinate in range(2):
                ones = torch.ones(len(points_2d), dtype=pose.dtype)
                (slope,) = torch.autograd.grad(image[:, coordinate], repeated, ones, create_graph=True)
                residual = inputs[1][:, coordinate] - image[:, coordinate]
                f = f + (residual * -2 * slope[:, j]).sum()
            rows = torch.autograd.grad(f, inputs)
        for jacobian, row in zip(jacobians, rows, strict=True):
            jacobian.append(row.flatten())
    weights = -by_pose @ torch.linalg.inv(torch.stack(jacobians[0]))
    shapes = (points_2d, points_3d, camera)
    return [(weights @ torch.stack(rows)).view_as(like) for rows, like in zip(jacobians[1:], shapes, strict=True)]
