"""Requests by a client that knows only rmw_zenoh's design document."""

import pytest


@pytest.fixture
def node(start_zenoh, peer):
    running = start_zenoh(autostart=False)
    assert peer.state() == "unconfigured"
    return running


def replies(client, until, *requests):
    """What comes back of requests, each a payload and an attachment (None: the usual one), in their order."""
    found = []
    for request in requests:
        before = len(client.replies())
        client.send(*request)
        until(lambda before=before: len(client.replies()) > before, "a reply")
        found.append(client.replies()[before][1])
    return found


def test_what_is_no_request_is_answered_with_the_reason(node, peer, until):
    client = peer.client("get_state")
    until(client.matched, "the service")
    whole = b"\0\1\0\0\0"
    found = replies(
        client,
        until,
        (b"", None),
        (b"garbage", None),
        (b"\0\1\0\0", None),
        (whole, b""),
        (whole, b"x" * 32),
        (whole, b"\0" * 33),
    )
    assert "expected a lifecycle_msgs/srv/GetState_Request in CDR" in found[0]
    assert "expected a lifecycle_msgs/srv/GetState_Request in CDR" in found[1]
    assert "expected a lifecycle_msgs/srv/GetState_Request in CDR" in found[2]
    assert found[3:] == [
        f"expected an attachment of 33 bytes with a gid of 16, got {size} bytes" for size in (0, 32, 33)
    ]
    assert client(0).current_state.label == "unconfigured"
    assert "Traceback" not in node.text
    assert node.text.count("service ~/get_state") == 6


def test_two_clients_get_their_own_answers(node, peer, make_peer):
    """By the sequence number and the gid, which each client checks."""
    other = make_peer()
    for _ in range(5):
        assert peer.state() == other.state() == "unconfigured"
    assert other.change_state("configure")
    assert peer.state() == other.state() == "inactive"


def test_a_service_of_another_hash_is_another_service(node, peer, wire, monkeypatch, until):
    package, kind, hash = wire.SERVICES["get_state"]
    monkeypatch.setitem(wire.SERVICES, "get_state", (package, kind, hash[:-1] + "0"))
    assert not peer.client("get_state").matched()
    assert node.process.poll() is None
