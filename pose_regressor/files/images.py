"""Image files: pixels as they are stored, and sizes without decoding."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_regressor.types import InputError

if TYPE_CHECKING:
    from cv2.typing import MatLike  # newer than the OpenCV of Ubuntu 22.04


def photo_is_turned(path: Path) -> bool:
    """Whether an orientation tag swaps width and height for viewers."""
    stored, shown = (cv2.imread(str(path), flag) for flag in (cv2.IMREAD_IGNORE_ORIENTATION, cv2.IMREAD_COLOR))
    return stored is not None and shown is not None and stored.shape[:2] != shown.shape[:2]


def rgb_from_bgr(bgr: MatLike) -> NDArray[np.uint8]:
    """(H, W, 3) as OpenCV gives it to (H, W, 3) uint8 RGB."""
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def read_image(path: Path) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB, the pixels as stored: an orientation tag would turn the image, but not its K."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        raise InputError(f"{path}: expected an image, this cannot be decoded")
    return rgb_from_bgr(image)


def image_size(path: Path) -> tuple[int, int]:
    """Width and height. Of PNG and JPEG only the header is read, so a folder of thousands is checked in a moment."""
    try:
        with path.open("rb") as file:
            head = file.read(24)
            if head[:8] == b"\x89PNG\r\n\x1a\n" and len(head) == 24:
                width, height = struct.unpack(">II", head[16:24])
                return width, height
            if head[:2] == b"\xff\xd8":
                file.seek(2)
                while len(marker := file.read(4)) == 4 and marker[0] == 0xFF:
                    # SOF0 to SOF15 hold the size; C4, C8 and CC in that range are other segments.
                    if 0xC0 <= marker[1] <= 0xCF and marker[1] not in (0xC4, 0xC8, 0xCC):
                        height, width = struct.unpack(">xHH", file.read(5))
                        return width, height
                    file.seek(struct.unpack(">H", marker[2:])[0] - 2, 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except struct.error:
        pass  # cut off within the header: decoding will say so
    height, width = read_image(path).shape[:2]
    return width, height
