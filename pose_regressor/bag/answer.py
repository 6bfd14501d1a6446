"""One camera of a bag: its image messages in, the pose node's answers out."""

from __future__ import annotations

import struct
from collections import Counter
from typing import Any

from pose_regressor.bag.depth import BagDepth, Silent
from pose_regressor.bag.reading import Recorded
from pose_regressor.bag.topics import CameraTopics
from pose_regressor.geometry.camera_info import camera_from_info
from pose_regressor.middleware.messages.compressed import frame_from_compressed
from pose_regressor.middleware.messages.images import frame_from_image
from pose_regressor.middleware.messages.poses import detections_message, tf_message
from pose_regressor.middleware.messages.transform_tree import TransformTree
from pose_regressor.middleware.pose.core import NO_CAMERA_INFO, Tracking
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.middleware.pose.plane import PlaneInput
from pose_regressor.middleware.wire import idl
from pose_regressor.types import NANOSECONDS, Camera, InputError

#: Where a message with a header has its stamp, in CDR.
STAMP = slice(4, 12)
#: Depth that was recorded later than this after its image is not waited for, nanoseconds.
LATEST_DEPTH = NANOSECONDS // 2
#: So long after its image is waited for transforms of its time, nanoseconds.
LATEST_TF = 3 * NANOSECONDS // 10


class BagCamera:
    """Answers the images of one camera.

    detections: the topic of its detections.
    depth: of its images; None if it has none.
    plane: that objects stand on; None if the config names no frame of it.
    counts: number of images, of those answered, of those with a pose found, and of those with a pose that used depth.
    dropped: images that were not answered, by reason.
    examples: the first error for each of these reasons.
    """

    def __init__(
        self,
        topics: CameraTopics,
        camera: Camera | None,
        config: NodeConfig,
        tracker: Tracking,
        depth: BagDepth | None = None,
        tree: TransformTree | None = None,
    ) -> None:
        """camera: None takes it from the bag's camera infos; depth: None if it has none; tree: the bag's transforms."""
        self.topics, self.depth = topics, depth
        self.plane = PlaneInput(config.support_frame, Silent()) if config.support_frame else None
        if self.plane and tree:
            self.plane.lookup = tree.lookup
        space = topics.namespace.strip("/")
        self.detections = f"/{space}/pose_regressor/detections" if space else "/pose_regressor/detections"
        self._prefix = config.frame_prefix or (f"{space.replace('/', '_')}_" if space else "")
        self._config, self._tracker = config, tracker
        self._camera: Camera | InputError = camera or InputError(NO_CAMERA_INFO)
        self._info = b""
        self.counts: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.examples: dict[str, InputError] = {}

    def on_info(self, data: bytes) -> None:
        """Takes a camera info, for the images after it. If it cannot be used, those are dropped, as in the node."""
        content = data[: STAMP.start] + data[STAMP.stop :]
        if content == self._info:
            return
        self._info = content
        try:
            self._camera = read_camera_info(data, self._config.rectified)
        except InputError as error:
            self._camera = error

    def waits(self, recorded: Recorded, now: int) -> bool:
        """Whether an image waits for depth or transforms that were recorded after it.

        now: log time of what was read last, ns
        """
        message = recorded.message
        if self.plane and now <= message.log_time + LATEST_TF:
            return True
        if self.depth is None or now > message.log_time + LATEST_DEPTH or len(message.data) < STAMP.stop:
            return False
        seconds, nanoseconds = struct.unpack_from("<iI" if message.data[1] & 1 else ">iI", message.data, STAMP.start)
        return not self.depth.complete(seconds * NANOSECONDS + nanoseconds)

    def answer(self, recorded: Recorded) -> list[tuple[str, Any, int]]:
        """The answers to an image, as (topic, message, depth of the topic's history); none if it cannot be used."""
        self.counts["images"] += 1
        try:
            if isinstance(self._camera, InputError):
                raise self._camera
            kind, convert = (
                (idl.CompressedImage, frame_from_compressed)
                if self.topics.compressed
                else (idl.Image, frame_from_image)
            )
            message = kind.deserialize(recorded.message.data)
            frame = convert(message, self._camera, self._config.frame_id, self.counts["images"] - 1)
        except InputError as error:
            self.dropped[error.reason] += 1
            self.examples.setdefault(error.reason, error.with_traceback(None))
            return []
        if self.depth:
            frame = self.depth.added_to(frame)
        if self.plane:
            frame = self.plane.added_to(frame)
        estimates = self._tracker.update(frame)
        self.counts["answered"] += 1
        self.counts["found"] += bool(estimates)
        self.counts["found by depth"] += any(estimate.depth_share is not None for estimate in estimates)
        answers: list[tuple[str, Any, int]] = [(self.detections, detections_message(idl, frame, estimates), 10)]
        if estimates:
            answers.insert(0, ("/tf", tf_message(idl, frame, estimates, self._prefix), 100))
        return answers


def read_camera_info(data: bytes, rectified: bool) -> Camera:
    """The camera of a sensor_msgs/CameraInfo in CDR."""
    return camera_from_info(idl.CameraInfo.deserialize(data), rectified)
