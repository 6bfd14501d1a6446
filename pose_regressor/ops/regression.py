"""Regressed poses as a torch layer. `estimation.decode` has the same for one crop in NumPy."""

from __future__ import annotations

import torch
from torch import Tensor

from pose_regressor.geometry.rotation import matrix_from_6d, pose_from, rotation_to_ray


def decode_regression(
    rotation_6d: Tensor, location: Tensor, camera_matrix: Tensor, crop_size: int, centre: Tensor, diameter: Tensor
) -> Tensor:
    """The regressed pose as a torch layer: (..., 4, 4) cam_from_obj.

    rotation_6d: (..., 6), allocentric: seen along the ray to the object's centre; location: (..., 3); both as in
    PoseOutput. camera_matrix: (..., 3, 3) of the crop; crop_size: pixels. centre: (..., 3) of the object's bounds and
    diameter: (...), metres.
    """
    pixel = location[..., :2] * crop_size + (crop_size - 1) / 2
    focal = (camera_matrix[..., 0, 0] * camera_matrix[..., 1, 1]).sqrt()
    depth = focal * diameter / (location[..., 2].clamp(-6, 3).exp() * crop_size)
    homogeneous = torch.cat([pixel, torch.ones_like(pixel[..., :1])], dim=-1).unsqueeze(-1)
    ray = torch.linalg.solve(camera_matrix, homogeneous).squeeze(-1)
    rotation = rotation_to_ray(ray) @ matrix_from_6d(rotation_6d)
    return pose_from(rotation, ray * depth.unsqueeze(-1) - (rotation @ centre.unsqueeze(-1)).squeeze(-1))
