"""How either node as a process starts, refuses to, and ends."""

import signal
import time

import pytest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_promptly_and_peers_see_it_go(start, peer, until, number):
    node = start()
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
def test_a_signal_while_it_starts_ends_it_too(start, delay):
    node = start()
    time.sleep(delay)
    code, _ = node.end(signal.SIGTERM)  # once its imports are done, which may take a busy machine long
    assert code in (0, -signal.SIGTERM)  # the latter before the node's own code runs
    assert "Traceback" not in node.text


def test_a_missing_camera_file_refuses_to_start(start):
    node = start(camera_file="nowhere.yaml")
    assert node.wait() == 2
    assert node.text.splitlines()[-1] == "error: nowhere.yaml: no such file"
