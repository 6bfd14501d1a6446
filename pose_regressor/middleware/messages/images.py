"""Images and camera infos: from messages, and into messages.

The functions use nothing but the names of a message's fields, so they serve rclpy's messages and those of `wire` alike.
A message that cannot be used is an InputError; nothing is guessed. Functions that make messages take the message
classes as `types`: any namespace with the names of the ROS 2 messages, whose classes take their fields as keywords.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_regressor.types import DISTORTION_MODELS, NANOSECONDS, Camera, Frame, InputError

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class _Encoding:
    """How pixels are stored.

    channels: bytes per pixel.
    to_rgb: (pixels, is_bigendian) -> (H, W, 3) RGB, from (H, W, channels), or from (H, W) if there is one channel.
    even: the width must be even, since two pixels share their colour.
    least: smallest width and height that can be converted.
    """

    channels: int
    to_rgb: Callable[[Image, bool], Image]
    even: bool = False
    least: int = 1


def _cvt(code: int) -> Callable[[Image, bool], Image]:
    return lambda pixels, _: np.asarray(cv2.cvtColor(pixels, code), dtype=np.uint8)


def _mono16(pixels: Image, is_bigendian: bool) -> Image:
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels[..., 0 if is_bigendian else 1]), cv2.COLOR_GRAY2RGB))


# ROS names a Bayer pattern by its first two rows, OpenCV by its second row from the second column on: rggb is BG there.
_ENCODINGS = {
    "rgb8": _Encoding(3, lambda pixels, _: pixels),
    "bgr8": _Encoding(3, _cvt(cv2.COLOR_BGR2RGB)),
    "rgba8": _Encoding(4, _cvt(cv2.COLOR_RGBA2RGB)),
    "bgra8": _Encoding(4, _cvt(cv2.COLOR_BGRA2RGB)),
    "mono8": _Encoding(1, _cvt(cv2.COLOR_GRAY2RGB)),
    "mono16": _Encoding(2, _mono16),
    "bayer_rggb8": _Encoding(1, _cvt(cv2.COLOR_BayerBG2RGB), least=3),
    "bayer_bggr8": _Encoding(1, _cvt(cv2.COLOR_BayerRG2RGB), least=3),
    "bayer_gbrg8": _Encoding(1, _cvt(cv2.COLOR_BayerGR2RGB), least=3),
    "bayer_grbg8": _Encoding(1, _cvt(cv2.COLOR_BayerGB2RGB), least=3),
    "yuv422": _Encoding(2, _cvt(cv2.COLOR_YUV2RGB_UYVY), even=True),
    "uyvy": _Encoding(2, _cvt(cv2.COLOR_YUV2RGB_UYVY), even=True),
    "yuv422_yuy2": _Encoding(2, _cvt(cv2.COLOR_YUV2RGB_YUY2), even=True),
    "yuyv": _Encoding(2, _cvt(cv2.COLOR_YUV2RGB_YUY2), even=True),
}
ENCODINGS = tuple(_ENCODINGS)


def stamp_from_message(stamp: Any) -> int:
    """builtin_interfaces/Time -> nanoseconds."""
    return int(stamp.sec) * NANOSECONDS + int(stamp.nanosec)


def image_from_message(msg: Any) -> Image:
    """sensor_msgs/Image -> (H, W, 3) uint8 RGB. For rgb8 without gaps: a read-only view of the message's memory."""
    width, height, step = int(msg.width), int(msg.height), int(msg.step)
    if width < 1 or height < 1:
        raise InputError("image: expected at least one pixel", f"got {width}x{height}")
    encoding = _ENCODINGS.get(msg.encoding)
    if encoding is None:
        raise _unknown_encoding(msg.encoding, ENCODINGS)
    if step < width * encoding.channels:
        raise InputError(
            "image: the step is shorter than a row",
            f"expected a step of at least {width * encoding.channels} bytes ({width} pixels of {msg.encoding}), "
            f"got {step}",
        )
    try:
        data = np.frombuffer(msg.data, dtype=np.uint8)
    except TypeError:  # a plain list, as some message libraries give it
        data = np.asarray(msg.data, dtype=np.uint8)
    if data.size < step * height:
        expected = f"expected {step * height} bytes of data (step {step} x height {height})"
        raise InputError("image: too little data", f"{expected}, got {data.size}")
    _check_shape(width, height, msg.encoding)
    rows = data[: step * height].reshape(height, step)[:, : width * encoding.channels]
    shape = (height, width) if encoding.channels == 1 else (height, width, encoding.channels)
    # cv2 needs rows without gaps; this copies only if the step leaves gaps.
    return encoding.to_rgb(np.ascontiguousarray(rows).reshape(shape), bool(msg.is_bigendian))


