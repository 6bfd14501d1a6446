"""sensor_msgs/CameraInfo -> Camera: the same for a topic, a recording and a file.

The message describes the camera at its full resolution. Its images may show a region of interest of that, binned. REP
104 and the message's own definition say how: the region is given in pixels of the full image, then neighbourhoods of
binning_x x binning_y pixels become one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pose_regressor.types import Camera, FloatArray, InputError

#: A principal point beyond this share of both width and height is that of a larger image.
FARTHEST_PRINCIPAL_POINT = 0.75


def camera_from_info(msg: Any, rectified: bool = False) -> Camera:
    """The camera of the images that are published with this sensor_msgs/CameraInfo.

    msg: any object with the message's field names.
    rectified: takes P without distortion, in place of K and D, which belong to the raw image.

    InputError: the camera is not calibrated (zeros), is the second one of a stereo pair (its P is in the first one's
    frame), or has an unknown distortion model, or binning or a region of interest that cannot be.
    """
    matrix = _matrix(msg.p, "projection matrix P", 12) if rectified else _matrix(msg.k, "camera matrix K", 9)
    if rectified and matrix[:, 3].any():
        got = f"got {matrix[:, 3].tolist()}; of a stereo pair take the first camera"
        raise InputError("camera info: expected a P whose last column is zero when rectified", got)
    distortion, model = ([], "none") if rectified else (msg.d, msg.distortion_model)
    try:
        full = Camera(msg.width, msg.height, matrix[:, :3], np.asarray(distortion, np.float64).reshape(-1), model)
    except InputError as error:
        raise error.of("camera info") from None
    published_from_full, width, height = _published(msg, full)
    return Camera(width, height, published_from_full @ full.matrix, full.distortion, full.distortion_model)


def _published(msg: Any, full: Camera) -> tuple[FloatArray, int, int]:
    """(3, 3) map from pixels of the full image to those of the published one, whose width and height follow."""
    width, height = full.width, full.height
    columns, rows = max(int(msg.binning_x), 1), max(int(msg.binning_y), 1)
    left, top, wide, high = (int(getattr(msg.roi, name)) for name in ("x_offset", "y_offset", "width", "height"))
    region = f"{wide}x{high}+{left}+{top}"
    if not (left or top or wide or high):  # the message's default: the full image
        wide, high = width, height
    elif min(left, top) < 0 or min(wide, high) < 1 or left + wide > width or top + high > height:
        raise InputError(
            "camera info: expected a region of interest within the full image",
            f"got {region} of {width}x{height}; width and height are the full image's, before binning and cutting",
        )
    if columns > wide or rows > high:
        raise InputError("camera info: expected a binning smaller than the image", f"got {columns}x{rows}")
    cx, cy = full.matrix[:2, 2]
    if max(columns, rows) > 1 and cx > FARTHEST_PRINCIPAL_POINT * width and cy > FARTHEST_PRINCIPAL_POINT * height:
        raise InputError(
            "camera info: expected width, height and K of the full image, before binning",
            f"got {width}x{height} with the principal point at {cx:g}, {cy:g} and binning {columns}x{rows}; "
            "set the full width and height, or binning 0 and a K of the published image",
        )
    # Pixel centres are integers: the first binned pixel is centred on the middle of the pixels it is made of.
    x, y = (0.5 - left) / columns - 0.5, (0.5 - top) / rows - 0.5
    return np.array([[1 / columns, 0, x], [0, 1 / rows, y], [0, 0, 1]]), wide // columns, high // rows


def _matrix(values: Any, what: str, size: int) -> FloatArray:
    """(3, size / 3)."""
    matrix = np.asarray(values, dtype=np.float64).reshape(-1)
    if matrix.size != size or not np.isfinite(matrix).all() or not matrix.any():
        raise InputError(f"camera info: expected a calibrated {what} of {size} numbers", f"got {matrix.tolist()}")
    return matrix.reshape(3, -1)
