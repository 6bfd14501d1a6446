"""How well an image agrees with the coloured points of an object under a pose, in the light that fits best.

The light and the camera's effects are linear unknowns, which are eliminated from the normal equations of the pose.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_regressor.estimation.least_squares import cauchy_divisor
from pose_regressor.types import FloatArray

#: Neighbouring points err together: all of them count as this many.
EFFECTIVE_POINTS = 20.0
#: How often points are reweighted under the first pose, where no light is known yet.
REWEIGHTINGS = 2
#: Least standard deviation of a value (1 is white): no mesh and no camera's curve is known better.
LEAST_ERROR = 0.013
#: An error of this many standard deviations counts half.
OUTLYING = 2.0
#: Number of lights, with the camera's effects; `refine_colors` has them. Of each colour of a point is known what each
#: light may add, what was seen, and its derivative by the six parameters of the pose.
LIGHTS = 13
ROWS = LIGHTS + 7
#: Points whose products are summed at once. BLAS would share larger products among threads; these gain little, and
#: beside a busy program they wait for each other much longer than the work takes.
AT_ONCE = 512
#: Prior information that holds back light from one side and the camera's effects: a share of what one point of the mean
#: colour says of them.
HELD_BACK = 0.005
#: Which lights are held back, on a diagonal: all but light from everywhere.
WEAK = np.diag([1e-3] + [1.0] * (LIGHTS - 1))


@dataclass(eq=False)
class LightFit:
    """The N points of the surface that are compared in one blur, and the light on them.

    points: (3, N) metres, object frame
    rows: (3, ROWS, N) for each of the camera's colours: what each light may add, what was seen, and its derivative by
        the pose. The last two belong to a pose.
    held_back: (3, LIGHTS, LIGHTS) prior information on the lights
    strengths: (3, LIGHTS) of the lights that fit best under the pose before, perhaps in a coarser blur; None before the
        first pose
    """

    points: NDArray[np.float32]
    rows: NDArray[np.float32]
    held_back: FloatArray
    strengths: NDArray[np.floating] | None = None

    @classmethod
    def of(
        cls, points: NDArray[np.float32], lights: NDArray[np.float32], strengths: NDArray[np.floating] | None
    ) -> LightFit:
        """Arguments as the fields. lights: (3, LIGHTS, N), the first of the rows."""
        rows = np.empty((3, ROWS, points.shape[1]), np.float32)
        rows[:, :LIGHTS] = lights
        return cls(points, rows, _held_back(rows[:, :LIGHTS]), strengths)

    def at(
        self, pose: FloatArray, camera_matrix: FloatArray, maps: list[NDArray[np.float32]]
    ) -> tuple[FloatArray, FloatArray]:
        """How well the image agrees with the points in the light that fits best.

        Half the squared errors, over their variance and relative to what there is to explain: their slope by the pose
        (6,), while the light keeps fitting; and their curvature (6, 6).
        """
        self._look_up(pose, camera_matrix, maps)
        # The light of the pose before tells well enough which points to doubt.
        strengths = self._first_lights() if self.strengths is None else self.strengths
        weight, _ = self._reweighted(strengths)
        # Normal equations of light, values and pose, from which the light is eliminated.
        products = _products(self.rows * weight, self.rows).astype(np.float64)
        light, across = products[:, :LIGHTS, :LIGHTS], products[:, :LIGHTS, LIGHTS:]
        whole = products[:, LIGHTS:, LIGHTS:]
        eliminated = np.linalg.solve(light + self.held_back, across)
        self.strengths = strengths = eliminated[..., 0]
        left = (whole - across.swapaxes(1, 2) @ eliminated).sum(0)
        # Mesh and light are never exact. Errors alone would then favour an object that is farther away: it covers less
        # of the image, so there is less to explain. Hence they are taken relative to the image's own variation. The
        # veil, the last light, is the same everywhere, so its products are weighted sums.
        same = across[:, -1] / light[:, -1, -1:]
        varied = (whole[:, 0] - same[:, :1] * across[:, -1]).sum(0)
        pulled = across[..., 0] + (self.held_back @ strengths[..., None])[..., 0]
        squared = whole[:, 0, 0].sum() - (strengths * pulled).sum()
        unexplained = squared / max(varied[0], 1e-9)
        _, sigma = self._reweighted(strengths)
        scale = EFFECTIVE_POINTS / (len(weight) * sigma**2)
        return scale * (left[1:, 0] - unexplained * varied[1:]), scale * left[1:, 1:]

    def _first_lights(self) -> NDArray[np.floating]:
        """(3, LIGHTS) the strengths of the lights that fit what the image shows, robustly."""
        strengths: NDArray[np.floating] = np.zeros((3, LIGHTS))
        weight: NDArray[np.float32] | None = None
        for _ in range(REWEIGHTINGS):
            lit = self.rows[:, :LIGHTS]
            products = _products(lit if weight is None else lit * weight, self.rows[:, : LIGHTS + 1])
            strengths = np.linalg.solve(products[..., :LIGHTS] + self.held_back, products[..., LIGHTS:])[..., 0]
            weight, _ = self._reweighted(strengths)
        return strengths

    def _look_up(self, pose: FloatArray, camera_matrix: FloatArray, maps: list[NDArray[np.float32]]) -> None:
        """Fill in what the image shows under this pose."""
        turned = pose[:3, :3].astype(np.float32) @ self.points
        x, y, depth = turned + pose[:3, 3:].astype(np.float32)
        (fx, _, cx), (_, fy, cy), _ = camera_matrix.astype(np.float32)
        inverse = np.reciprocal(depth)
        x, y = x * inverse, y * inverse
        values, right, down = _looked_up(maps, fx * x + cx, fy * y + cy)
        tx, ty, tz = turned
        by_x, by_y = right * (fx * inverse), down * (fy * inverse)
        by_z = -(by_x * x + by_y * y)
        known = (values, by_x, by_y, by_z, ty * by_z - tz * by_y, tz * by_x - tx * by_z, tx * by_y - ty * by_x)
        for place, row in enumerate(known, start=LIGHTS):
            self.rows[:, place] = row

    def _reweighted(self, strengths: NDArray[np.floating]) -> tuple[NDArray[np.float32], float]:
        """(N,) weights that doubt points with large errors, in lights of these strengths (3, LIGHTS); and the standard
        deviation of a value.
        """
        fitted = strengths[:, None].astype(np.float32) @ self.rows[:, :LIGHTS]
        size = np.sqrt(np.square(self.rows[:, LIGHTS] - fitted[:, 0]).sum(0))
        middle = len(size) // 2
        # The median of chi with 3 degrees of freedom is 1.54.
        sigma = float(np.partition(size, middle)[middle]) / 1.54 + LEAST_ERROR
        return np.reciprocal(cauchy_divisor(size, np.float32(OUTLYING * sigma))), sigma


def _products(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    """(3, i, j): left (3, i, N) times right (3, j, N) transposed, summed over blocks of AT_ONCE points."""
    blocks = [np.s_[..., start : start + AT_ONCE] for start in range(0, left.shape[2], AT_ONCE)]
    return np.asarray(sum(left[block] @ right[block].swapaxes(1, 2) for block in blocks))


def _held_back(lit: NDArray[np.float32]) -> FloatArray:
    """(3, 13, 13) prior information on the strength of each row: all but light from everywhere are likely weak.

    Also scales the veil, the last row of `lit`, to the mean colour's strength, in place.
    """
    mean = np.maximum(np.square(lit[:, 0]).mean(1), 1e-4)
    lit[:, -1] = np.sqrt(mean)[:, None]
    return WEAK * (HELD_BACK * lit.shape[2] * mean[:, None, None])


def _looked_up(
    maps: list[NDArray[np.float32]], x: NDArray[np.float32], y: NDArray[np.float32]
) -> list[NDArray[np.float32]]:
    """(3, N) values of each map at places x, y (N,), bilinear; places outside take the value of the map's edge."""
    looked_up = (cv2.remap(one, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for one in maps)
    return [np.ascontiguousarray(one.reshape(-1, 3).T) for one in looked_up]
