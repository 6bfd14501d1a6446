"""The two layers of BPnP's authors, from a checkout of their code: rivals of bpnp.py.

Their code needs a function of kornia that newer versions lack. If there is none, one of torch takes its place.
"""

from __future__ import annotations

import importlib.util
import sys
import types
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from pose_regressor.geometry.rotation import matrix_from_quaternion
from pose_regressor.types import InputError

#: Their layers for a batch that shares its object points.
LAYERS = ("BPnP", "BPnP_fast")
COUNT = 8


def authors_layers(folder: Path) -> dict[str, Callable[..., Tensor]]:
    """Their layers by name, each a function of points_2d (B, N, 2), points_3d (N, 3) and the camera matrix (3, 3)."""
    path = folder / "BPnP.py"
    if not path.is_file():
        raise InputError(f"--authors {folder}: expected a checkout of the authors' code, with BPnP.py in it")
    _have_kornia()
    spec = importlib.util.spec_from_file_location("authors_bpnp_checkout", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {name: getattr(module, name).apply for name in LAYERS}


def _have_kornia() -> None:
    try:
        import kornia
    except ImportError:
        kornia = sys.modules["kornia"] = types.ModuleType("kornia")
    if not hasattr(kornia, "angle_axis_to_rotation_matrix"):
        kornia.angle_axis_to_rotation_matrix = _matrix_from_rotvec  # type: ignore[attr-defined]


def _matrix_from_rotvec(rotvec: Tensor) -> Tensor:
    """(B, 3) -> (B, 3, 3) by Rodrigues' formula."""
    angle = rotvec.norm(dim=1)[:, None, None]
    x, y, z = (rotvec / angle[:, 0]).unbind(1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], 1).view(-1, 3, 3)
    return torch.eye(3).to(rotvec) + angle.sin() * cross + (1 - angle.cos()) * (cross @ cross)


def shared_problems(batch: int) -> tuple[list[Tensor], Tensor]:
    """points_2d (B, 8, 2), points_3d (8, 3), camera matrix (3, 3), float32; and true poses (B, 6) to start from."""
    generator = torch.Generator().manual_seed(0)
    points = 2 * torch.rand(COUNT, 3, generator=generator) - 1
    camera = torch.tensor([[600.0, 0, 320], [0, 630, 240], [0, 0, 1]])
    place = torch.rand(batch, 3, generator=generator) * torch.tensor([2.0, 2, 5]) + torch.tensor([-1.0, -1, 3])
    quaternion = torch.nn.functional.normalize(torch.randn(batch, 4, generator=generator), dim=1)
    quaternion = quaternion * quaternion[:, 3:].sign()
    h = (points @ matrix_from_quaternion(quaternion).mT + place[:, None]) @ camera.mT
    pixels = h[..., :2] / h[..., 2:] + 2 * torch.randn(batch, COUNT, 2, generator=generator)
    vector = quaternion[:, :3]
    angle = 2 * torch.atan2(vector.norm(dim=1), quaternion[:, 3])
    rotvec = angle[:, None] * torch.nn.functional.normalize(vector, dim=1)
    return [pixels, points, camera], torch.cat([rotvec, place], 1)
