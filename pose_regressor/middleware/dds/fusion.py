"""The fusion node over DDS: the topics, types, QoS and lifecycle of the ROS 2 node."""

from __future__ import annotations

import logging
from typing import Any

from pose_regressor.middleware.dds.managed import DdsManaged
from pose_regressor.middleware.dds.participant import Listening, Participant, dds_topic
from pose_regressor.middleware.fusion.core import FusionCore, Lookup, Moment, Publish
from pose_regressor.middleware.fusion.health import FusionHealth
from pose_regressor.middleware.fusion.managed import ManagedFusion
from pose_regressor.middleware.fusion.parameters import FusionConfig
from pose_regressor.middleware.kit.interrupts import end_without_threads, interruptible
from pose_regressor.middleware.kit.worker import Log, Throttle
from pose_regressor.middleware.messages.poses import detections_message, tf_message
from pose_regressor.middleware.messages.transform_tree import TransformTree
from pose_regressor.middleware.wire import idl
from pose_regressor.types import PoseEstimate

LOG = logging.getLogger("pose_regressor_fusion")
NODE_NAME = "pose_regressor_fusion"


class DdsFusionEnds:
    """The node's ends on a participant."""

    def __init__(self, participant: Participant, config: FusionConfig, log: Log = LOG) -> None:
        self._participant, self._config, self._log = participant, config, log
        for topic in config.detections:
            dds_topic(topic)  # a bad name is said at once
        self._writers: list[Any] = []
        self._transforms: list[Any] = []
        self._cameras: list[Any] = []
        self._to_transforms: Listening | None = None
        self._to_cameras: Listening | None = None

    def advertise(self) -> tuple[Lookup, Publish]:
        participant, prefix = self._participant, self._config.frame_prefix
        tf = participant.writer("/tf", idl.TFMessage, reliable=True, depth=100)
        self._writers.append(tf)
        detections = participant.writer("~/detections", idl.Detection3DArray, reliable=True, depth=10)
        self._writers.append(detections)

        def publish(moment: Moment, poses: list[PoseEstimate]) -> None:
            if poses:
                tf.write(tf_message(idl, moment, poses, prefix))
            detections.write(detections_message(idl, moment, poses))

        return self._hear_of_transforms().lookup, publish

    def withdraw(self) -> None:
        if self._to_transforms:
            self._to_transforms.stop()
        self._to_transforms = None
        self._remove(self._transforms)
        self._remove(self._writers)

    def subscribe(self, core: FusionCore) -> None:
        for topic in self._config.detections:
            self._cameras.append(self._participant.reader(topic, idl.Detection3DArray, reliable=True, depth=10))
        readers = dict.fromkeys(self._cameras, core.on_detections)
        self._to_cameras = Listening(self._participant, readers, self._log, lambda _, reason: core.reject(reason))

    def unsubscribe(self) -> None:
        if self._to_cameras:
            self._to_cameras.stop()
        self._to_cameras = None
        self._remove(self._cameras)

    def namesakes(self) -> int:
        return self._participant.namesakes()

    def _hear_of_transforms(self) -> TransformTree:
        tree, warn = TransformTree(patience=self._config.window), Throttle(self._log.warning)
        handlers = {"/tf": tree.on_tf, "/tf_static": tree.on_tf_static}
        for topic in handlers:
            reader = self._participant.reader(
                topic, idl.TFMessage, reliable=True, depth=100, transient_local=topic == "/tf_static"
            )
            self._transforms.append(reader)
        self._to_transforms = Listening(
            self._participant,
            dict(zip(self._transforms, handlers.values(), strict=True)),
            self._log,
            lambda _, reason: warn("TF", f"TF ignored: {reason}"),
        )
        return tree

    def _remove(self, endpoints: list[Any]) -> None:
        self._participant.remove(*endpoints)
        endpoints.clear()


class DdsFusion(DdsManaged):
    """The fusion node."""

    def __init__(self, participant: Participant, config: FusionConfig, log: Log = LOG) -> None:
        self.managed = ManagedFusion(config, DdsFusionEnds(participant, config, log), log)
        super().__init__(participant, self.managed, FusionHealth(self.managed), log)


def run(config: FusionConfig) -> int:
    """Runs the node until SIGINT or SIGTERM; the exit code. In the main thread. InputError: it cannot start."""
    with interruptible() as stop, Participant(NODE_NAME) as participant:
        DdsFusion(participant, config).run(stop)
    return end_without_threads(0)
