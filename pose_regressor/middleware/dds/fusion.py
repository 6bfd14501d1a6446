"""The fusion node over DDS: the topics, types, QoS and lifecycle of the ROS 2 node."""

from __future__ import annotations

import logging

from pose_regressor.middleware.dds.endpoints import DdsEndpoints
from pose_regressor.middleware.dds.managed import DdsManaged
from pose_regressor.middleware.dds.participant import Participant
from pose_regressor.middleware.fusion.health import FusionHealth
from pose_regressor.middleware.fusion.managed import ManagedFusion
from pose_regressor.middleware.fusion.parameters import FusionConfig
from pose_regressor.middleware.fusion.topics import FusionTopics
from pose_regressor.middleware.kit.interrupts import end_without_threads, interruptible
from pose_regressor.middleware.kit.log import Log

LOG = logging.getLogger("pose_regressor_fusion")


class DdsFusion(DdsManaged):
    """The fusion node on a participant."""

    def __init__(self, participant: Participant, config: FusionConfig, log: Log = LOG) -> None:
        self.managed = ManagedFusion(config, FusionTopics(DdsEndpoints(participant, log), config), log)
        super().__init__(participant, self.managed, FusionHealth(self.managed), log)


def run(config: FusionConfig) -> int:
    """Runs the node until SIGINT or SIGTERM. Returns the exit code. Must be called in the main thread.

    InputError: the node cannot start.
    """
    with interruptible() as stop, Participant(FusionConfig.node_name) as participant:
        DdsFusion(participant, config).run(stop)
    return end_without_threads(0)
