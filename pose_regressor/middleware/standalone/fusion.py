"""The fusion node on a participant: the topics, types, QoS and lifecycle of the ROS 2 node."""

from __future__ import annotations

import logging

from pose_regressor.middleware.fusion.health import FusionHealth
from pose_regressor.middleware.fusion.managed import ManagedFusion
from pose_regressor.middleware.fusion.parameters import FusionConfig
from pose_regressor.middleware.fusion.topics import FusionTopics
from pose_regressor.middleware.kit.interrupts import end_without_threads, interruptible
from pose_regressor.middleware.kit.log import Log
from pose_regressor.middleware.standalone.endpoints import ParticipantEndpoints
from pose_regressor.middleware.standalone.managed import ManagedParticipant
from pose_regressor.middleware.standalone.participant import OpenParticipant, Participant

LOG = logging.getLogger("pose_regressor_fusion")


class FusionNode(ManagedParticipant):
    """The fusion node on a participant."""

    def __init__(self, participant: Participant, config: FusionConfig, log: Log = LOG) -> None:
        self.managed = ManagedFusion(config, FusionTopics(ParticipantEndpoints(participant, log), config), log)
        super().__init__(participant, self.managed, FusionHealth(self.managed), log)


def run(open_participant: OpenParticipant, config: FusionConfig) -> int:
    """Runs the node until SIGINT or SIGTERM. Returns the exit code. Must be called in the main thread.

    InputError: the node cannot start.
    """
    with interruptible() as stop, open_participant(FusionConfig.node_name) as participant:
        FusionNode(participant, config).run(stop)
    return end_without_threads(0)
