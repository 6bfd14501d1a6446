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

from pose_regressor.distortion import DISTORTION_MODELS
from pose_regressor.types import NANOSECONDS, Camera, Frame, InputError

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class _Encoding:
    """How pixels are stored.

    channels: bytes per pixel of a row.
    to_rgb: (pixels, is_bigendian) -> (H, W, 3) RGB, from (H, W, channels), or from (H, W) if there is one channel.
    even: the width must be even, since two pixels share their colour.
    least: smallest width and height that can be converted.
    with_colours_below: half as many rows follow, with the colours of 2 x 2 pixels each; the height must be even, too.
    """

    channels: int
    to_rgb: Callable[[Image, bool], Image]
    even: bool = False
    least: int = 1
    with_colours_below: bool = False


def _cvt(code: int) -> Callable[[Image, bool], Image]:
    return lambda pixels, _: np.asarray(cv2.cvtColor(pixels, code), dtype=np.uint8)


def _cvt16(code: int | None) -> Callable[[Image, bool], Image]:
    """Of 16 bits a channel: the high bytes, converted as those of 8 bits. code: None if they are RGB already."""

    def convert(pixels: Image, is_bigendian: bool) -> Image:
        high = np.ascontiguousarray(pixels[..., 0 if is_bigendian else 1 :: 2])
        return high if code is None else np.asarray(cv2.cvtColor(high, code), dtype=np.uint8)

    return convert


def _bayer16(code: int) -> Callable[[Image, bool], Image]:
    """Of 16 bits: interpolated before the low bytes are dropped."""

    def convert(pixels: Image, is_bigendian: bool) -> Image:
        mosaic = pixels.view(">u2" if is_bigendian else "<u2")[..., 0].astype(np.uint16)
        return np.asarray(cv2.cvtColor(mosaic, code) >> 8, dtype=np.uint8)

    return convert


# ROS names a Bayer pattern by its first two rows, OpenCV by its second row from the second column on: rggb is BG there.
_BAYER = {
    "bayer_rggb": cv2.COLOR_BayerBG2RGB,
    "bayer_bggr": cv2.COLOR_BayerRG2RGB,
    "bayer_gbrg": cv2.COLOR_BayerGR2RGB,
    "bayer_grbg": cv2.COLOR_BayerGB2RGB,
}
# Names like 8UC3 tell no colours. They are OpenCV's, and cv_bridge's default for OpenCV's images, which are BGR.
_ENCODINGS = {
    "rgb8": _Encoding(3, lambda pixels, _: pixels),
    **dict.fromkeys(("bgr8", "8UC3"), _Encoding(3, _cvt(cv2.COLOR_BGR2RGB))),
    "rgba8": _Encoding(4, _cvt(cv2.COLOR_RGBA2RGB)),
    **dict.fromkeys(("bgra8", "8UC4"), _Encoding(4, _cvt(cv2.COLOR_BGRA2RGB))),
    **dict.fromkeys(("mono8", "8UC1"), _Encoding(1, _cvt(cv2.COLOR_GRAY2RGB))),
    "rgb16": _Encoding(6, _cvt16(None)),
    **dict.fromkeys(("bgr16", "16UC3"), _Encoding(6, _cvt16(cv2.COLOR_BGR2RGB))),
    "rgba16": _Encoding(8, _cvt16(cv2.COLOR_RGBA2RGB)),
    **dict.fromkeys(("bgra16", "16UC4"), _Encoding(8, _cvt16(cv2.COLOR_BGRA2RGB))),
    "mono16": _Encoding(2, _cvt16(cv2.COLOR_GRAY2RGB)),
    **{f"{name}8": _Encoding(1, _cvt(code), least=3) for name, code in _BAYER.items()},
    **{f"{name}16": _Encoding(2, _bayer16(code), least=3) for name, code in _BAYER.items()},
    **dict.fromkeys(("yuv422", "uyvy"), _Encoding(2, _cvt(cv2.COLOR_YUV2RGB_UYVY), even=True)),
    **dict.fromkeys(("yuv422_yuy2", "yuyv"), _Encoding(2, _cvt(cv2.COLOR_YUV2RGB_YUY2), even=True)),
    "nv12": _Encoding(1, _cvt(cv2.COLOR_YUV2RGB_NV12), even=True, least=2, with_colours_below=True),
    "nv21": _Encoding(1, _cvt(cv2.COLOR_YUV2RGB_NV21), even=True, least=2, with_colours_below=True),
}
ENCODINGS = tuple(_ENCODINGS)
#: What REP 118 sends depth in: millimetres and metres. As a picture it would be noise, so it is refused.
DEPTH_ENCODINGS = ("16UC1", "32FC1")


