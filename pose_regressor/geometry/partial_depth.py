"""Depth of another camera that is registered only where it is looked at: around a followed object, say."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_regressor.geometry.register_depth import Area, DepthRegistration
from pose_regressor.types import FloatArray

#: Once the parts that were asked for are larger together than this share of the image, all of it is registered.
MOST = 0.5


class RegisteredDepth:
    """A `types.PartialDepth`. Belongs to one thread at a time, with its registration.

    registration: of the two cameras; depth, image_from_depth: as its call takes them
    """

    def __init__(
        self, registration: DepthRegistration, depth: NDArray[np.float32], image_from_depth: FloatArray
    ) -> None:
        self._registration, self._depth, self._image_from_depth = registration, depth, image_from_depth
        self._parts: list[tuple[Area, NDArray[np.float32]]] = []
        self._asked = 0

    @property
    def shape(self) -> tuple[int, int]:
        return self._registration.image_shape

    def part(self, left: int, top: int, right: int, bottom: int) -> NDArray[np.float32]:
        for (x0, y0, x1, y1), known in self._parts:
            if x0 <= left and y0 <= top and right <= x1 and bottom <= y1:
                return known
        height, width = self.shape
        area: Area = left, top, right, bottom
        self._asked += (right - left) * (bottom - top)
        if self._asked > MOST * height * width:
            area = 0, 0, width, height
            known = self._registration(self._depth, self._image_from_depth)
        else:
            known = self._registration.within(self._depth, self._image_from_depth, area)
        self._parts.append((area, known))
        return known

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        height, width = self.shape
        self._asked = height * width
        return np.asarray(self.part(0, 0, width, height), dtype)
