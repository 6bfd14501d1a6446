"""From single turns to a group: closed under composition, exactly."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pose_regressor.types import FloatArray

#: Two turns nearer than this are the same one, measured twice.
_SAME = np.radians(10)
_LARGEST = 60  # of the finite groups of rotations that are not about one axis: the icosahedron's


def close(generators: Sequence[FloatArray], admits: Callable[[FloatArray], bool]) -> FloatArray | None:
    """(S, 4, 4) the group that `generators` (4, 4) make, identity first, or None if a product of theirs is not admitted
    or there is no end to them."""
    members = [np.eye(4)]
    for motion in generators:
        if not _known(motion, members):
            members.append(motion)
    done = 0
    while done < len(members):
        for other in list(members):
            for product in (members[done] @ other, other @ members[done]):
                if _known(product, members):
                    continue
                if len(members) == _LARGEST or not admits(product):
                    return None
                members.append(product)
        done += 1
    return np.stack(members)


def exact(members: FloatArray, point: FloatArray) -> FloatArray:
    """(S, 4, 4) the nearest exact group to `members`, which are one up to small errors.

    Each rotation is replaced by the mean of the products that should equal it, until nothing changes. All of a finite
    group's motions keep the mean of `point`'s images where it is.
    """
    rotations = members[:, :3, :3]
    products = np.einsum("aij,bjk->abik", rotations, rotations)
    table = _angles(products.reshape(-1, 3, 3), rotations).argmin(1).reshape(len(members), -1)
    for _ in range(20):
        products = np.einsum("aij,bjk->abik", rotations, rotations)
        total = np.zeros_like(rotations)
        np.add.at(total, table, products)
        left, _, right = np.linalg.svd(total)
        rotations = left @ right
    centre = (members[:, :3, :3] @ point + members[:, :3, 3]).mean(0)
    group = np.broadcast_to(np.eye(4), (len(members), 4, 4)).copy()
    group[:, :3, :3] = rotations
    group[:, :3, 3] = centre - rotations @ centre
    return group


def _known(motion: FloatArray, members: Sequence[FloatArray]) -> bool:
    return bool(_angles(motion[None, :3, :3], np.stack(members)[:, :3, :3]).min() < _SAME)


def _angles(a: FloatArray, b: FloatArray) -> NDArray[np.float64]:
    """(A, B) radians between rotations (A, 3, 3) and (B, 3, 3)."""
    trace = np.einsum("aij,bij->ab", a, b)
    return np.arccos(((trace - 1) / 2).clip(-1, 1))
