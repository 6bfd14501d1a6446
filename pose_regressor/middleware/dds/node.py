"""The pose_regressor node over DDS: the topics, types, QoS and lifecycle of the ROS 2 node."""

from __future__ import annotations

import logging
from typing import Any

from pose_regressor.draw import draw_poses
from pose_regressor.middleware.dds.managed import DdsManaged
from pose_regressor.middleware.dds.participant import Listening, Participant, dds_topic
from pose_regressor.middleware.kit.interrupts import end_without_threads, interruptible
from pose_regressor.middleware.kit.worker import Log, Throttle
from pose_regressor.middleware.messages.images import image_message
from pose_regressor.middleware.messages.poses import detections_message, tf_message
from pose_regressor.middleware.pose.core import IMAGE_DEPTH, NodeCore, publish_source
from pose_regressor.middleware.pose.health import PoseHealth
from pose_regressor.middleware.pose.managed import ManagedNode
from pose_regressor.middleware.pose.markers import Shapes
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.middleware.pose.tracker import OpenTracker, open_tracker
from pose_regressor.middleware.wire import idl
from pose_regressor.sources import Source
from pose_regressor.types import Frame, PoseEstimate

LOG = logging.getLogger("pose_regressor")


class Output:
    """The node's publishers of answers."""

    def __init__(self, participant: Participant, config: NodeConfig) -> None:
        self._participant, self._prefix = participant, config.frame_prefix
        self._tf = participant.writer("/tf", idl.TFMessage, reliable=True, depth=100)
        self._detections = participant.writer("~/detections", idl.Detection3DArray, reliable=True, depth=10)
        self._overlay = participant.writer("~/overlay", idl.Image, reliable=True, depth=1)
        self._markers = participant.writer("~/markers", idl.MarkerArray, reliable=True, depth=1)
        self._shapes = Shapes(idl, config)

    def poses(self, frame: Frame, estimates: list[PoseEstimate]) -> None:
        """Transforms first, since others wait for them; detections also when there are none."""
        if estimates:
            self._tf.write(tf_message(idl, frame, estimates, self._prefix))
        self._detections.write(detections_message(idl, frame, estimates))

    def overlay_wanted(self) -> bool:
        return bool(self._overlay.matched_sub)

    def overlay(self, frame: Frame, estimates: list[PoseEstimate]) -> None:
        drawn = draw_poses(frame.image, frame.camera, estimates)
        self._overlay.write(image_message(idl, drawn, frame.stamp, frame.frame_id))

    def markers_wanted(self) -> bool:
        return bool(self._markers.matched_sub)

    def markers(self, frame: Frame, estimates: list[PoseEstimate]) -> None:
        self._markers.write(self._shapes.message(frame, estimates))

    def close(self) -> None:
        self._participant.remove(self._tf, self._detections, self._overlay, self._markers)


class DdsEnds:
    """The node's ends on a participant."""

    def __init__(
        self, participant: Participant, config: NodeConfig, image_topic: str, camera_info_topic: str, log: Log
    ) -> None:
        self._participant, self._config, self._log = participant, config, log
        self._images, self._infos = image_topic, camera_info_topic
        dds_topic(image_topic), dds_topic(camera_info_topic)  # a bad name is said at once
        self._output: Output | None = None
        self._readers: list[Any] = []
        self._listening: Listening | None = None

    def advertise(self) -> Output:
        self._output = Output(self._participant, self._config)
        return self._output

    def withdraw(self) -> None:
        if self._output:
            self._output.close()
        self._output = None

    def subscribe(self, core: NodeCore) -> str:
        config = self._config
        compressed = config.image_transport == "compressed"
        topic = f"{self._images}/compressed" if compressed else self._images
        message = idl.CompressedImage if compressed else idl.Image
        images = self._reader(topic, message, config.image_reliability, IMAGE_DEPTH)
        handlers: dict[Any, Any] = {images: core.on_image}
        if core.wants_camera_info:
            infos = self._reader(self._infos, idl.CameraInfo, config.camera_info_reliability, 1)
            handlers = {infos: core.on_camera_info, **handlers}  # of what waits, the camera goes before its images
        warn = Throttle(self._log.warning)

        def on_bad(reader: object, reason: str) -> None:
            if reader is images:
                core.reject(reason)
            else:
                warn("camera info", f"camera info ignored: {reason}")

        self._listening = Listening(self._participant, handlers, self._log, on_bad)
        camera = self._infos if core.wants_camera_info else config.camera_file
        return f"images from {topic}, camera from {camera}, domain {self._participant.domain}"

    def unsubscribe(self) -> None:
        if self._listening:
            self._listening.stop()
        self._listening = None
        self._participant.remove(*self._readers)
        self._readers.clear()

    def namesakes(self) -> int:
        return self._participant.namesakes()

    def _reader(self, topic: str, message: type, reliability: str, depth: int) -> Any:
        reader = self._participant.reader(topic, message, reliable=reliability == "reliable", depth=depth)
        self._readers.append(reader)
        return reader


class DdsNode(DdsManaged):
    """The pose node."""

    def __init__(
        self,
        participant: Participant,
        config: NodeConfig,
        open_tracker: OpenTracker = open_tracker,
        image_topic: str = "image",
        camera_info_topic: str = "camera_info",
        log: Log = LOG,
    ) -> None:
        ends = DdsEnds(participant, config, image_topic, camera_info_topic, log)
        self.managed = ManagedNode(config, ends, log, open_tracker)
        super().__init__(participant, self.managed, PoseHealth(self.managed), log)


def run(
    config: NodeConfig,
    image_topic: str = "image",
    camera_info_topic: str = "camera_info",
    open_tracker: OpenTracker = open_tracker,
) -> int:
    """Runs the node until SIGINT or SIGTERM; the exit code. In the main thread. InputError: it cannot start.

    open_tracker: makes the tracker when the node is configured.
    """
    with interruptible() as stop, Participant() as participant:
        DdsNode(participant, config, open_tracker, image_topic, camera_info_topic).run(stop)
    return end_without_threads(0)


def run_source(
    config: NodeConfig, source: Source, rate: float | None = None, open_tracker: OpenTracker = open_tracker
) -> int:
    """Publishes the poses in a source's frames, every frame in its time, until its end or a signal; the exit code.

    No image topic is involved, and no lifecycle.
    """
    with interruptible(), Participant() as participant:
        output = Output(participant, config)
        publish_source(source, rate, config, open_tracker(config), output, LOG)
    return 0
