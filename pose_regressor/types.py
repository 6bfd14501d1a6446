"""The words that every part of the package speaks: plain frozen dataclasses that check their values when made.

Units are metres, radians, seconds and pixels; pixel centres have integer coordinates; the camera frame is OpenCV's
optical frame (x right, y down, z forward); quaternions are xyzw; ``cam_from_obj`` maps object to camera coordinates.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from pose_regressor.distortion import distortion_of
from pose_regressor.inputs import FloatArray, InputError, float_array
from pose_regressor.plane import Plane as Plane

#: In a second: stamps are whole nanoseconds.
NANOSECONDS = 1_000_000_000
#: The median of the depths in an image lies between these, in metres; outside, the unit must be wrong.
NEAREST_MEDIAN, FARTHEST_MEDIAN = 0.01, 100.0
#: About as many depths as their median is taken from.
_DEPTHS = 10_000
#: Longest edge of an image, in pixels.
LARGEST_IMAGE = 100_000


def _image_size(width: object, height: object) -> tuple[int, int]:
    try:
        size = operator.index(width), operator.index(height)  # type: ignore[arg-type]
    except TypeError:
        size = (0, 0)
    if isinstance(width, bool) or isinstance(height, bool) or min(size) < 1 or max(size) > LARGEST_IMAGE:
        got = f"got {width!r:.40}x{height!r:.40}"
        raise InputError(f"camera: expected a width and height of 1 to {LARGEST_IMAGE} pixels, whole numbers", got)
    return size


@dataclass(frozen=True, eq=False)
class Camera:
    """A calibrated camera: a pinhole with lens distortion, or a fisheye.

    width, height: of its images, in pixels.
    matrix: (3, 3) intrinsics K in pixels.
    distortion: (n,) coefficients of `distortion_model` in OpenCV's order, as in sensor_msgs/CameraInfo; empty: none.
    distortion_model: a key of `distortion.DISTORTION_MODELS`. Also taken: "", "none" and "pinhole" for images without
        distortion, "radtan" for plumb_bob, "fisheye" for equidistant.
    """

    width: int
    height: int
    matrix: FloatArray
    distortion: FloatArray = field(default_factory=lambda: np.zeros(0))
    distortion_model: str = "plumb_bob"

    def __post_init__(self) -> None:
        for name, value in zip(("width", "height"), _image_size(self.width, self.height), strict=True):
            object.__setattr__(self, name, value)
        matrix = float_array("camera matrix K", self.matrix, (3, 3))
        if matrix[0, 0] <= 0 or matrix[1, 1] <= 0:
            got = f"got fx={matrix[0, 0]:g} fy={matrix[1, 1]:g}"
            raise InputError("camera matrix K: expected positive fx and fy", got)
        if not np.array_equal(matrix[2], (0, 0, 1)) or matrix[1, 0] != 0:
            raise InputError("camera matrix K: expected [fx s cx; 0 fy cy; 0 0 1]", f"got {matrix.tolist()}")
        object.__setattr__(self, "matrix", matrix)
        given = float_array("camera distortion", self.distortion, (None,))
        model, distortion = distortion_of(self.distortion_model, given)
        distortion.flags.writeable = False
        object.__setattr__(self, "distortion", distortion)
        object.__setattr__(self, "distortion_model", model)

    def check_size(self, width: int, height: int) -> None:
        """InputError if an image of this size, in pixels, cannot be the camera's."""
        if (width, height) != (self.width, self.height):
            raise InputError(
                "image: size differs from its camera info",
                f"got {width}x{height}, expected {self.width}x{self.height}; calibrate at the size that is published",
            )

    def same_as(self, other: Camera) -> bool:
        """Whether the other one sees the same pixels at the same places."""
        return (
            (self.width, self.height, self.distortion_model) == (other.width, other.height, other.distortion_model)
            and np.array_equal(self.matrix, other.matrix)
            and np.array_equal(self.distortion, other.distortion)
        )

    @property
    def is_fisheye(self) -> bool:
        return self.distortion_model == "equidistant"

    @property
    def is_distorted(self) -> bool:
        """Whether the image differs from a pinhole's. A fisheye's does, also if all its coefficients are zero."""
        return self.is_fisheye or bool(np.any(self.distortion))


