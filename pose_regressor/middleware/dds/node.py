"""The pose node over DDS: the topics, types, QoS and lifecycle of the ROS 2 node."""

from __future__ import annotations

import logging

from pose_regressor.middleware.dds.endpoints import DdsEndpoints
from pose_regressor.middleware.dds.managed import DdsManaged
from pose_regressor.middleware.dds.participant import Participant
from pose_regressor.middleware.kit.interrupts import end_without_threads, interruptible
from pose_regressor.middleware.kit.log import Log
from pose_regressor.middleware.pose.health import PoseHealth
from pose_regressor.middleware.pose.managed import ManagedNode, OpenTracker, open_tracker
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.middleware.pose.source import publish_source
from pose_regressor.middleware.pose.topics import Output, PoseTopics
from pose_regressor.settings import CAMERA_INFO_TOPIC, IMAGE_TOPIC
from pose_regressor.sources import Source

LOG = logging.getLogger("pose_regressor")


class DdsNode(DdsManaged):
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
        topics = PoseTopics(DdsEndpoints(participant, log), config, image_topic, camera_info_topic, log)
        self.managed = ManagedNode(config, topics, log, open_tracker)
        super().__init__(participant, self.managed, PoseHealth(self.managed), log)


def run(
    config: NodeConfig,
    image_topic: str = IMAGE_TOPIC,
    camera_info_topic: str = CAMERA_INFO_TOPIC,
    open_tracker: OpenTracker = open_tracker,
) -> int:
    """Runs the node until SIGINT or SIGTERM. Returns the exit code. Must be called in the main thread.

    open_tracker: makes the tracker when the node is configured. InputError: the node cannot start.
    """
    with interruptible() as stop, Participant() as participant:
        DdsNode(participant, config, open_tracker, image_topic, camera_info_topic).run(stop)
    return end_without_threads(0)


def run_source(
    config: NodeConfig, source: Source, rate: float | None = None, open_tracker: OpenTracker = open_tracker
) -> int:
    """Publishes the poses in a source's frames, until its end or a signal. Returns the exit code.

    Works on every frame, each when it is due. Needs no image topic and has no lifecycle. Arguments as for
    `publish_source`.
    """
    with interruptible(), Participant() as participant:
        output = Output(DdsEndpoints(participant, LOG), config)
        publish_source(source, rate, config, open_tracker(config), output, LOG)
    return 0
