"""The pose node on a participant: the topics, types, QoS and lifecycle of the ROS 2 node."""

from __future__ import annotations

import logging

from pose_regressor.middleware.kit.interrupts import end_without_threads, interruptible
from pose_regressor.middleware.kit.log import Log
from pose_regressor.middleware.pose.health import PoseHealth
from pose_regressor.middleware.pose.managed import ManagedNode, OpenTracker, open_tracker
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.middleware.pose.source import publish_source
from pose_regressor.middleware.pose.topics import Output, PoseTopics
from pose_regressor.middleware.standalone.endpoints import ParticipantEndpoints
from pose_regressor.middleware.standalone.managed import ManagedParticipant
from pose_regressor.middleware.standalone.names import NODE_NAME
from pose_regressor.middleware.standalone.participant import OpenParticipant, Participant
from pose_regressor.settings import CAMERA_INFO_TOPIC, IMAGE_TOPIC
from pose_regressor.sources import Source

LOG = logging.getLogger("pose_regressor")


class PoseNode(ManagedParticipant):
    """The pose node on a participant."""

    def __init__(
        self,
        participant: Participant,
        config: NodeConfig,
        open_tracker: OpenTracker = open_tracker,
        image_topic: str = IMAGE_TOPIC,
        camera_info_topic: str = CAMERA_INFO_TOPIC,
        log: Log = LOG,
    ) -> None:
        topics = PoseTopics(ParticipantEndpoints(participant, log), config, image_topic, camera_info_topic, log)
        self.managed = ManagedNode(config, topics, log, open_tracker)
        super().__init__(participant, self.managed, PoseHealth(self.managed), log)


def run(
    open_participant: OpenParticipant,
    config: NodeConfig,
    image_topic: str = IMAGE_TOPIC,
    camera_info_topic: str = CAMERA_INFO_TOPIC,
    open_tracker: OpenTracker = open_tracker,
) -> int:
    """Runs the node until SIGINT or SIGTERM. Returns the exit code. Must be called in the main thread.

    open_tracker: makes the tracker when the node is configured. InputError: the node cannot start.
    """
    with interruptible() as stop, open_participant(NODE_NAME) as participant:
        PoseNode(participant, config, open_tracker, image_topic, camera_info_topic).run(stop)
    return end_without_threads(0)


def run_source(
    open_participant: OpenParticipant,
    config: NodeConfig,
    source: Source,
    rate: float | None = None,
    open_tracker: OpenTracker = open_tracker,
) -> int:
    """Publishes the poses in a source's frames, until its end or a signal. Returns the exit code.

    Works on every frame, each when it is due. Needs no image topic and has no lifecycle. Arguments as for
    `publish_source`.
    """
    with interruptible(), open_participant(NODE_NAME) as participant:
        output = Output(ParticipantEndpoints(participant, LOG), config)
        publish_source(source, rate, config, open_tracker(config), output, LOG)
    return 0