@runtime_checkable
class PartialDepth(Protocol):
    """Depth of a frame that is worked out where it is looked at. ``numpy.asarray`` gives all of it."""

    @property
    def shape(self) -> tuple[int, int]: ...
    def part(self, left: int, top: int, right: int, bottom: int) -> NDArray[np.float32]:
        """(H, W) as in Frame, right at least in these columns and rows; without `right` and `bottom`."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One image and what is known of it.

    image: (H, W, 3) uint8 RGB.
    camera: of the image's size.
    stamp: nanoseconds since the epoch; 0: unknown.
    frame_id: name of the camera's optical frame on the TF tree.
    index: number of the frame in its source, from 0.
    depth: (H, W) float32 metres along z, in the image's own pixels; 0, NaN or infinite where nothing was measured.
        None: the camera measures no depth.
    support_plane: what objects stand on, in the camera's frame, if it is known.
    """

    image: NDArray[np.uint8]
    camera: Camera
    stamp: int = 0
    frame_id: str = "camera"
    index: int = 0
    depth: NDArray[np.float32] | PartialDepth | None = None
    support_plane: Plane | None = None

    def __post_init__(self) -> None:
        image = self.image
        if not isinstance(image, np.ndarray) or image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            got = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
            raise InputError("image: expected uint8 RGB of shape (H, W, 3)", f"got {got}")
        if image.size == 0:
            raise InputError("image: expected at least one pixel", f"got {image.shape[1]}x{image.shape[0]}")
        if not isinstance(self.camera, Camera):
            raise InputError("frame: expected a Camera", f"got {type(self.camera).__name__}")
        self.camera.check_size(image.shape[1], image.shape[0])
        if not isinstance(self.support_plane, Plane | None):
            raise InputError("frame: expected a Plane as support_plane", f"got {type(self.support_plane).__name__}")
        if self.depth is not None:
            self._check_depth(self.depth)

    def _check_depth(self, depth: NDArray[np.float32] | PartialDepth) -> None:
        partial = isinstance(depth, PartialDepth)
        if not partial and not (isinstance(depth, np.ndarray) and depth.ndim == 2 and depth.dtype == np.float32):
            got = f"{depth.dtype} {depth.shape}" if isinstance(depth, np.ndarray) else type(depth).__name__
            raise InputError("depth: expected float32 metres of shape (H, W)", f"got {got}")
        if depth.shape != self.image.shape[:2]:
            (height, width), (rows, columns) = depth.shape, self.image.shape[:2]
            raise InputError(
                "depth: size differs from the image",
                f"got {width}x{height}, expected {columns}x{rows}; use depth that is aligned to the image",
            )
        if isinstance(depth, np.ndarray):
            check_depth_unit(depth)


