"""Writes images and videos."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_regressor.files.io import replacing
from pose_regressor.types import InputError

logger = logging.getLogger(__name__)

#: The codecs of each kind of file, the best first. Browsers play VP9 and VP8. OpenCV's wheels can write both; other
#: builds may have MPEG-4 part 2 alone, which browsers do not play. MJPG is large, but fifty times as fast to write.
CODECS = {".mp4": ("vp09", "mp4v"), ".webm": ("VP90", "VP80"), ".avi": ("MJPG",)}
_FOR_BROWSERS = ("vp09", "VP90", "VP80")


@contextmanager
def video_writer(path: str | Path, fps: float) -> Iterator[Callable[[NDArray[np.uint8]], None]]:
    """Gives a function that adds an image (H, W, 3) uint8 RGB to the video at `path`.

    The first image sets the video's size; others are scaled to it. The file appears when the block ends without an
    error. Warns if browsers will not play an .mp4.

    path: .mp4 or .webm for browsers, or .avi
    fps: frames per second
    InputError: the file cannot be written, or no image was added.
    """
    codecs = CODECS.get(Path(path).suffix.lower())
    if codecs is None:
        raise InputError(f"{path}: expected a video file to write, ending in {', '.join(CODECS)}")
    writer: cv2.VideoWriter | None = None
    size = (0, 0)

    with replacing(path) as temporary:

        def add(image: NDArray[np.uint8]) -> None:
            nonlocal writer, size
            if writer is None:
                size = (image.shape[1], image.shape[0])
                writer, codec = _opened(temporary, codecs, fps, size)
                if writer is None:
                    raise InputError(f"{path}: cannot be written as a video of {size[0]}x{size[1]} at {fps:g} Hz")
                if codec not in (*_FOR_BROWSERS, "MJPG"):
                    logger.warning("%s: this OpenCV cannot write VP9; most browsers will not play %s", path, codec)
            bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
            writer.write(bgr if (bgr.shape[1], bgr.shape[0]) == size else cv2.resize(bgr, size))

        try:
            yield add
        finally:
            if writer is not None:
                writer.release()
        if writer is None:
            raise InputError(f"{path}: no frame to write")


def _opened(
    path: Path, codecs: tuple[str, ...], fps: float, size: tuple[int, int]
) -> tuple[cv2.VideoWriter | None, str]:
    """A writer with the first of these codecs that can be used, and that codec; None if there is none."""
    for codec in codecs:
        with _quiet():
            writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), fps, size)
        if writer.isOpened():
            return writer, codec
    return None, ""


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps OpenCV and FFmpeg from printing which codecs they try: they write to the process's stderr itself."""
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def write_image(path: str | Path, image: NDArray[np.uint8]) -> None:
    """Write an image (H, W, 3) uint8 RGB, in the format of the ending of `path`. InputError: it cannot be written."""
    with replacing(path) as temporary:
        try:
            written = cv2.imwrite(str(temporary), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        except cv2.error:
            written = False
        if not written:
            raise InputError(f"{path}: cannot be written as an image")
