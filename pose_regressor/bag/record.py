"""Records a source as a camera's bag: images, camera infos and depth, as `ros2 bag record` would write them."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from typing import Any

import cv2

from pose_regressor.bag.writing import bag_writer
from pose_regressor.middleware.kit.player import DEFAULT_RATE
from pose_regressor.middleware.messages.depth import depth_message
from pose_regressor.middleware.messages.images import camera_info_message, header, image_message
from pose_regressor.middleware.wire import idl
from pose_regressor.settings import CAMERA_NAMESPACE
from pose_regressor.sources import Source
from pose_regressor.types import NANOSECONDS, InputError

JPEG_QUALITY = 95
#: Topic of depth in the camera's namespace, apart from the topics of colour.
ALIGNED_DEPTH = "aligned_depth/image_raw"
DEPTH = 5


def record(
    source: Source,
    path: Path,
    namespace: str = CAMERA_NAMESPACE,
    compressed: bool = False,
    start: int = 0,
    stop: Event | None = None,
) -> int:
    """Writes <namespace>/image_raw and <namespace>/camera_info until the source ends. Returns the number of frames.

    If the source has depth: also <namespace>/aligned_depth/image_raw, in millimetres (16UC1).
    compressed: writes <namespace>/image_raw/compressed (JPEG) in place of image_raw (rgb8).
    start: stamp of the first frame, nanoseconds since the epoch. The others follow at the source's rate, or at 30 Hz if
        it has none. Frames of a live source keep their own stamps.
    stop: ends the recording when it is set.
    """
    period = round(NANOSECONDS / (source.fps or DEFAULT_RATE))
    frame_id = f"{namespace.strip('/').replace('/', '_') or 'camera'}_optical_frame"
    image_topic = f"{namespace}/image_raw/compressed" if compressed else f"{namespace}/image_raw"
    count = 0
    with bag_writer(path) as writer:
        for frame in source:
            stamp = frame.stamp if source.live else start + count * period
            info = camera_info_message(idl, frame.camera, stamp, frame_id)
            writer.add(f"{namespace}/camera_info", info, stamp, DEPTH)
            if frame.depth is not None:
                depth = depth_message(idl, frame.depth, stamp, frame_id)
                writer.add(f"{namespace}/{ALIGNED_DEPTH}", depth, stamp, DEPTH)
            if compressed:
                bgr = cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
                data: Any = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].reshape(-1)
                message = idl.CompressedImage(header(idl, stamp, frame_id), "rgb8; jpeg compressed bgr8", data)
            else:
                message = image_message(idl, frame.image, stamp, frame_id)
            writer.add(image_topic, message, stamp, DEPTH)
            count += 1
            if stop and stop.is_set():
                break
        if not count:
            raise InputError(f"{source.name}: no frame to record")
    return count
