import importlib
import os

import pytest


@pytest.fixture(scope="session")
def wire(kind):
    """The words of the peer beside the node: `wire_peer`; `zenoh_peer` for Zenoh; `ros_peer` if ROS 2 speaks through
    something else, or if it speaks Zenoh as the node does."""
    if kind == "zenoh" and os.environ.get("RMW_IMPLEMENTATION") == "rmw_zenoh_cpp":
        pytest.importorskip("rclpy")
        return importlib.import_module("ros_peer")
    if kind == "zenoh":
        pytest.importorskip("rosbags")
        return importlib.import_module("zenoh_peer")
    if kind == "ros2":
        import rclpy

        if rclpy.get_rmw_implementation_identifier() != "rmw_cyclonedds_cpp":
            return importlib.import_module("ros_peer")
    pytest.importorskip("cyclonedds")
    return importlib.import_module("wire_peer")
