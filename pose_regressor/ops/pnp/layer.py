"""The PnP layer: check, broadcast, solve."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from pose_regressor.geometry.rotation import rotvec_from_matrix
from pose_regressor.ops.pnp.implicit import Solve
from pose_regressor.ops.pnp.robust import RobustLoss
from pose_regressor.ops.pnp.solve import Options
from pose_regressor.ops.pnp.status import Status
from pose_regressor.types import InputError


class PnPResult(NamedTuple):
    """Poses of a batch, object to camera: p = rotation @ z + translation. The first two fields carry gradients.

    rotation: (..., 3, 3)
    translation: (..., 3), in the unit of points_3d
    covariance: (..., 6, 6) over (x, y, z, rotation about the camera's x, y, z), of small motions about the object's
        origin added on the left; infinite where it is unknown
    cost: (...) weighted sum of squared residuals, px²; with a robust loss, of rho of them
    status: (...) int32, values of `Status`
    """

    rotation: Tensor
    translation: Tensor
    covariance: Tensor
    cost: Tensor
    status: Tensor

    @property
    def converged(self) -> Tensor:
        """(...) bool: the pose is a minimum, the points determine it, and all are in front of the camera."""
        return self.status == int(Status.OK)

    @property
    def rvec(self) -> Tensor:
        """(..., 3) axis times angle in radians, as in OpenCV; carries gradients."""
        return rotvec_from_matrix(self.rotation)


def bpnp(
    points_2d: Tensor,
    points_3d: Tensor,
    camera_matrix: Tensor,
    weights: Tensor | None = None,
    init: tuple[Tensor, Tensor] | None = None,
    *,
    loss: RobustLoss | None = None,
    pixel_sigma: float | None = None,
    iterations: int = 20,
) -> PnPResult:
    """The poses that minimise sum_i w_i |project(z_i) - x_i|², differentiable by all four inputs.

    Inputs are of one floating type and on one device; their batch dimensions broadcast. All is computed in float64. No
    result and no gradient is ever NaN: items without a solution have a `status` that says why, and zero gradients.

    points_2d: x (..., N, 2) pixels
    points_3d: z (..., N, 3) or (N, 3)
    camera_matrix: (..., 3, 3) or (3, 3), last row (0, 0, 1)
    weights: w (..., N) or (N,), 0 or more: inverse variances up to a common factor; points of weight 0 do not count
    init: rotation (..., 3, 3) and translation (..., 3) to start from; None: search for the global minimum
    loss: minimise sum_i w_i rho(|r_i|²) instead
    pixel_sigma: standard deviation of a coordinate of weight 1, pixels, for the covariance; None: estimated from each
        item's residuals
    iterations: most Newton steps
    InputError: shapes, types or devices that do not fit.
    """
    if weights is None:
        weights = torch.ones_like(points_2d[..., 0]) if isinstance(points_2d, Tensor) and points_2d.ndim else points_2d
    named = {"points_2d": points_2d, "points_3d": points_3d, "camera_matrix": camera_matrix, "weights": weights}
    batch, count = check(named)
    size = int(torch.Size(batch).numel())
    tails = {"points_2d": (count, 2), "points_3d": (count, 3), "camera_matrix": (3, 3), "weights": (count,)}
    flat = [named[name].expand(*batch, *tail).reshape(size, *tail) for name, tail in tails.items()]
    start = None if init is None else _initial(init, batch, points_2d)
    options = Options(iterations, loss, pixel_sigma, may_stop=points_2d.device.type == "cpu")
    outputs = Solve.apply(*flat, start, options)
    return PnPResult(*(value.reshape((*batch, *value.shape[1:])) for value in outputs))


def check(named: dict[str, Tensor]) -> tuple[torch.Size, int]:
    """The batch shape and the number of points. InputError: the tensors do not fit together."""
    tails = {"points_2d": ("N", 2), "points_3d": ("N", 3), "camera_matrix": (3, 3), "weights": ("N",)}
    first = named["points_2d"]
    for name, value in named.items():
        if not isinstance(value, Tensor):
            raise InputError(f"{name}: expected a tensor, got {type(value).__name__}")
        if not value.is_floating_point():
            raise InputError(f"{name}: expected a floating type, got {value.dtype}")
        if value.dtype != first.dtype or value.device != first.device:
            raise InputError(
                f"{name}: expected {first.dtype} on {first.device} as points_2d, got {value.dtype} on {value.device}"
            )
        tail = tails[name]
        got = value.shape[-len(tail) :]
        if len(got) < len(tail) or any(want not in ("N", have) for want, have in zip(tail, got, strict=True)):
            expected = ", ".join(map(str, ("...", *tail)))
            raise InputError(f"{name}: expected shape ({expected}), got {tuple(value.shape)}")
    count = first.shape[-2]
    for name in ("points_3d", "weights"):
        have = named[name].shape[-len(tails[name])]
        if have != count:
            raise InputError(f"{name}: expected {count} points as points_2d, got {have}")
    batches = [value.shape[: value.ndim - len(tails[name])] for name, value in named.items()]
    try:
        return torch.broadcast_shapes(*batches), count
    except RuntimeError as error:
        shapes = ", ".join(f"{name} {tuple(shape)}" for name, shape in zip(named, batches, strict=True))
        raise InputError(f"batch shapes do not broadcast: {shapes}") from error


def _initial(init: tuple[Tensor, Tensor], batch: torch.Size, like: Tensor) -> Tensor:
    """[R | t] (B, 3, 4) in float64, without gradient: the start does not move the minimum.

    Rotations are made exact to the last digit, since each step only turns them.
    """
    rotation, translation = init
    for name, value, tail in (("rotation", rotation, (3, 3)), ("translation", translation, (3,))):
        if tuple(value.shape[value.ndim - len(tail) :]) != tail:
            raise InputError(
                f"init {name}: expected shape (..., {', '.join(map(str, tail))}), got {tuple(value.shape)}"
            )
        try:
            value.expand(*batch, *tail)
        except RuntimeError as error:
            raise InputError(
                f"init {name}: expected a batch of {tuple(batch)}, got {tuple(value.shape[: value.ndim - len(tail)])}"
            ) from error
    given = rotation.detach().to(like.device, torch.float64)
    left, _, right = torch.linalg.svd(torch.where(given.isfinite().all(-1).all(-1)[..., None, None], given, 0.0))
    turn = torch.linalg.det(left @ right).sign()
    nearest = left @ torch.cat([right[..., :2, :], right[..., 2:, :] * turn[..., None, None]], -2)
    place = translation.detach().to(like.device, torch.float64).expand(*batch, 3).unsqueeze(-1)
    return torch.cat([nearest.expand(*batch, 3, 3), place], -1).reshape(-1, 3, 4)
