"""Rotations and poses as torch tensors, for layers. Any batch shape; dtype and device stay. NumPy: so3.py, rigid.py."""

from __future__ import annotations

import torch
from torch import Tensor


def matrix_from_6d(values: Tensor) -> Tensor:
    """(..., 6) -> (..., 3, 3): Gram-Schmidt on the first two columns.

    Zhou et al., On the Continuity of Rotation Representations in Neural Networks, CVPR 2019, eq. 15. Continuous
    over SO(3), unlike quaternions, which is why the network regresses it.
    """
    first, second = values[..., :3], values[..., 3:]
    x = torch.nn.functional.normalize(first, dim=-1)
    y = torch.nn.functional.normalize(second - (x * second).sum(-1, keepdim=True) * x, dim=-1)
    return torch.stack([x, y, torch.linalg.cross(x, y)], dim=-1)


def matrix_from_quaternion(quaternion: Tensor) -> Tensor:
    """(..., 4) xyzw of any non-zero norm -> (..., 3, 3)."""
    x, y, z, w = torch.nn.functional.normalize(quaternion, dim=-1).unbind(-1)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w),
        2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w),
        2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return torch.stack(rows, dim=-1).unflatten(-1, (3, 3))


def quaternion_from_matrix(rotation: Tensor) -> Tensor:
    """(..., 3, 3) -> (..., 4) unit quaternion xyzw with w >= 0.

    Of the four ways to divide (Shepperd, J. Guidance and Control 1(3), 1978) the one with the largest divisor is
    taken, so that no angle loses precision.
    """
    m = rotation
    trace = m[..., 0, 0] + m[..., 1, 1] + m[..., 2, 2]
    squares = torch.stack([*(1 + 2 * m[..., i, i] - trace for i in range(3)), 1 + trace], dim=-1)  # 4 x², 4 y², …
    yz, xz, xy = m[..., 2, 1] + m[..., 1, 2], m[..., 0, 2] + m[..., 2, 0], m[..., 1, 0] + m[..., 0, 1]
    xw, yw, zw = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    candidates = torch.stack(
        [
            torch.stack([squares[..., 0], xy, xz, xw], -1),
            torch.stack([xy, squares[..., 1], yz, yw], -1),
            torch.stack([xz, yz, squares[..., 2], zw], -1),
            torch.stack([xw, yw, zw, squares[..., 3]], -1),
        ],
        dim=-2,
    )
    best = squares.argmax(-1)[..., None, None].expand(*squares.shape[:-1], 1, 4)
    quaternion = torch.nn.functional.normalize(candidates.gather(-2, best).squeeze(-2), dim=-1)
    return torch.where(quaternion[..., 3:] < 0, -quaternion, quaternion)


def rotation_to_ray(direction: Tensor) -> Tensor:
    """(..., 3) directions with z > 0 -> (..., 3, 3) the shortest rotation from the optical axis (0, 0, 1) to them.

    The bridge between egocentric and allocentric rotations: what a crop shows depends on
    ``rotation_to_ray(ray).mT @ rotation``, not on `rotation` (Kundu et al., 3D-RCNN, CVPR 2018, section 4.2).
    """
    x, y, z = torch.nn.functional.normalize(direction, dim=-1).unbind(-1)
    k = 1 / (1 + z)  # Rodrigues' formula for axis (-y, x, 0), sine |(x, y)|, cosine z
    rows = [1 - k * x * x, -k * x * y, x, -k * x * y, 1 - k * y * y, y, -x, -y, z]
    return torch.stack(rows, dim=-1).unflatten(-1, (3, 3))


def rotvec_from_matrix(rotation: Tensor) -> Tensor:
    """(..., 3, 3) -> (..., 3) axis times angle in [0, pi], by the quaternion, so that no angle loses precision."""
    quaternion = quaternion_from_matrix(rotation)
    squared = quaternion[..., :3].square().sum(-1, keepdim=True)
    small = squared < 1e-8
    sine = torch.where(small, 1.0, squared).sqrt()
    half = torch.atan2(sine, quaternion[..., 3:])
    return quaternion[..., :3] * torch.where(small, 2 + squared / 3, 2 * half / sine)


def pose_from(rotation: Tensor, translation: Tensor) -> Tensor:
    """(..., 3, 3) and (..., 3) -> (..., 4, 4)."""
    top = torch.cat([rotation, translation.unsqueeze(-1)], dim=-1)
    bottom = top.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(*top.shape[:-2], 1, 4)
    return torch.cat([top, bottom], dim=-2)
