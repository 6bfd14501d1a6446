"""One camera of a bag: its image messages in, the node's answers out."""

from __future__ import annotations

from collections import Counter
from typing import Any

from pose_regressor.bag.reading import Recorded
from pose_regressor.bag.topics import CameraTopics
from pose_regressor.middleware.messages.compressed import frame_from_compressed
from pose_regressor.middleware.messages.images import camera_from_info, frame_from_image
from pose_regressor.middleware.messages.poses import detections_message, tf_message
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.middleware.pose.tracker import Tracking
from pose_regressor.middleware.wire import idl
from pose_regressor.types import Camera, InputError

STAMP = slice(4, 12)  # where a message with a header has its time, in CDR


class BagCamera:
    """counts: images seen, answered and with a pose in them; dropped: images by reason."""

    def __init__(self, topics: CameraTopics, camera: Camera | None, config: NodeConfig, tracker: Tracking) -> None:
        """camera: None for one that camera infos tell of."""
        self.topics = topics
        space = topics.namespace.strip("/")
        self.detections = f"/{space}/pose_regressor/detections" if space else "/pose_regressor/detections"
        self._prefix = config.frame_prefix or (f"{space.replace('/', '_')}_" if space else "")
        self._config, self._tracker = config, tracker
        self._camera: Camera | InputError = camera or InputError("no camera info yet")
        self._info = b""
        self.counts: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()

    def on_info(self, data: bytes) -> None:
        """The newest camera info counts. One that cannot be used leaves no camera, as in the node."""
        content = data[: STAMP.start] + data[STAMP.stop :]
        if content == self._info:
            return
        self._info = content
        try:
            self._camera = read_camera_info(data, self._config.rectified)
        except InputError as error:
            self._camera = error

    def answer(self, recorded: Recorded) -> list[tuple[str, Any, int]]:
        """(topic, message, depth of its history) of every answer to an image: none if it cannot be used."""
        self.counts["images"] += 1
        try:
            if isinstance(self._camera, InputError):
                raise InputError(str(self._camera))
            kind, convert = (
                (idl.CompressedImage, frame_from_compressed)
                if self.topics.compressed
                else (idl.Image, frame_from_image)
            )
            message = kind.deserialize(recorded.message.data)
            frame = convert(message, self._camera, self._config.frame_id, self.counts["images"] - 1)
        except InputError as error:
            self.dropped[str(error).split(",")[0]] += 1  # the part of our errors before the values that came
            return []
        estimates = self._tracker.update(frame)
        self.counts["answered"] += 1
        self.counts["found"] += bool(estimates)
        answers: list[tuple[str, Any, int]] = [(self.detections, detections_message(idl, frame, estimates), 10)]
        if estimates:
            answers.insert(0, ("/tf", tf_message(idl, frame, estimates, self._prefix), 100))
        return answers


def read_camera_info(data: bytes, rectified: bool) -> Camera:
    """The camera of a sensor_msgs/CameraInfo in CDR."""
    return camera_from_info(idl.CameraInfo.deserialize(data), rectified)
