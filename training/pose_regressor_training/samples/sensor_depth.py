"""Depth as sensors measure it, made from true depth: noise, quantization, edges and holes of three kinds of sensor.

structured_light  a projector and one camera, as in the first Kinect. Noise grows with the square of the distance and
                  towards grazing angles (Nguyen, Izadi and Lovell, 3DIMPVT 2012). Depths come in steps of the disparity
                  (Khoshelham and Elberink, Sensors 12(2), 2012). Places that the projector does not reach are empty.
stereo            two cameras, as in Intel's D400 series. Noise grows with the square of the distance and is smooth over
                  the matching window; edges grow fat (Keselman et al., Intel RealSense Stereoscopic Depth Cameras, CVPR
                  Workshops 2017). Places that the second camera does not see are empty.
time_of_flight    the phase of modulated light, as in the second Kinect. Noise grows linearly with the distance (Foix,
                  Alenyà and Torras, IEEE Sensors 11(9), 2011); pixels at edges mix two depths and fly between them.

The figures that these papers do not give, such as the share of random holes, are choices, and say so where they stand.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_regressor.color import srgb_table
from pose_regressor.types import InputError

FloatMap = NDArray[np.float32]
Kind = Literal["structured_light", "stereo", "time_of_flight"]
KINDS: tuple[Kind, ...] = get_args(Kind)
#: Each image by another kind, drawn at random: for what must hold whatever sensor there is.
MIXED: Literal["mixed"] = "mixed"

#: Nguyen et al., equation 5 and figure 7: metres at the distance of least noise, growth per metre of distance, growth
#: towards grazing angles; pixels of lateral noise.
AXIAL, AXIAL_GROWTH, AXIAL_CLOSEST, GRAZING_GROWTH, LATERAL = 0.0012, 0.0019, 0.4, 0.0001, 0.8
#: Khoshelham and Elberink, section 4.2: the first Kinect's step of depth is this times the distance squared, per metre.
DISPARITY_STEP = 2.85e-3
#: Baselines in metres: of the first Kinect, and of a D435.
PROJECTOR_BASELINE, STEREO_BASELINE = 0.075, 0.05
#: Standard deviation of a stereo disparity, and its steps, pixels (Keselman et al.: subpixel, 1/32).
DISPARITY_SIGMA, SUBPIXEL = 0.08, 1 / 32
#: Least difference of disparities within three pixels at an edge, pixels (a choice).
JUMP = 1.0
#: Time of flight: noise at a metre, metres (a choice, near the second Kinect's), which grows linearly.
FLIGHT_SIGMA = 0.002
#: No sensor sees surfaces at steeper angles, radians (Nguyen et al. found none beyond 70 to 80 degrees).
STEEPEST = np.radians(75)
#: Nothing is measured beyond this, metres (a choice, near what these sensors reach).
RANGE = 10.0
#: What all depths of an image are wrong by together: standard deviation as a share of the distance. A choice, for a
#: well calibrated camera: of a D435 at 640x480 this is a tenth of a pixel of disparity at a metre. A camera as it is
#: delivered may be worse (M. Calvert measured one D435 at 981 mm for 1000 mm: calvert.ch/maurice, 2018).
BIAS = 0.003


@dataclass(frozen=True)
class SensorDepth:
    """A depth sensor.

    kind: one of KINDS, or MIXED
    holes: share of the measured pixels that are emptied at random, in blotches, beyond the holes that the scene makes
    baseline: metres between the two views; None: the kind's own
    bias: standard deviation of what an image's depths are wrong by together, as a share of the distance
    InputError: a value that does not fit.
    """

    kind: Kind | Literal["mixed"] = "structured_light"
    holes: float = 0.05
    baseline: float | None = None
    bias: float = BIAS

    def __post_init__(self) -> None:
        if self.kind not in (*KINDS, MIXED):
            raise InputError(f"sensor: expected one of {', '.join(KINDS)} or {MIXED}, got {self.kind!r}")
        if not 0 <= self.holes < 1:
            raise InputError(f"sensor: expected a share of holes from 0 to below 1, got {self.holes}")

    def measure(
        self,
        depth: FloatMap,
        camera_matrix: NDArray[np.float64],
        rng: np.random.Generator,
        albedo: FloatMap | None = None,
    ) -> FloatMap:
        """(H, W) float32 what the sensor says, metres; 0 where it says nothing.

        depth: (H, W) true, metres along z; 0 where there is nothing
        camera_matrix: (3, 3), of the image that the depth belongs to
        albedo: (H, W) from 0, black, to 1: the dark returns too little light; None: nothing is dark
        """
        if self.kind == MIXED:
            return replace(self, kind=KINDS[rng.integers(len(KINDS))]).measure(depth, camera_matrix, rng, albedo)
        depth = np.where((depth > 0) & (depth < np.inf), depth, 0).astype(np.float32)
        angle = incidence(depth, camera_matrix)
        focal = float(camera_matrix[0, 0])
        if self.kind == "structured_light":
            measured = _structured_light(depth, angle, rng)
        elif self.kind == "stereo":
            measured = _stereo(depth, focal * self._baseline, rng)
        else:
            measured = _time_of_flight(depth, rng)
        measured *= np.float32(1 + self.bias * rng.standard_normal())
        lost = (depth <= 0) | (depth > RANGE) | (angle > STEEPEST + 0.05 * _noise(depth.shape, 1.5, rng))
        if self._baseline:
            lost |= shadow(depth, focal * self._baseline)
        if albedo is not None:
            # A choice: below a tenth, the darker the likelier.
            lost |= albedo < 0.1 * rng.random(depth.shape)
        lost |= self._blotches(depth.shape, rng)
        return np.where(lost | (measured <= 0), np.float32(0), measured).astype(np.float32)

    @property
    def _baseline(self) -> float:
        own: dict[str, float] = {
            "structured_light": PROJECTOR_BASELINE,
            "stereo": STEREO_BASELINE,
            "time_of_flight": 0.0,
        }
        return own[self.kind] if self.baseline is None else self.baseline

    def _blotches(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.bool_]:
        if not self.holes:
            return np.zeros(shape, np.bool_)
        noise = _noise(shape, 3.0, rng)
        return np.asarray(noise < np.quantile(noise, self.holes))


def guessed_albedo(color: NDArray[np.uint8]) -> FloatMap:
    """(H, W) from 0, black, to 1: how much of a sensor's light the surfaces in a picture send back, as a guess.

    It is the linear luminance, with the brightest twentieth of the picture as white. So shadows count as dark surfaces.

    color: (H, W, 3) uint8 RGB
    """
    red, green, blue = np.moveaxis(srgb_table()[color], -1, 0)
    light = 0.2126 * red + 0.7152 * green + 0.0722 * blue  # Rec. 709
    white = max(float(np.quantile(light, 0.95)), 1e-3)
    return np.minimum(light / white, 1).astype(np.float32)


def incidence(depth: FloatMap, camera_matrix: NDArray[np.float64]) -> FloatMap:
    """(H, W) angle between the ray and the surface's normal, radians, from differences of depth (H, W)."""
    rows, columns = np.indices(depth.shape, np.float32)
    x, y = (columns - camera_matrix[0, 2]) / camera_matrix[0, 0], (rows - camera_matrix[1, 2]) / camera_matrix[1, 1]
    rays = np.stack([x, y, np.ones_like(x)], axis=-1)
    points = rays * depth[..., None]
    # The smaller of the differences to both sides, so that normals at edges are those of one surface.
    across, down = (_smaller_difference(points, axis) for axis in (1, 0))
    normal = np.cross(across, down)
    length = np.linalg.norm(normal, axis=-1) * np.linalg.norm(rays, axis=-1)
    cosine = np.abs((normal * rays).sum(-1)) / np.maximum(length, 1e-12)
    return np.arccos(np.clip(cosine, 0, 1)).astype(np.float32)


