"""How the node as a process starts, refuses to, and ends."""

import signal
import time

import pytest

from pose_regressor.middleware.pose.parameters import NodeConfig
from pose_regressor.types import InputError

pytest.importorskip("cyclonedds")
from pose_regressor.middleware.dds.node import run


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_promptly_and_peers_see_it_go(start_dds, peer, until, number):
    node = start_dds()
    peer.match()
    peer.send_info()
    for stamp in range(30):
        peer.send_image(10, stamp=stamp)
    code, prompt = node.end(number)
    assert code == 0
    assert prompt
    assert "Traceback" not in node.text
    until(lambda: not peer.tf.matched_pub, "the node to be gone")


@pytest.mark.parametrize("delay", [0.0, 0.3, 0.8])
def test_a_signal_while_it_starts_ends_it_too(start_dds, delay):
    node = start_dds()
    time.sleep(delay)
    code, prompt = node.end(signal.SIGTERM)
    assert prompt
    assert code in (0, -signal.SIGTERM)  # the latter before the node's own code runs
    assert "Traceback" not in node.text


def test_a_bad_domain_refuses_to_start(domain, standin, monkeypatch):
    monkeypatch.setenv("ROS_DOMAIN_ID", "300")
    with pytest.raises(InputError, match="ROS_DOMAIN_ID: expected a whole number from 0 to 232, got '300'"):
        run(NodeConfig(), open_tracker=lambda _: standin.StandIn())


def test_a_missing_camera_file_refuses_to_start(start_dds):
    node = start_dds(camera_file="nowhere.yaml")
    assert node.wait() == 2
    assert node.text == "error: nowhere.yaml: no such file\n"


def test_a_bad_topic_name_refuses_to_start(domain, standin):
    with pytest.raises(InputError, match="expected a ROS 2 topic name such as image or /camera/image_raw, got 'a b'"):
        run(NodeConfig(), image_topic="a b", open_tracker=lambda _: standin.StandIn())
