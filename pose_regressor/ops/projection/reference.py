"""The projection loss in plain torch: the readable twin of `pose_regressor_cuda`, which tests compare with it.

[DPR] Bramon Mora, Deep 3D Pose Regression of Real Objects Trained With Synthetic Data, UPC 2018. Points are projected
with the predicted and with the true pose onto a grid of pixels. The silhouettes X and Y are the pixels that points land
in, and the loss is 1 - |X and Y| / |X or Y|.

Where a point lands. A point with z > NEAR in the camera projects to (u, v). With a = scale * u and b = scale * v it
lands in column floor(a + 1/2) and row floor(b + 1/2): pixel centres have integer coordinates. Points behind the camera
and outside the grid land nowhere. A silhouette pixel is represented by the point of the lowest index that lands in it,
and only representatives receive a gradient. Two empty silhouettes are equal: loss 0.

The gradient. A silhouette changes by whole pixels, so the gradient is no derivative but a direction chosen by `kernel`;
`one_pixel` and `long_range` describe the two. Where X = Y the loss has its minimum and the gradient is zero.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

#: Metres. Points nearer than this or behind the camera are not seen. No seen point overflows float32.
NEAR = 1e-6


class Landing(NamedTuple):
    """Where points land.

    a, b: (B, N) column and row, real numbers
    pixel: (B, N) row * width + column; height * width for points that land nowhere
    """

    a: Tensor
    b: Tensor
    pixel: Tensor


class Silhouette(NamedTuple):
    """The pixels that points land in.

    covered: (B, H*W) bool
    first: (B, H*W) the lowest index of a point that lands there; N if there is none
    single: (B, H*W) bool, exactly one point lands there
    """

    covered: Tensor
    first: Tensor
    single: Tensor


def reference_loss(
    points: Tensor, rotation: Tensor, translation: Tensor, rotation_gt: Tensor, translation_gt: Tensor,
    camera_matrix: Tensor, height: int, width: int, scale: float, kernel: str,
) -> Tensor:  # fmt: skip
    """points (1 or B, N, 3), rotations (B, 3, 3), translations (B, 3), camera_matrix (1 or B, 3, 3), all of one float
    type -> loss (B,), with a gradient for `rotation` and `translation`.
    """
    points = points.expand(len(rotation), -1, 3)
    with torch.no_grad():
        true = silhouette(
            land(points, rotation_gt, translation_gt, camera_matrix, height, width, scale), height * width
        )
        predicted = silhouette(land(points, rotation, translation, camera_matrix, height, width, scale), height * width)
        intersection = (predicted.covered & true.covered).sum(1).to(points.dtype)
        union = (predicted.covered | true.covered).sum(1).to(points.dtype)
        loss = 1 - torch.where(union > 0, intersection / union.clamp(min=1), 1)
    if not (torch.is_grad_enabled() and (rotation.requires_grad or translation.requires_grad)):
        return loss
    representative = points.gather(1, predicted.first.clamp(max=points.shape[1] - 1).unsqueeze(-1).expand(-1, -1, 3))
    landing = land(representative, rotation, translation, camera_matrix, height, width, scale)
    with torch.no_grad():
        gradient = one_pixel if kernel == "one_pixel" else long_range
        by_a, by_b = gradient(landing, predicted, true, intersection, union.clamp(min=1), height, width)
        counts = predicted.covered & (intersection < union).unsqueeze(1)
        by_a, by_b = torch.where(counts, by_a, 0), torch.where(counts, by_b, 0)
    # The value of this sum cancels; its derivative by (a, b) of the representatives is the chosen gradient.
    moved = torch.where(counts, landing.a * by_a + landing.b * by_b, 0).sum(1)
    return loss + (moved - moved.detach())


def land(
    points: Tensor, rotation: Tensor, translation: Tensor, camera_matrix: Tensor, height: int, width: int, scale: float
) -> Landing:
    """Element by element in this order, so that every backend rounds alike and no pixel differs."""
    px, py, pz = points.unbind(-1)
    r, t, k = rotation.unsqueeze(-1), translation.unsqueeze(-1), camera_matrix.unsqueeze(-1)
    x, y, z = (r[:, i, 0] * px + r[:, i, 1] * py + r[:, i, 2] * pz + t[:, i] for i in range(3))
    ahead = z > NEAR
    z = torch.where(ahead, z, 1)
    a = scale * ((k[:, 0, 0] * x + k[:, 0, 1] * y) / z + k[:, 0, 2])
    b = scale * (k[:, 1, 1] * y / z + k[:, 1, 2])
    column, row = a.detach() + 0.5, b.detach() + 0.5
    seen = ahead & (column >= 0) & (column < width) & (row >= 0) & (row < height)
    pixel = torch.where(seen, row, 0).long() * width + torch.where(seen, column, 0).long()
    return Landing(a, b, torch.where(seen, pixel, height * width))


def silhouette(landing: Landing, pixels: int) -> Silhouette:
    batch, count = landing.pixel.shape
    index = torch.arange(count, device=landing.pixel.device).expand(batch, -1)
    empty = index.new_full((batch, pixels + 1), count)
    first = empty.scatter_reduce(1, landing.pixel, index, "amin")[:, :pixels]
    landed = torch.zeros_like(empty).scatter_add(1, landing.pixel, torch.ones_like(index))[:, :pixels]
    return Silhouette(landed > 0, first, landed == 1)


def one_pixel(
    landing: Landing,
    predicted: Silhouette,
    true: Silhouette,
    intersection: Tensor,
    union: Tensor,
    height: int,
    width: int,
) -> tuple[Tensor, Tensor]:
    """[DPR]'s kernel: dL/da and dL/db (B, H*W) of the representative of each pixel.

    dL/dX_v is -1/U where Y_v = 1 and I/U² elsewhere; for v = (m, n), dX_v/da is zero if |m - a| >= 1, else
    max(0, 1 - |n - b|) with the sign + if a <= m and - if a > m; dX_v/db likewise. So a point feels those
    of the four pixels around it whose X_v it can change by moving: pixels that are not covered, which it would cover,
    and its own if it is alone there, which it would uncover.
    """
    by_a, by_b = torch.zeros_like(landing.a), torch.zeros_like(landing.b)
    own = torch.arange(height * width, device=landing.a.device)
    for n in (landing.b.floor(), landing.b.floor() + 1):
        for m in (landing.a.floor(), landing.a.floor() + 1):
            inside = (m >= 0) & (m < width) & (n >= 0) & (n < height)
            pixel = (torch.where(inside, n, 0) * width + torch.where(inside, m, 0)).long()
            covered, wanted = predicted.covered.gather(1, pixel), true.covered.gather(1, pixel)
            changes = inside & torch.where(pixel == own, predicted.single, ~covered)
            by_x = torch.where(wanted, -1 / union.unsqueeze(1), (intersection / union.square()).unsqueeze(1))
            by_x = torch.where(changes, by_x, 0)
            near_a, near_b = 1 - (m - landing.a).abs(), 1 - (n - landing.b).abs()
            by_a += torch.where(near_a > 0, by_x * near_b.clamp(min=0) * torch.where(landing.a <= m, 1, -1), 0)
            by_b += torch.where(near_b > 0, by_x * near_a.clamp(min=0) * torch.where(landing.b <= n, 1, -1), 0)
    return by_a, by_b


def long_range(
    landing: Landing,
    predicted: Silhouette,
    true: Silhouette,
    intersection: Tensor,
    union: Tensor,
    height: int,
    width: int,
) -> tuple[Tensor, Tensor]:
    """dL/da and dL/db (B, H*W) of the representatives, from any distance along a row or a column.

    After Kato et al., Neural 3D Mesh Renderer, CVPR 2018, section 3. Where X_v differs from Y_v, the slope dX_v/da is
    the change of X_v over the distance that a point must move for it, at least one pixel. To cover v = (m, n), the
    point of the nearest covered pixel of row n, on either side, moves to m. To uncover it, the first point of the run
    of covered pixels around v moves to m + 1, or the last one to m - 1. Columns likewise. dL/dX_v is [DPR]'s.
    """
    grid = (-1, height, width)
    covered, wanted = predicted.covered.view(grid), true.covered.view(grid)
    by_x = torch.where(wanted, -1 / union[:, None, None], (intersection / union.square())[:, None, None])
    by_x = torch.where(covered != wanted, by_x, 0)
    by_a = _pull_along_rows(landing.a.view(grid), covered, by_x)
    by_b = _pull_along_rows(landing.b.view(grid).mT, covered.mT, by_x.mT).mT
    return by_a.flatten(1), by_b.flatten(1)


def _pull_along_rows(a: Tensor, covered: Tensor, by_x: Tensor) -> Tensor:
    """dL/da (B, H, W). a: (B, H, W) column of each covered pixel's representative; by_x: (B, H, W) dL/dX."""
    width = a.shape[-1]
    column = torch.arange(width, device=a.device).expand(a.shape)
    by_a = torch.zeros_like(a)
    for side in (-1, 1):
        nearest = _nearest(covered, side)  # on that side; -1 or width if there is none
        edge = torch.where(covered, _nearest(~covered, side) - side, nearest)
        goal = torch.where(covered, column - side, column)
        at = a.gather(2, edge.clamp(0, width - 1))
        way = ((goal - at) * -side).clamp(min=1)
        # To cover or to uncover v, the point moves from `side` towards v: its column grows if `side` is below.
        slope = torch.where(covered, -1, 1) * -side / way
        exists = (edge >= 0) & (edge < width)
        by_a.scatter_add_(2, edge.clamp(0, width - 1), torch.where(exists, by_x * slope, 0))
    return by_a


def _nearest(mask: Tensor, side: int) -> Tensor:
    """(B, H, W) bool -> the column of the nearest set pixel on that side in its row, the pixel itself included."""
    width = mask.shape[-1]
    column = torch.arange(width, device=mask.device).expand(mask.shape)
    if side < 0:
        return torch.where(mask, column, -1).cummax(2).values
    return torch.where(mask, column, width).flip(2).cummin(2).values.flip(2)