def stamp_from_message(stamp: Any) -> int:
    """builtin_interfaces/Time -> nanoseconds."""
    return int(stamp.sec) * NANOSECONDS + int(stamp.nanosec)


def image_from_message(msg: Any) -> Image:
    """sensor_msgs/Image -> (H, W, 3) uint8 RGB. For rgb8 without gaps: a read-only view of the message's memory."""
    width, height = image_size(msg)
    refuse_depth(msg.encoding)
    encoding = _ENCODINGS.get(msg.encoding)
    if encoding is None:
        raise _unknown_encoding(msg.encoding, ENCODINGS)
    rows = height + height // 2 * encoding.with_colours_below
    pixels = pixel_bytes(msg, encoding.channels, rows)
    _check_shape(width, height, msg.encoding)
    shape = (rows, width) if encoding.channels == 1 else (rows, width, encoding.channels)
    # cv2 needs rows without gaps; this copies only if the step leaves gaps.
    return encoding.to_rgb(np.ascontiguousarray(pixels).reshape(shape), bool(msg.is_bigendian))


def image_size(msg: Any, what: str = "image") -> tuple[int, int]:
    """Width and height of a sensor_msgs/Image, in pixels. what: the image in words."""
    width, height = int(msg.width), int(msg.height)
    if width < 1 or height < 1:
        raise InputError(f"{what}: expected at least one pixel", f"got {width}x{height}")
    return width, height


def pixel_bytes(msg: Any, channels: int, rows: int, what: str = "image") -> Image:
    """(rows, width * channels) bytes of a sensor_msgs/Image: a view of its memory, without what follows each row.

    channels: bytes of each pixel; what: the image in words.
    """
    width, step = int(msg.width), int(msg.step)
    if step < width * channels:
        raise InputError(
            f"{what}: the step is shorter than a row",
            f"expected a step of at least {width * channels} bytes ({width} pixels of {msg.encoding}), got {step}",
        )
    try:
        data = np.frombuffer(msg.data, dtype=np.uint8)
    except TypeError:  # a plain list, as some message libraries give it
        data = np.asarray(msg.data, dtype=np.uint8)
    if data.size < step * rows:
        expected = f"expected {step * rows} bytes of data (step {step} x height {rows})"
        raise InputError(f"{what}: too little data", f"{expected}, got {data.size}")
    return data[: step * rows].reshape(rows, step)[:, : width * channels]


def bayer_to_rgb(mosaic: NDArray[np.uint8] | NDArray[np.uint16], encoding: str) -> Image:
    """(H, W) of a Bayer encoding -> (H, W, 3) RGB. The mosaic's own type counts: 16 bits may have become 8 (JPEG)."""
    if encoding not in (known := [name for name in ENCODINGS if name.startswith("bayer_")]):
        raise _unknown_encoding(encoding, known)
    _check_shape(mosaic.shape[1], mosaic.shape[0], encoding)
    rgb = cv2.cvtColor(mosaic, _BAYER[encoding.rstrip("0123456789")])
    return np.asarray(rgb >> 8 if rgb.dtype == np.uint16 else rgb, np.uint8)


def refuse_depth(encoding: str) -> None:
    """InputError if an encoding is one of depth images."""
    if encoding in DEPTH_ENCODINGS:
        detail = f"got {encoding!r}, which is depth (REP 118); take the colour topic (grey of 16 bits: mono16)"
        raise InputError("image: expected colours or grey, not depth", detail)


def _unknown_encoding(encoding: object, known: Iterable[str]) -> InputError:
    return InputError(
        "image: unknown encoding", f"encoding {encoding!r} is not known, expected one of {', '.join(known)}"
    )


def _check_shape(width: int, height: int, name: str) -> None:
    encoding = _ENCODINGS[name]
    odd = (encoding.even and width % 2) or (encoding.with_colours_below and height % 2)
    if odd or min(width, height) < encoding.least:
        least = f"at least {encoding.least}x{encoding.least} pixels"
        if encoding.even:
            least = "an even width and height" if encoding.with_colours_below else "an even width"
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
