"""Depth images: from messages, and into messages. REP 118 says how they are sent."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_regressor.middleware.messages.compressed import PNG, file_size
from pose_regressor.middleware.messages.images import header, image_size, pixel_bytes
from pose_regressor.middleware.messages.rvl import decode_rvl
from pose_regressor.types import Camera, InputError, PartialDepth

Depth = NDArray[np.float32]

MILLIMETRES, METRES = ("16UC1", "mono16"), ("32FC1",)
ENCODINGS = (*MILLIMETRES, *METRES)
#: Last parts of the names of topics whose messages are sensor_msgs/CompressedImage.
COMPRESSED = ("compressedDepth", "compressed")
#: What `compressedDepth` puts before the file: its format, then two numbers that turn 16 bits into metres.
_HEADER = struct.Struct("<iff")
#: What follows that in RVL's case: width and height.
_RVL_SIZE = struct.Struct("<II")


def is_compressed(topic: str) -> bool:
    """Whether the messages of a depth topic are sensor_msgs/CompressedImage, as image_transport names such topics."""
    return topic.rpartition("/")[2] in COMPRESSED


def depth_from_message(msg: Any, camera: Camera, aligned: bool = True) -> Depth:
    """(H, W) float32 metres, 0 or NaN where nothing was measured. May be a read-only view of the message's memory.

    msg: sensor_msgs/Image (16UC1, mono16 or 32FC1), or sensor_msgs/CompressedImage (`compressedDepth`, or a PNG file of
        16 bits).
    camera: the one whose pixels these are. The size is checked before anything is unpacked.
    aligned: whether that is the camera of the colour image; for the error only.

    InputError: another size or encoding, or data that is not whole.
    """
    return _decompressed(msg, camera, aligned) if hasattr(msg, "format") else _converted(msg, camera, aligned)


def depth_message(
    types: Any,
    depth: Depth | PartialDepth,
    stamp: int,
    frame_id: str,
    data: Callable[[NDArray[np.uint8]], Any] = lambda pixels: pixels,
) -> Any:
    """(H, W) float32 metres -> sensor_msgs/Image, 16UC1 in millimetres, rounded.

    0 is written where nothing was measured, and where it is too far for 16 bits. types, stamp, data: as for
    `images.image_message`.
    """
    depth = np.asarray(depth)
    height, width = depth.shape
    millimetres = np.rint(np.nan_to_num(depth, nan=0.0, posinf=0.0, neginf=0.0) * np.float32(1000))
    millimetres[(millimetres < 0) | (millimetres > 65535)] = 0
    return types.Image(
        header=header(types, stamp, frame_id),
        height=height,
        width=width,
        encoding="16UC1",
        is_bigendian=0,
        step=2 * width,
        data=data(millimetres.astype("<u2").reshape(-1).view(np.uint8)),
    )


def _check_size(width: int, height: int, camera: Camera, aligned: bool) -> None:
    if (width, height) == (camera.width, camera.height):
        return
    got = f"got {width}x{height}, expected {camera.width}x{camera.height}"
    if aligned:
        remedy = "take the topic of aligned depth, or set depth_info_topic"
        raise InputError("depth: size differs from the image", f"{got}; {remedy}")
    raise InputError("depth: size differs from its camera info", f"{got}; is depth_info_topic of the same camera?")


def _unknown_encoding(encoding: str) -> InputError:
    return InputError("depth: unknown encoding", f"got {encoding!r}, expected one of {', '.join(ENCODINGS)}")


def _converted(msg: Any, camera: Camera, aligned: bool) -> Depth:
    """A sensor_msgs/Image."""
    if msg.encoding not in ENCODINGS:
        raise _unknown_encoding(msg.encoding)
    _check_size(*image_size(msg, "depth"), camera, aligned)
    order = ">" if msg.is_bigendian else "<"
    if msg.encoding in METRES:
        values = pixel_bytes(msg, 4, int(msg.height), "depth").view(order + "f4")
        return np.require(values, np.float32, ["C_CONTIGUOUS", "ALIGNED"])
    return _metres(pixel_bytes(msg, 2, int(msg.height), "depth").view(order + "u2"))


def _metres(millimetres: NDArray[np.uint16]) -> Depth:
    return np.divide(millimetres, np.float32(1000), dtype=np.float32)


def _decompressed(msg: Any, camera: Camera, aligned: bool) -> Depth:
    """A sensor_msgs/CompressedImage. Its format is "<encoding>; compressedDepth", perhaps with png or rvl behind it."""
    data = bytes(msg.data)
    encoding, _, how = (part.strip() for part in str(msg.format).partition(";"))
    if data.startswith(PNG):  # image_transport's `compressed` puts nothing before the file
        if encoding in METRES:
            raise InputError(
                "depth: expected compressedDepth", f"got a PNG file of {encoding}, whose scale is not known"
            )
        return _metres(_png(data, camera, aligned))
    if encoding not in ENCODINGS:
        raise _unknown_encoding(encoding)
    if len(data) < _HEADER.size:
        raise _broken(f"got {len(data)} bytes")
    _, scale, offset = _HEADER.unpack_from(data)
    steps = (_rvl if "rvl" in how else _png)(data[_HEADER.size :], camera, aligned)
    return _metres(steps) if encoding in MILLIMETRES else _from_inverse(steps, scale, offset)


def _from_inverse(steps: NDArray[np.uint16], scale: float, offset: float) -> Depth:
    """Metres of `compressedDepth`'s steps of inverse depth: step = scale / metres + offset; 0: nothing is measured."""
    if not (np.isfinite([scale, offset]).all() and scale > 0):
        raise InputError("depth: expected finite numbers in compressedDepth's header", f"got {scale:g} and {offset:g}")
    inverse = steps.astype(np.float32) - np.float32(offset)
    measured = (steps > 0) & (inverse > 0)
    return np.divide(np.float32(scale), inverse, out=np.zeros_like(inverse), where=measured)


def _png(data: bytes, camera: Camera, aligned: bool) -> NDArray[np.uint16]:
    """(H, W) of a PNG file."""
    if not data.startswith(PNG):
        raise _broken(f"got {len(data)} bytes that begin with {data[:4].hex() or 'nothing'}")
    try:
        _check_size(*file_size(data), camera, aligned)
    except InputError as error:
        raise error if error.reason.startswith("depth") else _broken(error.detail) from None
    values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None:
        raise _broken(f"got {len(data)} bytes that are not whole")
    if values.ndim != 2 or values.dtype != np.uint16:
        channels = 1 if values.ndim == 2 else values.shape[2]
        raise InputError("depth: expected one channel of 16 bits", f"got a PNG file of {channels} of {values.dtype}")
    return np.asarray(values, np.uint16)


def _rvl(data: bytes, camera: Camera, aligned: bool) -> NDArray[np.uint16]:
    """(H, W) of an RVL image behind its size."""
    if len(data) < _RVL_SIZE.size:
        raise _broken(f"got {len(data)} bytes that end before the size")
    width, height = _RVL_SIZE.unpack_from(data)
    _check_size(width, height, camera, aligned)
    try:
        return decode_rvl(data[_RVL_SIZE.size :], width * height).reshape(height, width)
    except ValueError as error:
        raise _broken(f"got RVL data that is not whole ({error})") from None


def _broken(detail: str) -> InputError:
    return InputError("depth: expected compressedDepth (PNG or RVL)", detail)
