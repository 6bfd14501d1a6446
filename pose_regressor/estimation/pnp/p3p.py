"""The pose of four points from their viewing rays: three of them in closed form, the fourth to choose. Many at once.

`ops.pnp.p3p` is the same for torch; tests compare the two. Points come first and the batch last, (4 points, 3
coordinates, M), so that all arithmetic runs along rows of M numbers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pose_regressor.types import FloatArray


def four_point_pose(rays: FloatArray, points: FloatArray) -> FloatArray:
    """rays (4, 3, M), unit viewing directions, and points (4, 3, M) -> [R | t] (M, 3, 4).

    Up to four poses have the first three points on their rays. This is the one that has the fourth point nearest to its
    own ray. Without such a pose, and for degenerate points, the result is meaningless or not finite.
    """
    with np.errstate(all="ignore"):  # degenerate points divide by zero
        seen = three_point_depths(rays[:3], points[:3])[:, :, None] * rays[:3, None]
        triangles = np.concatenate([seen, points[:3, None]], axis=1)  # (3 points, 4 solutions and the object, 3, M)
        origin = triangles[0]
        x = _unit(triangles[1] - origin)
        z = _unit(_cross(x, triangles[2] - origin))
        frames = np.stack([x, _cross(z, x), z, origin])  # (3 axes and origin, 5, 3, M)
        seen, own = frames[:, :4], frames[:, 4]
        place = (own[:3] * (points[3] - points[0])).sum(1)
        fourth = (seen[:3] * place[:, None, None]).sum(0) + seen[3]
        nearness = (_unit(fourth) * rays[3]).sum(1)
        best = np.where(np.isnan(nearness), -2.0, nearness).argmax(0)
        chosen = np.take_along_axis(seen, best[None, None, None], axis=1)[:, 0].transpose(2, 1, 0)  # (M, 3, 4)
        own = own.transpose(2, 0, 1)
        rotation = chosen[..., :3] @ own[:, :3]
        translation = chosen[..., 3:] - rotation @ own[:, 3:].swapaxes(1, 2)
    return np.concatenate([rotation, translation], axis=2)


def three_point_depths(rays: FloatArray, points: FloatArray) -> FloatArray:
    """rays (3, 3, M) and points (3, 3, M) -> (3, 4, M): the distances d of the points along their rays, four solutions.

    Each pair of points has a quadratic form Q_ij(d) = d_i² + d_j² - 2 d_i d_j cos_ij = |x_i - x_j|². Of the conics
    Q_12 + g Q_13 - e Q_23 = 0 with e = (|12|² + g |13|²) / |23|², all through the solutions, one is degenerate, a pair
    of lines: for g a root of a cubic. Each line meets Q_12 = k Q_23 twice (the way of Persson and Nordberg, Lambda
    Twist, ECCV 2018). The third depth is always positive; without a real solution the result is meaningless or NaN.
    """
    following = [1, 2, 0]
    square = np.square(points - points[following]).sum(1)
    c12, c23, c13 = cosine = (rays * rays[following]).sum(1)
    s12, s23, s13 = 1 - np.square(cosine)
    k, _, l = ratio = square / square[1]  # noqa: E741
    u, _, v = ratio * s23
    w = 2 * (c12 * c23 * c13 - 1 + u + v)
    g = _cubic_root(l * (v - s13), l * (w - v) + (1 - k) * s13, (1 - l) * s12 + k * (w - u), k * (u - s12))

    # x = depth 1, y = depth 2, z = depth 3: (1 + g) x² - 2 x (c12 y + gc z) + (1 - e) y² + 2 e c23 y z + (g - e) z² = 0
    # solved for x. The square root is of a square, (m y + n z)².
    lead, gc, e = 1 + g, g * c13, k + g * l
    base = np.stack([c12, gc])
    squares = np.square(base) - lead * np.stack([1 - e, g - e])
    mixed = c12 * gc - lead * e * c23
    first = squares[0] >= squares[1]
    large = np.sqrt(np.maximum(squares[0], squares[1]))
    small = mixed / large
    turn = np.where(first, np.stack([large, small]), np.stack([small, large]))
    slope, offset = np.stack([base + turn, base - turn], axis=1) / lead  # x = slope y + offset z, (2, M)

    # Put into Q_12 = k Q_23, a quadratic equation for y / z: both roots without cancellation.
    lean = slope - c12
    yy, zz = np.square(lean) + (s12 - k), np.square(offset) - k
    yz = k * c23 + lean * offset
    root = np.sqrt(np.maximum(np.square(yz) - yy * zz, 0))
    far = -(yz + np.copysign(root, yz))
    y = np.stack([far / yy, zz / far])
    x = (offset + slope * y).reshape(4, -1)
    y = y.reshape(4, -1)
    z = np.sqrt(square[1] / (1 + y * (y - 2 * c23)))
    return np.stack([x * z, y * z, z])


def _cubic_root(a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> FloatArray:
    """A real root of a g³ + b g² + c g + d: the one that is best separated from others."""
    b, c, d = b / a, c / a, d / a
    # Without a quadratic term: g = s + shift, s³ + 3 p s + 2 q = 0.
    shift = b / -3
    p = (c + b * shift) / 3
    q = (d + shift * (c + shift * (b + shift))) / 2
    discriminant = np.square(q) + p * np.square(p)
    # One real root: Cardano, without cancellation. Three: the one farthest from the middle, by the cosine.
    u = np.cbrt(np.abs(q) + np.sqrt(np.maximum(discriminant, 0)))
    radius = np.sqrt(np.maximum(-p, 0))
    angle = np.arccos(np.minimum(np.abs(q) / (radius * -p), 1)) / 3
    return np.asarray(shift - np.copysign(np.where(discriminant > 0, u - p / u, 2 * radius * np.cos(angle)), q))


def _cross(a: NDArray, b: NDArray) -> FloatArray:
    """The cross product of (k, 3, M) and (k, 3, M); much faster than np.cross."""
    (x, y, z), (u, v, w) = a.swapaxes(0, 1), b.swapaxes(0, 1)
    return np.stack([y * w - z * v, z * u - x * w, x * v - y * u], axis=1)


def _unit(vectors: FloatArray) -> FloatArray:
    """(k, 3, M) at length one."""
    return np.asarray(vectors / np.sqrt(np.square(vectors).sum(1, keepdims=True)))
