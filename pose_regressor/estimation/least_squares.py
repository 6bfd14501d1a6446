"""What the refinements of a pose share: a robust loss, and how a Gauss-Newton step moves a pose. NumPy and OpenCV."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_regressor.geometry.rigid import rigid
from pose_regressor.types import FloatArray


def cauchy_divisor(residual: NDArray[Any], scale: float | NDArray[Any]) -> NDArray[Any]:
    """1 + (r / c)²: Cauchy's loss c² log(1 + (r / c)²), as reweighted least squares, divides each weight by it.

    residual: r; scale: c, in the same unit: a residual of that size counts half. For torch layers: ops/pnp/robust.py.
    """
    return np.asarray(1 + np.square(residual / scale))


def stepped(pose: FloatArray, step: NDArray[Any]) -> FloatArray:
    """(4, 4) `pose` after a step (6,), a motion as in `geometry.rigid.moved`.

    The rotation is computed by OpenCV, so that poses stay what they were to the last digit: a tracker that looks where
    the last pose was blows such digits up.
    """
    return rigid(cv2.Rodrigues(step[3:])[0] @ pose[:3, :3], pose[:3, 3] + step[:3])
