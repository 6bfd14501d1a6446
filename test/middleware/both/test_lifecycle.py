"""The states of either node, over the wire: by the services that `ros2 lifecycle` and lifecycle managers call."""

import signal

import pytest


def test_by_hand(start, peer):
    node = start(autostart=False, image_reliability="reliable")
    assert peer.state() == "unconfigured"
    assert not peer.change_state("activate")
    assert peer.change_state("configure")
    assert peer.state() == "inactive"
    for _ in range(2):
        assert peer.change_state("activate")
        assert peer.state() == "active"
        peer.match()
        peer.calibrate()
        peer.send_image(15, stamp=3)
        peer.pose_at(3, 1.5)
        assert peer.change_state("deactivate")
        assert peer.state() == "inactive"
    assert peer.change_state("cleanup")
    assert peer.state() == "unconfigured"
    assert peer.change_state("configure")
    assert peer.change_state("activate")
    peer.match()
    peer.calibrate()
    peer.send_image(20, stamp=4)
    peer.pose_at(4, 2.0)
    assert peer.change_state("shutdown")
    assert peer.state() == "finalized"
    assert not peer.change_state("configure")
    assert node.end()[0] == 0
    assert "Traceback" not in node.text


def test_while_it_is_inactive_nothing_comes_in_or_goes_out(fresh, until):
    peer = fresh.peer
    assert peer.change_state("deactivate")
    until(lambda: not peer.images.matched_sub and not peer.infos.matched_sub, "the node's readers to be gone")
    assert peer.tf.matched_pub, "its writers stay"
    assert peer.change_state("cleanup")
    until(lambda: not peer.tf.matched_pub and not peer.detections.matched_pub, "its writers to be gone")
    assert peer.change_state("configure")
    assert peer.change_state("activate")
    peer.match()


@pytest.mark.parametrize("transition", range(13))
def test_a_request_that_is_not_possible_is_answered_with_no(living, transition):
    """Any peer may ask for anything, by number: neither the answer nor the node may stay away."""
    if transition not in (4, 7):  # deactivate and shutdown are possible
        assert not living.peer.change_state(transition)
    assert not living.peer.change_state("sleep")
    assert living.peer.state() == "active"


def test_it_ends_also_unconfigured(start, peer):
    node = start(autostart=False)
    assert peer.state() == "unconfigured"
    code, prompt = node.end(signal.SIGTERM)
    assert code == 0
    assert prompt
    assert "Traceback" not in node.text
