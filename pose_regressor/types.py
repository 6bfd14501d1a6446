"""The words every part of the package speaks: plain frozen dataclasses, checked when they are made.

Units are metres, radians, seconds and pixels; pixel centres have integer coordinates; the camera frame is OpenCV's
optical frame (x right, y down, z forward); quaternions are xyzw; ``cam_from_obj`` maps object to camera coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

#: Number of coefficients each distortion model takes (order as in sensor_msgs/CameraInfo, which is OpenCV's).
DISTORTION_MODELS = {"plumb_bob": (0, 4, 5), "rational_polynomial": (0, 8)}


class InputError(ValueError):
    """Something the user gave cannot be used. The message is one line: what came, and what was expected."""


def _float_array(name: str, value: object, shape: tuple[int | None, ...]) -> FloatArray:
    """A read-only float64 copy of `value`; a ``None`` in `shape` accepts any length."""
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{name}: expected numbers, got {value!r}") from error
    if array.ndim != len(shape) or any(want not in (None, got) for want, got in zip(shape, array.shape, strict=True)):
        expected = "x".join("n" if want is None else str(want) for want in shape)
        raise InputError(
            f"{name}: expected shape {expected}, got {'x'.join(map(str, array.shape)) or 'a single number'}"
        )
    if not np.isfinite(array).all():
        raise InputError(f"{name}: expected finite numbers, got {array.tolist()}")
    array.flags.writeable = False
    return array


@dataclass(frozen=True, eq=False)
class Camera:
    """A calibrated pinhole camera with lens distortion.

    matrix: (3, 3) intrinsics K in pixels; distortion: the coefficients of `distortion_model` in OpenCV's order
    (empty: none), as in sensor_msgs/CameraInfo.
    """

    width: int
    height: int
    matrix: FloatArray
    distortion: FloatArray = field(default_factory=lambda: np.zeros(0))
    distortion_model: str = "plumb_bob"

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise InputError(f"camera: expected a width and height of at least 1 pixel, got {self.width}x{self.height}")
        matrix = _float_array("camera matrix K", self.matrix, (3, 3))
        if matrix[0, 0] <= 0 or matrix[1, 1] <= 0:
            raise InputError(
                f"camera matrix K: expected positive fx and fy, got fx={matrix[0, 0]:g} fy={matrix[1, 1]:g}"
            )
        if not np.array_equal(matrix[2], (0, 0, 1)) or matrix[1, 0] != 0:
            raise InputError(f"camera matrix K: expected [fx s cx; 0 fy cy; 0 0 1], got {matrix.tolist()}")
        if self.distortion_model not in DISTORTION_MODELS:
            raise InputError(
                f"camera: distortion model {self.distortion_model!r} is not known, "
                f"expected one of {', '.join(DISTORTION_MODELS)}"
            )
        distortion = _float_array("camera distortion", self.distortion, (None,))
        lengths = DISTORTION_MODELS[self.distortion_model]
        if len(distortion) not in lengths:
            raise InputError(
                f"camera distortion: {self.distortion_model} takes {' or '.join(map(str, lengths))} coefficients, "
                f"got {len(distortion)}"
            )
        object.__setattr__(self, "matrix", matrix)
        object.__setattr__(self, "distortion", distortion)

    @property
    def is_distorted(self) -> bool:
        return bool(np.any(self.distortion))


@dataclass(frozen=True, eq=False)
class Frame:
    """One image and what is known of it.

    image: (H, W, 3) uint8 RGB; stamp: nanoseconds since the epoch (0: unknown); frame_id: the optical frame's name
    on the TF tree; index: the frame's number in its source.
    """

    image: NDArray[np.uint8]
    camera: Camera
    stamp: int = 0
    frame_id: str = "camera"
    index: int = 0

    def __post_init__(self) -> None:
        image = self.image
        if not isinstance(image, np.ndarray) or image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            got = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
            raise InputError(f"image: expected uint8 RGB of shape (H, W, 3), got {got}")
        if image.size == 0:
            raise InputError(f"image: expected at least one pixel, got {image.shape[1]}x{image.shape[0]}")
        if image.shape[:2] != (self.camera.height, self.camera.width):
            raise InputError(
                f"image: {image.shape[1]}x{image.shape[0]} does not match its camera info, "
                f"which is for {self.camera.width}x{self.camera.height}"
            )


@dataclass(frozen=True, eq=False)
class ObjectModel:
    """What the runtime knows of an object; all lengths in metres, all coordinates in the object's own frame.

    name: becomes part of the TF frame's name; obj_id: BOP object id; diameter: largest distance of two points;
    bounds: (2, 3) lower and upper corner of the axis-aligned box; points: (P, 3) sampled on the surface;
    keypoints: (K, 3) farthest-point samples; symmetries: (S, 4, 4) rigid transforms that leave it looking the same
    (the identity left out; a continuous symmetry is discretised); vertices: (V, 3), faces: (F, 3): a coarse mesh of
    its shape, or nothing; surface: (S, 6) points on it with outward unit normals, and colors: (S, L, 3) the linear
    light, red, green and blue, that they reflect, in the first L of the blurs of `model.appearance.BLURS`; or nothing.
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
            raise InputError(f"object name {self.name!r}: expected letters, digits and '_', not starting with a digit")
        if not 0 < self.diameter < np.inf:
            raise InputError(f"object {self.name}: expected a positive diameter in metres, got {self.diameter}")
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
            object.__setattr__(self, name, _float_array(f"object {self.name}: {name}", getattr(self, name), shape))
        faces = self.faces.astype(np.int64)
        faces.flags.writeable = False
        object.__setattr__(self, "faces", faces)
        if len(self.faces) and not 0 <= self.faces.min() <= self.faces.max() < len(self.vertices):
            raise InputError(f"object {self.name}: expected faces of vertices 0 to {len(self.vertices) - 1}")
        if len(self.surface) != len(self.colors):
            raise InputError(
                f"object {self.name}: expected a colour for each of {len(self.surface)} points of the surface, got "
                f"{len(self.colors)}"
            )
        if self.colors.size and self.colors.min() < 0:
            raise InputError(f"object {self.name}: expected colours of 0 or more, got {self.colors.min():g}")
        if not (self.bounds[0] < self.bounds[1]).all():
            raise InputError(f"object {self.name}: expected bounds with lower < upper, got {self.bounds.tolist()}")

    @property
    def size(self) -> FloatArray:
        """(3,) edge lengths of the bounding box."""
        return self.bounds[1] - self.bounds[0]


@dataclass(frozen=True, eq=False)
class PoseEstimate:
    """The pose of one object in one frame.

    cam_from_obj: (4, 4) rigid transform; covariance: (6, 6) over (x, y, z, rotation about x, y, z) in m² and rad²,
    perturbations added on the left in the camera's axes (as geometry_msgs/PoseWithCovariance); score: in [0, 1];
    method: how the pose was decoded; box: (4,) x0, y0, x1, y1 in pixels of the full image; instance: number that
    stays with the object while it is followed.
    """

    model: ObjectModel
    cam_from_obj: FloatArray
    covariance: FloatArray
    score: float
    method: Literal["pnp", "regression"]
    box: FloatArray
    instance: int = 0

    @property
    def rotation(self) -> FloatArray:
        return self.cam_from_obj[:3, :3]

    @property
    def translation(self) -> FloatArray:
        return self.cam_from_obj[:3, 3]
