"""The pose of four points from their viewing rays: three of them in closed form, the fourth to choose. Any batch.

Points come first and the batch last, (4 points, 3 coordinates, M), so that all arithmetic runs along rows of M numbers.
"""

from __future__ import annotations

import torch
from torch import Tensor


def four_point_pose(rays: Tensor, points: Tensor) -> Tensor:
    """rays (4, 3, M), unit viewing directions, and points (4, 3, M) -> [R | t] (M, 3, 4).

    Up to four poses have the first three points on their rays. This is the one that has the fourth point nearest to its
    own ray. Without such a pose, and for degenerate points, the result is meaningless or not finite.
    """
    seen = three_point_depths(rays[:3], points[:3]).unsqueeze(2) * rays[:3].unsqueeze(1)
    triangles = torch.cat([seen, points[:3].unsqueeze(1)], 1)  # (3 points, 4 solutions and the object, 3, M)
    origin = triangles[:1]
    x, other = triangles[1:] - origin
    x = _unit(x)
    z = _unit(torch.linalg.cross(x, other, dim=1))
    frames = torch.cat([torch.stack([x, torch.linalg.cross(z, x, dim=1), z]), origin])  # (3 axes and origin, 5, 3, M)
    seen, own = frames[:, :4], frames[:, 4]

    place = (own[:3] * (points[3] - points[0])).sum(1)
    fourth = (seen[:3] * place[:, None, None]).sum(0) + seen[3]
    nearness = (_unit(fourth) * rays[3]).sum(1).nan_to_num(-2.0)
    best = nearness.mT.contiguous().argmax(1)  # argmax along rows is much faster than along columns
    seen = seen.gather(1, best.expand(4, 1, 3, -1)).squeeze(1).permute(2, 1, 0)  # (M, 3, 4)
    own = own.permute(2, 0, 1)
    rotation = torch.bmm(seen[..., :3], own[:, :3])
    translation = torch.baddbmm(seen[..., 3:], rotation, own[:, 3:].mT, alpha=-1)
    return torch.cat([rotation, translation], 2)


def three_point_depths(rays: Tensor, points: Tensor) -> Tensor:
    """rays (3, 3, M) and points (3, 3, M) -> (3, 4, M): the distances d of the points along their rays, four solutions.

    Each pair of points has a quadratic form Q_ij(d) = d_i² + d_j² - 2 d_i d_j cos_ij = |x_i - x_j|². Of the conics
    Q_12 + g Q_13 - e Q_23 = 0 with e = (|12|² + g |13|²) / |23|², all through the solutions, one is degenerate, a pair
    of lines: for g a root of a cubic. Each line meets Q_12 = k Q_23 twice (the way of Persson and Nordberg, Lambda
    Twist, ECCV 2018). The third depth is always positive; without a real solution the result is meaningless or NaN.
    """
    square = (points - points.roll(-1, 0)).square().sum(1)
    c12, c23, c13 = cosine = (rays * rays.roll(-1, 0)).sum(1)
    s12, s23, s13 = 1 - cosine.square()
    k, _, l = ratio = square / square[1]  # noqa: E741
    u, _, v = ratio * s23
    w = 2 * (c12 * c23 * c13 - 1 + u + v)
    g = _cubic_root(
        l * (v - s13),
        l * (w - v) + (1 - k) * s13,
        (1 - l) * s12 + k * (w - u),
        k * (u - s12),
    )

    # x = depth 1, y = depth 2, z = depth 3: (1 + g) x² - 2 x (c12 y + gc z) + (1 - e) y² + 2 e c23 y z + (g - e) z² = 0
    # solved for x. The square root is of a square, (m y + n z)².
    lead, gc, e = 1 + g, g * c13, torch.addcmul(k, g, l)
    base = torch.stack([c12, gc])
    squares = torch.addcmul(base.square(), lead, torch.stack([1 - e, g - e]), value=-1)
    mixed = c12 * gc - lead * e * c23
    first = squares[0] >= squares[1]
    large = squares.amax(0).sqrt()
    small = mixed / large
    turn = torch.stack([torch.where(first, large, small), torch.where(first, small, large)])
    slope, offset = (torch.stack([base + turn, base - turn], 1) / lead).unbind()  # x = slope y + offset z, (2, M)

    # Put into Q_12 = k Q_23, a quadratic equation for y / z: both roots without cancellation.
    lean = slope - c12
    yy, zz = lean.square() + (s12 - k), offset.square() - k
    yz = torch.addcmul(k * c23, lean, offset)
    root = (yz.square() - yy * zz).clamp(min=0).sqrt()
    far = -(yz + root.copysign(yz))
    y = torch.stack([far / yy, zz / far])
    x = torch.addcmul(offset, slope, y)
    y = y.view(4, -1)
    z = (square[1] / (1 + y * (y - 2 * c23))).sqrt()
    return torch.stack([x.view(4, -1) * z, y * z, z])


def _cubic_root(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """A real root of a g³ + b g² + c g + d: the one that is best separated from others."""
    b, c, d = b / a, c / a, d / a
    # Without a quadratic term: g = s + shift, s³ + 3 p s + 2 q = 0.
    shift = b / -3
    p = torch.addcmul(c, b, shift) / 3
    q = torch.addcmul(d, shift, torch.addcmul(c, shift, b + shift)) / 2
    discriminant = q.square() + p * p.square()
    # One real root: Cardano, without cancellation. Three: the one farthest from the middle, by the cosine.
    u = (q.abs() + discriminant.clamp(min=0).sqrt()).pow(1 / 3)
    radius = (-p).clamp(min=0).sqrt()
    angle = (q.abs() / (radius * -p)).clamp(max=1).acos() / 3
    return shift - torch.where(discriminant > 0, u - p / u, 2 * radius * angle.cos()).copysign(q)


def _unit(vectors: Tensor) -> Tensor:
    """(k, 3, M) at length one."""
    return vectors * vectors.square().sum(1, keepdim=True).rsqrt()
