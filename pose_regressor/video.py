"""Writes images and videos."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_regressor.files.io import replacing
from pose_regressor.types import InputError

CODECS = {".mp4": "mp4v", ".avi": "MJPG"}


@contextmanager
def video_writer(path: str | Path, fps: float) -> Iterator[Callable[[NDArray[np.uint8]], None]]:
    """Gives a function that adds an image (H, W, 3) uint8 RGB to the video at `path`.

    The first image sets the video's size; others are scaled to it. The file appears when the block ends without an
    error.

    fps: frames per second
    InputError: the file cannot be written, or no image was added.
    """
    codec = CODECS.get(Path(path).suffix.lower())
    if codec is None:
        raise InputError(f"{path}: expected a video file to write, ending in {' or '.join(CODECS)}")
    writer: cv2.VideoWriter | None = None
    size = (0, 0)

    with replacing(path) as temporary:

        def add(image: NDArray[np.uint8]) -> None:
            nonlocal writer, size
            if writer is None:
                size = (image.shape[1], image.shape[0])
                writer = cv2.VideoWriter(str(temporary), cv2.VideoWriter.fourcc(*codec), fps, size)
                if not writer.isOpened():
                    raise InputError(f"{path}: cannot be written as a video of {size[0]}x{size[1]} at {fps:g} Hz")
            bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
            writer.write(bgr if (bgr.shape[1], bgr.shape[0]) == size else cv2.resize(bgr, size))

        try:
            yield add
        finally:
            if writer is not None:
                writer.release()
        if writer is None:
            raise InputError(f"{path}: no frame to write")


def write_image(path: str | Path, image: NDArray[np.uint8]) -> None:
    """Write an image (H, W, 3) uint8 RGB, in the format of the ending of `path`. InputError: it cannot be written."""
    with replacing(path) as temporary:
        try:
            written = cv2.imwrite(str(temporary), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        except cv2.error:
            written = False
        if not written:
            raise InputError(f"{path}: cannot be written as an image")
