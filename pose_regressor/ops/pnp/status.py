"""The outcome of each item of a batch."""

from __future__ import annotations

from enum import IntEnum

import torch
from torch import Tensor

from pose_regressor.ops.pnp.problem import on


class Status(IntEnum):
    """The values of a result's `status`. If several apply, it is the greatest."""

    OK = 0
    #: The iterations ended before a minimum was reached.
    NOT_CONVERGED = 1
    #: The points do not determine the pose: on one line, all in one place, or all on one viewing ray.
    DEGENERATE = 2
    #: The best pose has a point with a weight behind the camera, or almost in its centre.
    BEHIND_CAMERA = 3
    #: Fewer than four points with a weight.
    TOO_FEW_POINTS = 4
    #: A number that is not finite or too large to be squared, or a negative weight.
    INVALID_INPUT = 5


_ABOVE_OK = torch.tensor([int(value) for value in Status if value], dtype=torch.int32).view(-1, 1)


def greatest_of(*masks: Tensor) -> Tensor:
    """(B,) int32: the greatest status whose mask holds, else OK. masks: (B,) bool, of all statuses above OK."""
    return (torch.stack(masks) * on(masks[0].device, _ABOVE_OK)).amax(0)
