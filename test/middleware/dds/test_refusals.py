"""What the DDS node refuses to start with."""

import pytest

from pose_regressor.middleware import program
from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.types import InputError

pytest.importorskip("cyclonedds")
run = program("dds", "node", "run")


def test_a_bad_domain_refuses_to_start(domain, standin, monkeypatch):
    monkeypatch.setenv("ROS_DOMAIN_ID", "300")
    with pytest.raises(InputError, match="ROS_DOMAIN_ID: expected a whole number from 0 to 232, got '300'"):
        run(NodeConfig(), open_tracker=lambda _: standin.StandIn())


def test_a_bad_topic_name_refuses_to_start(domain, standin):
    with pytest.raises(InputError, match="expected a ROS 2 topic name such as image or /camera/image_raw, got 'a b'"):
        run(NodeConfig(), image_topic="a b", open_tracker=lambda _: standin.StandIn())
