"""The poses under which three points are seen where they are seen: up to four, in closed form, for any batch."""

from __future__ import annotations

import torch
from torch import Tensor


def three_point_poses(rays: Tensor, points: Tensor) -> Tensor:
    """rays (M, 3, 3) unit viewing directions, one a row, and points (M, 3, 3) -> [R | t] (M, 4, 3, 4).

    The depths d along the rays solve three quadratic forms, dᵀ C_ij d = |x_i - x_j|². Two combinations of them are
    homogeneous, conics that meet in the up to four solutions; a root of the cubic det(A + g B) = 0 gives a degenerate
    conic through them, which is a pair of lines, and each line meets A in two of them (the way of Persson and Nordberg,
    Lambda Twist, ECCV 2018, with the lines split as in Richter-Gebert, Perspectives on Projective Geometry, ch. 11).
    Where there are fewer solutions, and for degenerate points, the rest are finite numbers of no meaning.
    """
    first, second, third = points.unbind(1)
    cosines = torch.bmm(rays, rays.mT)
    a12, a13, a23 = ((p - q).square().sum(1) for p, q in ((first, second), (first, third), (second, third)))
    c12, c13, c23 = cosines[:, 0, 1], cosines[:, 0, 2], cosines[:, 1, 2]
    zero = torch.zeros_like(a12)
    a = torch.stack([a23, -a23 * c12, zero, -a23 * c12, a23 - a12, a12 * c23, zero, a12 * c23, -a12], 1)
    b = torch.stack([a23, zero, -a23 * c13, zero, -a13, a13 * c23, -a23 * c13, a13 * c23, a23 - a13], 1)
    a, b = a.view(-1, 3, 3), b.view(-1, 3, 3)
    lines = _split(a + _root(a, b)[:, None, None] * b)
    depths = _meet(lines, a)  # (M, 4, 3)

    # The common scale from all three distances; the sign so that the points are in front.
    i, j = depths[..., [0, 0, 1]], depths[..., [1, 2, 2]]
    cosine = torch.stack([c12, c13, c23], 1).unsqueeze(1)
    squares = (i.square() + j.square() - 2 * i * j * cosine).sum(2, keepdim=True).clamp(min=1e-300)
    total = (a12 + a13 + a23)[:, None, None]
    depths = depths * (total / squares).sqrt() * depths.sum(2, keepdim=True).sign()
    seen = depths.unsqueeze(3) * rays.unsqueeze(1)  # (M, 4, 3, 3)
    camera, world = _frame(seen), _frame(points.unsqueeze(1))
    rotation = camera @ world.mT
    translation = seen[:, :, 0] - (rotation @ points[:, None, 0, :, None]).squeeze(3)
    return torch.cat([rotation, translation.unsqueeze(3)], 3)


def _root(a: Tensor, b: Tensor) -> Tensor:
    """(M,): a real g with det(A + g B) = 0, the one that is best separated from others."""
    adjugate_a, adjugate_b = _adjugate(a), _adjugate(b)
    constant = (a * adjugate_a).sum((1, 2)) / 3
    linear, quadratic = (adjugate_a * b).sum((1, 2)), (adjugate_b * a).sum((1, 2))
    cubic = (b * adjugate_b).sum((1, 2)) / 3
    # Monic, without a quadratic term: g = s + shift, s³ + p s + q = 0.
    cubic = torch.where(cubic.abs() < 1e-300, 1e-300, cubic)
    k2, k1, k0 = quadratic / cubic, linear / cubic, constant / cubic
    shift = -k2 / 3
    p, q = k1 - k2.square() / 3, k0 + shift * (k1 + shift * (k2 + shift))
    discriminant = q.square() / 4 + p**3 / 27
    # One real root: Cardano, without cancellation. Three: the one farthest from the middle, by the cosine.
    u = (q.abs() / 2 + discriminant.clamp(min=0).sqrt()).pow(1 / 3) * -q.sign()
    single = u - p / (3 * torch.where(u == 0, 1.0, u))
    radius = (-p / 3).clamp(min=0).sqrt()
    angle = torch.acos((-q / 2 / radius.pow(3).clamp(min=1e-300)).clamp(-1, 1)) / 3
    outer = torch.where(q > 0, torch.cos(angle + 2 * torch.pi / 3), torch.cos(angle))
    s = torch.where(discriminant > 0, single, 2 * radius * outer)
    for _ in range(2):
        slope = 3 * s.square() + p
        s = s - (s * (s.square() + p) + q) / torch.where(slope.abs() < 1e-300, 1.0, slope)
    return s + shift


def _adjugate(m: Tensor) -> Tensor:
    """(M, 3, 3) symmetric -> its adjugate."""
    return torch.linalg.cross(m[:, [1, 2, 0]], m[:, [2, 0, 1]])


def _split(conic: Tensor) -> Tensor:
    """(M, 3, 3) of rank two -> the two lines (M, 2, 3) that it consists of."""
    dual = -_adjugate(conic)
    diagonal = dual.diagonal(dim1=1, dim2=2)
    best = diagonal.argmax(1)[:, None, None]
    column = dual.gather(2, best.expand(-1, 3, 1)).squeeze(2)
    point = column / diagonal.amax(1, keepdim=True).clamp(min=1e-300).sqrt()
    x, y, z = point.unbind(1)
    zero = torch.zeros_like(x)
    rank_one = conic + torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], 1).view(-1, 3, 3)
    largest = rank_one.abs().flatten(1).argmax(1)
    row = rank_one.gather(1, (largest // 3)[:, None, None].expand(-1, 1, 3))
    column = rank_one.gather(2, (largest % 3)[:, None, None].expand(-1, 3, 1))
    return torch.cat([row, column.mT], 1)


def _meet(lines: Tensor, conic: Tensor) -> Tensor:
    """(M, 2, 3) lines and (M, 3, 3) conic -> their (M, 4, 3) common points; where there are none, the nearest."""
    # Two points of a line: its cross products with two axes, not with the axis it is most parallel to.
    unit = torch.nn.functional.normalize(lines, dim=2)
    u = torch.linalg.cross(unit, torch.roll(unit, 1, 2) * unit.new_tensor([1.0, -1.0, 1.0]))
    u = torch.nn.functional.normalize(u, dim=2)
    v = torch.linalg.cross(unit, u)
    cu, cv = u @ conic, v @ conic
    uu, uv, vv = (cu * u).sum(2), (cu * v).sum(2), (cv * v).sum(2)
    # uu x² + 2 uv x y + vv y² = 0, both roots without cancellation.
    root = (uv.square() - uu * vv).clamp(min=0).sqrt()
    k = -(uv + torch.where(uv < 0, -root, root))
    first = k.unsqueeze(2) * u + uu.unsqueeze(2) * v
    second = vv.unsqueeze(2) * u + k.unsqueeze(2) * v
    return torch.cat([first, second], 1)


def _frame(points: Tensor) -> Tensor:
    """(..., 3, 3) three points, one a row -> (..., 3, 3) orthonormal axes of their triangle as columns."""
    x = torch.nn.functional.normalize(points[..., 1, :] - points[..., 0, :], dim=-1)
    z = torch.nn.functional.normalize(torch.linalg.cross(x, points[..., 2, :] - points[..., 0, :]), dim=-1)
    return torch.stack([x, torch.linalg.cross(z, x), z], -1)
