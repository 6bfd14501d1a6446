"""sensor_msgs/CompressedImage, as image_transport's `compressed` sends it: JPEG or PNG."""

from __future__ import annotations

import struct
from typing import Any

import cv2
import numpy as np

from pose_regressor.middleware.messages.images import Image, bayer_to_rgb, camera_frame, image_stamp, refuse_depth
from pose_regressor.types import Camera, Frame, InputError

JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
#: Markers of a JPEG file: those that start a frame and hold its size, and those that have no length.
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
BARE = {0x01, *range(0xD0, 0xD8)}


def frame_from_compressed(msg: Any, camera: Camera, frame_id: str = "", index: int = 0) -> Frame:
    """sensor_msgs/CompressedImage -> Frame; arguments as for `images.frame_from_image`."""
    name = camera_frame(msg, frame_id)
    return Frame(image_from_compressed(msg, camera), camera, image_stamp(msg), name, index)


def image_from_compressed(msg: Any, camera: Camera) -> Image:
    """sensor_msgs/CompressedImage -> (H, W, 3) uint8 RGB of the camera's size. Images of 16 bits become 8.

    The size is checked before anything is unpacked: a few bytes can claim to be an image of gigabytes.
    """
    data = bytes(msg.data)
    camera.check_size(*file_size(data))
    source, _, rest = (part.strip() for part in str(msg.format).partition(";"))
    refuse_depth(source)
    if source.startswith("bayer_"):
        pixels = _from_bayer(data, source, rest.partition("compressed")[2].strip())
    else:
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        pixels = None if bgr is None else cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    if pixels is None:
        raise _broken(f"got {len(data)} bytes that are not whole")
    return np.asarray(pixels, np.uint8)


def _from_bayer(data: bytes, source: str, target: str) -> Image | None:
    """(H, W, 3) RGB of an image whose camera sends a Bayer mosaic; None: it cannot be decoded.

    source, target: its encodings before and for the compression, from the message's format. Only a mosaic that was
    compressed as it is has one channel and no other target. image_transport converts JPEG's to grey (mono8), other
    programs to colours (bgr8).
    """
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        return None
    if pixels.ndim == 2 and (not target or target.startswith("bayer_")):
        return bayer_to_rgb(np.asarray(pixels), target or source)
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    codes = {1: cv2.COLOR_GRAY2RGB, 3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGB}
    return np.asarray(cv2.cvtColor(pixels, codes[channels]), np.uint8)


def file_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels, as a JPEG or PNG file says."""
    try:
        if data.startswith(PNG):
            width, height = struct.unpack_from(">II", data, 16)
            _check_chunks(data)
            return width, height
        if data.startswith(JPEG):
            return _jpeg_size(data)
    except (struct.error, IndexError):
        raise _broken(f"got {len(data)} bytes that end before the size") from None
    raise _broken(f"got {len(data)} bytes that begin with {data[:4].hex() or 'nothing'}")


def _broken(detail: str) -> InputError:
    return InputError("image: expected JPEG or PNG", detail)


def _check_chunks(data: bytes) -> None:
    """Checks that every chunk of a PNG file ends within the file.

    OpenCV allocates the length that a chunk claims: a file of 100 bytes can claim 4 GB, which takes 15 seconds.
    """
    position = len(PNG)
    while position < len(data):
        (length,) = struct.unpack_from(">I", data, position)
        position += length + 12  # plus the chunk's length, name and checksum
    if position > len(data):
        raise _broken(f"got {len(data)} bytes that are not whole")


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Width and height from the file's first frame, found from marker to marker. IndexError: there is none."""
    position = 2
    while True:
        if data[position] != 0xFF:
            raise _broken("got a JPEG file without a frame")
        marker = data[position + 1]
        if marker in FRAMES:
            height, width = struct.unpack_from(">HH", data, position + 5)
            return width, height
        # Any number of 0xff may come before a marker.
        skip = 1 if marker == 0xFF else 2
        if marker not in BARE and marker != 0xFF:
            skip += struct.unpack_from(">H", data, position + 2)[0]
        position += skip
