"""The fusion node over DDS: the topics, types and QoS of the ROS 2 node."""

from __future__ import annotations

import logging

from pose_regressor.middleware.dds import idl
from pose_regressor.middleware.dds.participant import Listening, Participant
from pose_regressor.middleware.fusing import FusionCore, Moment
from pose_regressor.middleware.fusion_parameters import FusionConfig
from pose_regressor.middleware.interrupts import end_without_threads, interruptible
from pose_regressor.middleware.pose_messages import detections_message, tf_message
from pose_regressor.middleware.tracking import known_objects
from pose_regressor.middleware.transform_tree import TransformTree
from pose_regressor.middleware.worker import Log
from pose_regressor.types import PoseEstimate

LOG = logging.getLogger("pose_regressor_fusion")
NODE_NAME = "pose_regressor_fusion"


class DdsFusion:
    """The node on `participant` until `close`; also a context manager."""

    def __init__(self, participant: Participant, config: FusionConfig, log: Log = LOG) -> None:
        self._prefix = config.frame_prefix
        self._tf = participant.writer("/tf", idl.TFMessage, reliable=True, depth=100)
        self._detections = participant.writer(f"/{NODE_NAME}/detections", idl.Detection3DArray, reliable=True, depth=10)
        tree = TransformTree(patience=config.window)
        self.core = FusionCore(config, known_objects(config.model), tree.lookup, self._publish, log)
        readers = {
            participant.reader("/tf", idl.TFMessage, reliable=True, depth=100): tree.on_tf,
            participant.reader(
                "/tf_static", idl.TFMessage, reliable=True, depth=100, transient_local=True
            ): tree.on_tf_static,
        }
        for topic in config.detections:
            reader = participant.reader(topic, idl.Detection3DArray, reliable=True, depth=10)
            readers[reader] = self.core.on_detections
        self._listening = Listening(participant, readers, log, lambda _, reason: self.core.drop(reason))
        log.info(f"ready: poses from {', '.join(config.detections)}, in {config.fixed_frame} on /tf")

    def close(self) -> None:
        self._listening.stop()

    def _publish(self, moment: Moment, poses: list[PoseEstimate]) -> None:
        if poses:
            self._tf.write(tf_message(idl, moment, poses, self._prefix))
        self._detections.write(detections_message(idl, moment, poses))

    def __enter__(self) -> DdsFusion:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def run(config: FusionConfig) -> int:
    """Runs the node until SIGINT or SIGTERM; the exit code. In the main thread. InputError: it cannot start."""
    with interruptible() as stop, Participant(NODE_NAME) as participant, DdsFusion(participant, config) as node:
        stop.wait()
        LOG.info(f"moments and messages: {dict(node.core.counts)}")
    return end_without_threads(0)