def _smaller_difference(points: NDArray, axis: int) -> NDArray:
    change = np.diff(points, axis=axis)
    edge = np.take(change, [0], axis), np.take(change, [-1], axis)
    before, after = np.concatenate([edge[0], change], axis), np.concatenate([change, edge[1]], axis)
    return np.where(np.abs(before[..., 2:]) < np.abs(after[..., 2:]), before, after)


def shadow(depth: FloatMap, focal_baseline: float) -> NDArray[np.bool_]:
    """(H, W) whether a second view to the right does not see what a pixel shows, hidden by something nearer.

    depth: (H, W) metres; focal_baseline: focal length (pixels) times the distance between the views (metres)
    """
    with np.errstate(divide="ignore"):
        disparity = np.where(depth > 0, focal_baseline / depth, 0)
    # In the second view a pixel moves to the left by its disparity. It is hidden if one to its right moves as far or
    # farther to the left.
    place = np.arange(depth.shape[1]) - disparity
    others = np.minimum.accumulate(place[:, ::-1], axis=1)[:, ::-1]
    hidden = np.zeros(depth.shape, np.bool_)
    hidden[:, :-1] = others[:, 1:] < place[:, :-1] - 0.5
    return hidden


def _structured_light(depth: FloatMap, angle: FloatMap, rng: np.random.Generator) -> FloatMap:
    rows, columns = np.indices(depth.shape, np.float32)
    # Lateral noise: the sensor reads a place nearby, the same one for neighbours.
    reads = [(base + LATERAL * _noise(depth.shape, 1.0, rng)).astype(np.float32) for base in (columns, rows)]
    read = cv2.remap(depth, reads[0], reads[1], cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    steep = np.minimum(angle, STEEPEST)
    sigma = AXIAL + AXIAL_GROWTH * (read - AXIAL_CLOSEST) ** 2
    sigma = sigma + GRAZING_GROWTH / np.sqrt(np.maximum(read, 0.1)) * steep**2 / (np.pi / 2 - steep) ** 2
    noisy = np.maximum(read + sigma * _noise(depth.shape, 1.0, rng), 1e-3)
    # Equal steps of disparity are equal steps of 1 / z.
    measured = 1 / (np.maximum(np.round(1 / (noisy * DISPARITY_STEP)), 1) * DISPARITY_STEP)
    return np.where(read > 0, measured, 0).astype(np.float32)


def _stereo(depth: FloatMap, focal_baseline: float, rng: np.random.Generator) -> FloatMap:
    with np.errstate(divide="ignore"):
        disparity = np.where(depth > 0, focal_baseline / depth, 0).astype(np.float32)
    # At an edge the matching window sees the nearer surface first, so that grows by about half a window (5 pixels). On
    # a surface that is merely slanted the window finds the disparity of its middle.
    nearest, farthest = (of(disparity, np.ones((3, 3), np.uint8)) for of in (cv2.dilate, cv2.erode))
    disparity = np.where((disparity > 0) & (nearest - farthest > JUMP), nearest, disparity)
    disparity = cv2.medianBlur(disparity.astype(np.float32), 5)
    noisy = disparity + DISPARITY_SIGMA * _noise(depth.shape, 2.0, rng)
    measured = focal_baseline / np.maximum(np.round(noisy / SUBPIXEL), 1) / SUBPIXEL
    return np.where(disparity > 0, measured, 0).astype(np.float32)


def _time_of_flight(depth: FloatMap, rng: np.random.Generator) -> FloatMap:
    # A pixel gathers light from its neighbourhood: at edges, that of two surfaces.
    spread = cv2.GaussianBlur(depth, (0, 0), 0.7)
    near, far = cv2.erode(depth, np.ones((3, 3), np.uint8)), cv2.dilate(depth, np.ones((3, 3), np.uint8))
    mixed = np.where((far - near > 0.02) & (near > 0), spread, depth)  # nothing is no surface: its light is not mixed
    return (mixed + FLIGHT_SIGMA * np.maximum(depth, 0.5) * rng.standard_normal(depth.shape)).astype(np.float32)


def _noise(shape: tuple[int, ...], blur: float, rng: np.random.Generator) -> FloatMap:
    """Noise (H, W) of unit variance, alike in neighbouring pixels. blur: standard deviation, pixels."""
    noise = cv2.GaussianBlur(rng.standard_normal(shape).astype(np.float32), (0, 0), blur)
    return np.asarray(noise / noise.std())
