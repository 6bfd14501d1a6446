"""The fusion node over rclpy."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from pose_regressor.middleware.fusion.health import FusionHealth
from pose_regressor.middleware.fusion.managed import ManagedFusion
from pose_regressor.middleware.fusion.parameters import FusionConfig
from pose_regressor.middleware.fusion.topics import FusionTopics
from pose_regressor.middleware.kit.interrupts import end_without_threads, interruptible
from pose_regressor.middleware.ros2.endpoints import RosEndpoints
from pose_regressor.middleware.ros2.managed import ManagedRosNode
from pose_regressor.middleware.ros2.parameters import declare_parameters
from pose_regressor.middleware.ros2.session import RosLog, ros, ros_node


def run(config: FusionConfig | None = None, arguments: Sequence[str] = ()) -> int:
    """Runs the node until SIGINT or SIGTERM. Returns the exit code. Must be called in the main thread.

    config: None takes the parameters from `arguments` (``--ros-args -p name:=value --params-file FILE``).
    InputError: the node cannot start.
    """
    status = 0
    with interruptible() as stop, ros(arguments) as rest, ros_node(FusionConfig.node_name, ManagedRosNode) as node:
        argparse.ArgumentParser(
            prog="pose_regressor_fusion", description="Fuses the poses that several cameras see to one of each object."
        ).parse_args(rest)
        values = declare_parameters(node, FusionConfig, config)
        managed = ManagedFusion(values, FusionTopics(RosEndpoints(node), values), RosLog(node))
        node.manage(managed, FusionHealth(managed))
        status = node.run(stop)
    return end_without_threads(status)


def main(arguments: Sequence[str]) -> int:
    return run(arguments=arguments)