def bayer_to_rgb(mosaic: Image, encoding: str) -> Image:
    """(H, W) uint8 of a Bayer encoding of 8 bits -> (H, W, 3) RGB."""
    known = [name for name in ENCODINGS if name.startswith("bayer_")]
    if encoding not in known:
        raise _unknown_encoding(encoding, known)
    _check_shape(mosaic.shape[1], mosaic.shape[0], encoding)
    return _ENCODINGS[encoding].to_rgb(mosaic, False)


def _unknown_encoding(encoding: object, known: Iterable[str]) -> InputError:
    return InputError(
        "image: unknown encoding", f"encoding {encoding!r} is not known, expected one of {', '.join(known)}"
    )


def _check_shape(width: int, height: int, name: str) -> None:
    encoding = _ENCODINGS[name]
    if (encoding.even and width % 2) or min(width, height) < encoding.least:
        least = "an even width" if encoding.even else f"at least {encoding.least}x{encoding.least} pixels"
        raise InputError("image: its encoding needs another size", f"expected {least} for {name}, got {width}x{height}")


def camera_frame(msg: Any, frame_id: str = "") -> str:
    """Name of the TF frame that an image is seen from: `frame_id`; if that is empty, the header's.

    A leading '/' is taken off: some drivers still write it as in ROS 1, and tf2 refuses to look such a frame up.
    """
    if not (name := (frame_id or str(msg.header.frame_id)).lstrip("/")):
        raise InputError(
            "image: expected a frame_id in its header", "got none; set the driver's, or the parameter frame_id"
        )
    return name


def image_stamp(msg: Any) -> int:
    """The header's stamp in nanoseconds. Refuses one that no clock shows, since it could not be sent on."""
    stamp = msg.header.stamp
    if not 0 <= stamp.nanosec < NANOSECONDS:
        raise InputError(f"image: expected a stamp of less than {NANOSECONDS} nanoseconds", f"got {stamp.nanosec}")
    return stamp_from_message(stamp)


def frame_from_image(msg: Any, camera: Camera, frame_id: str = "", index: int = 0) -> Frame:
    """sensor_msgs/Image -> Frame.

    frame_id: replaces the message's; one of the two must name the camera's TF frame; index: the frame's number.
    """
    name = camera_frame(msg, frame_id)
    if min(msg.width, msg.height) > 0:
        camera.check_size(int(msg.width), int(msg.height))
    return Frame(image_from_message(msg), camera, image_stamp(msg), name, index)


def header(types: Any, stamp: int, frame_id: str) -> Any:
    """std_msgs/Header. stamp: ns."""
    seconds, nanoseconds = divmod(stamp, NANOSECONDS)
    return types.Header(stamp=types.Time(sec=seconds, nanosec=nanoseconds), frame_id=frame_id)


def image_message(
    types: Any, image: Image, stamp: int, frame_id: str, data: Callable[[Image], Any] = lambda pixels: pixels
) -> Any:
    """(H, W, 3) uint8 RGB -> sensor_msgs/Image, rgb8.

    stamp: ns; data: turns the flat array of pixels into a type that the message class takes fast (rclpy:
    ``lambda pixels: array.array("B", pixels.tobytes())``).
    """
    height, width = image.shape[:2]
    return types.Image(
        header=header(types, stamp, frame_id),
        height=height,
        width=width,
        encoding="rgb8",
        is_bigendian=0,
        step=3 * width,
        data=data(np.ascontiguousarray(image).reshape(-1)),
    )


def camera_info_message(types: Any, camera: Camera, stamp: int, frame_id: str) -> Any:
    """sensor_msgs/CameraInfo of a monocular camera: R is the identity and P is [K | 0]."""
    matrix = camera.matrix
    return types.CameraInfo(
        header=header(types, stamp, frame_id),
        height=camera.height,
        width=camera.width,
        distortion_model=camera.distortion_model,
        d=camera.distortion.tolist() or [0.0] * DISTORTION_MODELS[camera.distortion_model][0],
        k=matrix.reshape(9).tolist(),
        r=np.eye(3).reshape(9).tolist(),
        p=np.hstack([matrix, np.zeros((3, 1))]).reshape(12).tolist(),
    )
