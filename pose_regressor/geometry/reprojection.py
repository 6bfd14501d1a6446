"""Constant linear maps for the derivatives of reprojection errors by a pose. NumPy, float64.

`ops.pnp.objective` explains them and is their user for torch; `estimation.pnp.objective` is the one for NumPy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Generic, TypeVar

import numpy as np

from pose_regressor.types import FloatArray

#: NDArray or Tensor.
A = TypeVar("A")
#: Least depth that is divided by, in units of the points' spread; nearer points have no image.
NEAR = 1e-4
#: Rows and columns of a symmetric (4, 4) matrix from the diagonal on: 00, 01, 02, 03, 11, 12, ...
PAIRS = np.triu_indices(4)


@dataclass(frozen=True, eq=False)
class Maps(Generic[A]):
    """Linear maps between small arrays, flattened row by row."""

    motion: A  # (6, 16): ξ -> Ξ
    gradient: A  # (40, 6): sums of the four entries of Pᵀ g times ten of q qᵀ -> derivative by ξ
    curvature: A  # (40, 36): the same -> what the second derivative of δ adds to the Hessian
    hessian: A  # (60, 36): sums of the six entries of Pᵀ S P times ten of q qᵀ -> Hessian without that
    metric: A  # (144, 24): P ⊗ P -> (6, 4), from S's s, a, b, c (`derivatives` says what they are) to Pᵀ S P
    full_metric: A  # (144, 36): the same from all six entries of S
    turning: A  # (4,): 1 in the columns of a rotation, 0 in that of a translation
    quarter: A  # (6, 4): ξ's squares -> |ω|² / 4 in the columns of a rotation, 0 in that of a translation
    eye: A  # (6, 6)

    def converted(self, to: Callable[[A], Any]) -> Maps[Any]:
        """The maps in another kind of array."""
        return Maps(*(to(getattr(self, field.name)) for field in fields(self)))


def symmetric(size: int) -> FloatArray:
    """(s (s + 1) / 2, s, s) for size s: a basis of symmetric matrices; weights are the entries from the diagonal on."""
    rows, columns = np.triu_indices(size)
    basis, number = np.zeros((len(rows), size, size)), np.arange(len(rows))
    basis[number, rows, columns] = basis[number, columns, rows] = 1
    return basis


def sparse_second() -> FloatArray:
    """(4, 3, 3): a basis of the matrices [[s, 0, -a], [0, s, -b], [-a, -b, c]]; weights are s, a, b, c."""
    xx, _, xz, yy, yz, zz = symmetric(3)
    return np.stack([xx + yy, -xz, -yz, zz])


def metric_of(second: FloatArray, columns: int) -> FloatArray:
    """The map from P ⊗ P to the map (6, k) that takes the weights of S to the entries, on and above the diagonal, of
    Aᵀ S A; A (3, 3) are the first columns of P.

    second: (k, 3, 3) the basis of S; columns: of P
    """
    upper = np.pad(np.triu(symmetric(3)), ((0, 0), (0, columns - 3), (0, columns - 3)))
    return np.einsum("nrc,kij->ricjkn", second, upper).reshape(9 * columns**2, -1)


def pose_maps() -> Maps[FloatArray]:
    motion = np.zeros((6, 4, 4))
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        motion[i, i, 3] = 1
        motion[3 + i, k, j], motion[3 + i, j, k] = 1, -1
    second = np.einsum("uij,vjk->uvik", motion, motion)
    second[..., 3] = 0  # t moves along a straight line
    quarter = np.zeros((6, 4))
    quarter[3:, :3] = 0.25
    once = np.triu(symmetric(4))[:, :, 3]  # (10, 4): which entry of q qᵀ is which of q
    moved = motion[:, :3]  # (6, 3, 4): how ξ moves a point, by the entries of q
    hessian = np.einsum("kij,mab,uia,vjb->kmuv", symmetric(3), symmetric(4), moved, moved)
    return Maps(
        motion.reshape(6, 16),
        np.einsum("uia,ma->imu", motion, once).reshape(40, 6),
        np.einsum("uvia,ma->imuv", 0.5 * (second + second.swapaxes(0, 1)), once).reshape(40, 36),
        hessian.reshape(60, 36),
        metric_of(sparse_second(), 4),
        metric_of(symmetric(3), 4),
        np.array([1.0, 1, 1, 0]),
        quarter,
        np.eye(6),
    )
