"""A plane that objects stand on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pose_regressor.inputs import FloatArray, InputError, float_array


@dataclass(frozen=True, eq=False)
class Plane:
    """The points x with normal @ x = offset, such as a table's top.

    normal: (3,) unit vector, to the side on which objects stand.
    offset: metres.
    """

    normal: FloatArray
    offset: float

    def __post_init__(self) -> None:
        normal = float_array("plane: normal", self.normal, (3,))
        if abs(np.linalg.norm(normal) - 1) > 1e-3:
            raise InputError("plane: expected a normal of length 1", f"got {normal.tolist()}")
        if not isinstance(self.offset, float | int) or not np.isfinite(self.offset):
            raise InputError("plane: expected an offset in metres", f"got {self.offset!r}")
        object.__setattr__(self, "normal", normal)

    @classmethod
    def of(cls, pose: FloatArray) -> Plane:
        """The x-y plane of a frame, objects on the side of its z axis. pose: (4, 4)."""
        pose = float_array("plane: pose", pose, (4, 4))
        return cls(pose[:3, 2], float(pose[:3, 2] @ pose[:3, 3]))
