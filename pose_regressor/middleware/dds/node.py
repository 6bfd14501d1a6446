"""The pose_regressor node over DDS: the topics, types and QoS of the ROS 2 node."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from pose_regressor.draw import draw_poses
from pose_regressor.middleware.core import NodeCore, Tracking, open_tracker, publish_source
from pose_regressor.middleware.dds import idl
from pose_regressor.middleware.dds.participant import Listening, Participant
from pose_regressor.middleware.interrupts import interruptible
from pose_regressor.middleware.messages import image_message
from pose_regressor.middleware.parameters import NodeConfig
from pose_regressor.middleware.pose_messages import detections_message, tf_message
from pose_regressor.middleware.worker import Log, Throttle
from pose_regressor.sources import Source
from pose_regressor.types import Frame, PoseEstimate

LOG = logging.getLogger("pose_regressor")


class Output:
    """The node's publishers. Overlay images are made only while somebody reads them."""

    def __init__(self, participant: Participant, config: NodeConfig) -> None:
        self._config = config
        self._tf = participant.writer("/tf", idl.TFMessage, reliable=True, depth=100)
        self._detections = participant.writer("~/detections", idl.Detection3DArray, reliable=True, depth=10)
        self._overlay = participant.writer("~/overlay", idl.Image, reliable=True, depth=1) if config.overlay else None

    def publish(self, frame: Frame, estimates: Sequence[PoseEstimate]) -> None:
        """Transforms first, since others wait for them; detections also when there are none."""
        if estimates:
            self._tf.write(tf_message(idl, frame, estimates, self._config.frame_prefix))
        self._detections.write(detections_message(idl, frame, estimates))
        if self._overlay is not None and self._overlay.matched_sub:
            drawn = draw_poses(frame.image, frame.camera, estimates)
            self._overlay.write(image_message(idl, drawn, frame.stamp, frame.frame_id))


class DdsNode:
    """The node on `participant`, from when it is made to `close`. Also a context manager."""

    def __init__(
        self,
        participant: Participant,
        config: NodeConfig,
        tracker: Tracking,
        image_topic: str = "image",
        camera_info_topic: str = "camera_info",
        log: Log = LOG,
    ) -> None:
        images = participant.reader(image_topic, idl.Image, reliable=config.image_reliability == "reliable", depth=1)
        self.core = NodeCore(config, tracker, Output(participant, config).publish, log)
        readers = {images: self.core.on_image}
        if self.core.wants_camera_info:
            reliable = config.camera_info_reliability == "reliable"
            infos = participant.reader(camera_info_topic, idl.CameraInfo, reliable=reliable, depth=1)
            readers[infos] = self.core.on_camera_info
        warn = Throttle(log.warning)

        def on_bad(reader: object, reason: str) -> None:
            if reader is images:
                self.core.reject(reason)
            else:
                warn("camera info", f"camera info ignored: {reason}")

        self._listening = Listening(participant, readers, log, on_bad)
        camera = f"camera from {camera_info_topic if self.core.wants_camera_info else config.camera_file}"
        log.info(f"ready: images from {image_topic}, {camera}, poses on /tf, domain {participant.domain}")

    def close(self) -> None:
        self._listening.stop()
        self.core.stop()

    def __enter__(self) -> DdsNode:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def run(
    config: NodeConfig,
    image_topic: str = "image",
    camera_info_topic: str = "camera_info",
    tracker: Tracking | None = None,
) -> int:
    """Runs the node until SIGINT or SIGTERM; the exit code. In the main thread. InputError: it cannot start.

    tracker: instead of the one that the configuration's bundles make.
    """
    with interruptible() as stop, Participant() as participant:
        tracker = tracker or open_tracker(config)
        with DdsNode(participant, config, tracker, image_topic, camera_info_topic):
            stop.wait()
    return 0


def run_source(config: NodeConfig, source: Source, rate: float | None = None, tracker: Tracking | None = None) -> int:
    """Publishes the poses in a source's frames, every frame in its time, until its end or a signal; the exit code.

    No image topic is involved.
    """
    with interruptible(), Participant() as participant:
        output = Output(participant, config)
        tracker = tracker or open_tracker(config)
        publish_source(source, rate, config, tracker, output.publish, LOG)
    return 0