def check_depth_unit(depth: NDArray[np.float32]) -> None:
    """InputError if the median of what was measured, (H, W), cannot be metres."""
    pixels = depth.reshape(-1)
    measured = _positive(pixels[:: max(1, len(pixels) // _DEPTHS)])
    if not len(measured):
        measured = _positive(pixels)
    if not len(measured):
        return
    median = float(np.median(measured[:: max(1, len(measured) // _DEPTHS)]))
    if not NEAREST_MEDIAN <= median <= FARTHEST_MEDIAN:
        factor = (
            "divide millimetres by 1000"
            if median > FARTHEST_MEDIAN
            else "check the scale, it may have been divided by 1000 twice"
        )
        raise InputError(
            "depth: expected metres, the unit is wrong",
            f"got a median of {median:.3g}, expected {NEAREST_MEDIAN:g} to {FARTHEST_MEDIAN:g} m; {factor}",
        )


def _positive(depths: NDArray[np.float32]) -> NDArray[np.float32]:
    return depths[(depths > 0) & (depths < np.inf)]


@dataclass(frozen=True, eq=False)
class ObjectModel:
    """What the runtime knows of an object. All lengths are metres, all coordinates are in the object's own frame.

    name: an identifier; becomes part of the TF frame's name.
    obj_id: BOP object id.
    diameter: largest distance between two points.
    bounds: (2, 3) lower and upper corner of the axis-aligned box.
    points: (P, 3) sampled on the surface.
    keypoints: (K, 3) farthest-point samples.
    symmetries: (S, 4, 4) rigid transforms after which it looks the same, without the identity; a continuous symmetry is
        discretised.
    vertices, faces: (V, 3) and (F, 3), a coarse mesh of its shape; empty: none.
    surface: (S, 6) points on the surface, each with its outward unit normal; empty: none.
    colors: (S, L, 3) linear red, green and blue that these points reflect, for the first L blurs of
        `estimation.refine_colors.BLURS`.
    """

    name: str
    obj_id: int
    diameter: float
    bounds: FloatArray
    points: FloatArray
    keypoints: FloatArray
    symmetries: FloatArray = field(default_factory=lambda: np.zeros((0, 4, 4)))
    vertices: FloatArray = field(default_factory=lambda: np.zeros((0, 3)))
    faces: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 3), np.int64))
    surface: FloatArray = field(default_factory=lambda: np.zeros((0, 6)))
    colors: FloatArray = field(default_factory=lambda: np.zeros((0, 3, 3)))

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            expected = "expected letters, digits and '_', not starting with a digit"
            raise InputError("object: the name cannot be used", f"got {self.name!r}, {expected}")
        if not 0 < self.diameter < np.inf:
            raise self._error("expected a positive diameter in metres", f"got {self.diameter}")
        for name, shape in (
            ("bounds", (2, 3)),
            ("points", (None, 3)),
            ("keypoints", (None, 3)),
            ("symmetries", (None, 4, 4)),
            ("vertices", (None, 3)),
            ("faces", (None, 3)),
            ("surface", (None, 6)),
            ("colors", (None, None, 3)),
        ):
            value = float_array(f"object: {name}", getattr(self, name), shape, self._whose)
            object.__setattr__(self, name, value)
        faces = self.faces.astype(np.int64)
        faces.flags.writeable = False
        object.__setattr__(self, "faces", faces)
        self._check_shape()

    def _check_shape(self) -> None:
        faces, surface, colors = self.faces, self.surface, self.colors
        if len(faces) and not 0 <= faces.min() <= faces.max() < len(self.vertices):
            got = f"got {faces.min()} to {faces.max()}, expected vertices 0 to {len(self.vertices) - 1}"
            raise self._error("a face names a vertex that does not exist", got)
        if len(surface) != len(colors):
            got = f"got {len(colors)} colours for {len(surface)} points"
            raise self._error("expected a colour for each point of the surface", got)
        if colors.size and colors.min() < 0:
            raise self._error("expected colours of 0 or more", f"got {colors.min():g}")
        if not (self.bounds[0] < self.bounds[1]).all():
            raise self._error("expected bounds with lower < upper", f"got {self.bounds.tolist()}")

    def _error(self, reason: str, detail: str) -> InputError:
        return InputError(f"object: {reason}", f"{detail}{self._whose}")

    @property
    def _whose(self) -> str:
        return f" (object {self.name})"

    @property
    def size(self) -> FloatArray:
        """(3,) edge lengths of the bounding box."""
        return self.bounds[1] - self.bounds[0]


@dataclass(frozen=True, eq=False)
class PoseEstimate:
    """The pose of one object in one frame.

    model: which object.
    cam_from_obj: (4, 4) rigid transform; translation in metres.
    covariance: (6, 6) over (x, y, z, rotation about x, y, z) in m² and rad², of perturbations added on the left in the
        camera's axes, as in geometry_msgs/PoseWithCovariance.
    score: probability in [0, 1].
    method: how the pose was decoded; None: not known, as in a received detection.
    box: (4,) x0, y0, x1, y1 in pixels of the full image; None: not known.
    instance: a number that stays with the object while it is followed.
    depth_share: share of the object's visible surface at which measured depth agrees with the pose; None: no depth was
        used.
    """

    model: ObjectModel
    cam_from_obj: FloatArray
    covariance: FloatArray
    score: float
    method: Literal["pnp", "regression"] | None = None
    box: FloatArray | None = None
    instance: int = 0
    depth_share: float | None = None

    @property
    def rotation(self) -> FloatArray:
        """(3, 3)."""
        return self.cam_from_obj[:3, :3]

    @property
    def translation(self) -> FloatArray:
        """(3,) in metres."""
        return self.cam_from_obj[:3, 3]
