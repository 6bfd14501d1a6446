"""Routers and peers: what goes wrong between a node and them is said in one line and on /diagnostics, and passes."""

import contextlib
import socket
import threading

import pytest
from domains import zenoh_router

from pose_regressor.middleware.kit.endpoints import Subscription
from pose_regressor.middleware.wire import idl
from pose_regressor.middleware.zenoh.participant import Participant

OK, WARN = 0, 1


@pytest.fixture
def lonely(domain, monkeypatch):
    """The endpoint of a router that is not there: the port after the domain's own."""
    host, _, port = zenoh_router(domain).rpartition(":")
    endpoint = f"{host}:{int(port) + 2}"
    monkeypatch.setenv("ZENOH_CONFIG_OVERRIDE", f'connect/endpoints=["{endpoint}"]')
    return endpoint


def node_says(wire, peer, reader, level, words):
    return peer.diagnostics(
        reader, lambda said: said["node"][0] == level and words in said["node"][1], f"{words!r} of the node"
    )


# ------------------------------------------------------------------ routers


def test_without_a_router_it_says_so_and_goes_on(lonely, caplog):
    with Participant("one") as one:
        assert one.trouble().startswith(f"no Zenoh router at {lonely}: nodes find each other through one; start one")
        assert "python -m pose_regressor.middleware.zenoh.router" in one.trouble()
        assert "scouting/multicast/enabled=true" in one.trouble()
    assert [record.getMessage() for record in caplog.records].count(one_line := caplog.records[0].getMessage()) == 1
    assert "\n" not in one_line


@pytest.mark.parametrize(("attempts", "said"), [("2", 1), ("-1", 0)])
def test_looking_for_a_router(lonely, monkeypatch, caplog, attempts, said):
    monkeypatch.setenv("ZENOH_ROUTER_CHECK_ATTEMPTS", attempts)
    with Participant("one") as one:
        assert bool(one.trouble()) == bool(said)
    assert len(caplog.records) == said


def test_waiting_for_a_router(lonely, launch, until):
    """With 0 attempts a node does not start before there is a router."""
    waiting = launch(
        *("-m", "pose_regressor", "fuse", "--middleware", "zenoh", "--fixed-frame", "room"),
        ZENOH_ROUTER_CHECK_ATTEMPTS="0",
    )
    until(lambda: "no Zenoh router" in waiting.text, "the warning")
    launch("-m", "pose_regressor.middleware.zenoh.router", "--listen", lonely)
    until(lambda: "ready:" in waiting.text, "the node")
    assert waiting.end()[0] == 0


def test_a_signal_ends_a_node_that_waits(lonely, launch, until):
    waiting = launch(
        *("-m", "pose_regressor", "fuse", "--middleware", "zenoh", "--fixed-frame", "room"),
        ZENOH_ROUTER_CHECK_ATTEMPTS="0",
    )
    until(lambda: "no Zenoh router" in waiting.text, "the warning")
    assert waiting.end() == (0, True)
    assert "Traceback" not in waiting.text


@contextlib.contextmanager
def stranger(endpoint, answer):
    """Somebody who accepts connections and speaks no Zenoh of today."""
    host, _, port = endpoint.removeprefix("tcp/").rpartition(":")
    with socket.create_server((host, int(port))) as server:

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection, contextlib.suppress(OSError):
                        connection.settimeout(1.0)
                        connection.recv(1000)
                        connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


#: An InitAck of an older protocol: length, message id with its flags, version 7, role, zid.
OLD_ROUTER = b"\x06\x00\x21\x07\x00\x11\x22\x33"


@pytest.mark.parametrize("answer", [OLD_ROUTER, b"HTTP/1.1 400 Bad Request\r\n\r\n", b""])
def test_a_router_of_another_version(lonely, answer, caplog):
    with stranger(lonely, answer), Participant("one") as one:
        assert one.trouble().startswith(f"{lonely} accepts connections, but does not answer as a router of Zenoh 1.")
        assert "a router of another version?" in one.trouble()
    assert f"{lonely} accepts connections" in caplog.records[0].getMessage()


def test_a_router_that_ends_and_returns(lonely, launch, start_zenoh, until, wire, domain):
    """The node says that it is gone. Whoever comes after its return is found, without a restart of the node."""
    route = ["-m", "pose_regressor.middleware.zenoh.router", "--listen", lonely]
    router = launch(*route)
    until(lambda: "listens at" in router.text, "the router")
    node = start_zenoh(image_reliability="reliable")
    with contextlib.closing(wire.Peer(domain, router=lonely)) as first:
        reader = first.diagnostics_reader()
        first.match()
        first.calibrate()
        node_says(wire, first, reader, OK, "active")
        router.process.kill()
        router.wait()
        # Those who know each other need no router.
        node_says(wire, first, reader, WARN, f"no Zenoh router at {lonely}")
        first.send_image(15, stamp=1)
        first.pose_at(1, 1.5)
        router = launch(*route)
        node_says(wire, first, reader, OK, "active")
    with contextlib.closing(wire.Peer(domain, router=lonely)) as second:
        second.match()
        second.calibrate()
        second.send_image(20, stamp=2)
        second.pose_at(2, 2.0)
    assert node.text.count("no Zenoh router") == 1
    assert node.end()[0] == 0
    assert "Traceback" not in node.text


def test_a_node_before_its_router(lonely, launch, start_zenoh, until, wire, domain):
    node = start_zenoh(image_reliability="reliable")
    until(lambda: "no Zenoh router" in node.text and "ready" in node.text, "the node")
    launch("-m", "pose_regressor.middleware.zenoh.router", "--listen", lonely)
    with contextlib.closing(wire.Peer(domain, router=lonely)) as peer:
        peer.match()
        peer.calibrate()
        peer.send_image(15, stamp=1)
        peer.pose_at(1, 1.5)


def test_a_second_router_at_one_place(domain, launch):
    second = launch("-m", "pose_regressor.middleware.zenoh.router", "--listen", zenoh_router(domain))
    assert second.wait() == 2
    (line,) = second.text.splitlines()
    assert line.startswith("error: Zenoh: no session as a router") and "in use" in line


# ------------------------------------------------------------------ peers


def test_a_peer_with_another_hash(start_zenoh, make_peer, wire, until):
    """Its messages do not cross. The node says whose they are, and is well again once that peer is gone."""
    node = start_zenoh(image_reliability="reliable")
    peer = make_peer()
    peer.match()
    reader = peer.diagnostics_reader()
    other = make_peer()
    writer = other.writer("rt/image", wire.Image, hash=f"RIHS01_{'0' * 64}")
    words = f"/{other.name} publishes /image as another sensor_msgs/msg/Image (hash RIHS01_00000000..., RIHS01_d31d41a9"
    node_says(wire, peer, reader, WARN, words)
    until(lambda: words in node.text, "the log's line")
    peer.calibrate()
    peer.send_image(15, stamp=1)
    peer.pose_at(1, 1.5)
    writer.__del__()
    node_says(wire, peer, reader, OK, "active")
    writer = other.writer("rt/image", wire.Image, hash="TypeHashNotSupported")
    node_says(wire, peer, reader, WARN, f"/{other.name} publishes /image as another sensor_msgs/msg/Image: it is")
    writer.__del__()
    listener = other.reader("rt/tf", wire.TFMessage, hash="RIHS01_1")
    node_says(wire, peer, reader, WARN, f"/{other.name} subscribes to /tf as another tf2_msgs/msg/TFMessage")
    listener.__del__()
    node_says(wire, peer, reader, OK, "active")
    assert node.text.count("publishes /image as another") >= 1
    assert node.end()[0] == 0


def test_peers_of_this_machine_without_a_router(domain, lonely, monkeypatch, until, log):
    """As the warning advises."""
    from pose_regressor.middleware.zenoh.configuration import OVERRIDE, WITHOUT_ROUTER

    # A group of their own: other tests may be at work beside this one.
    address = f'scouting/multicast/address="224.0.0.224:{7000 + domain}"'
    value = WITHOUT_ROUTER.partition("'")[2].rstrip("'")
    monkeypatch.setenv(OVERRIDE, f"connect/endpoints=[];{address};{value}")
    heard = []
    with Participant("one") as one, Participant("two") as two:
        assert one.trouble() == ""
        two.subscribe([Subscription("image", idl.Image, heard.append, True, 5)], log)
        publisher = one.publisher("image", idl.Image, 5)
        try:
            until(publisher.subscribers, "the other", 10.0)
        except AssertionError:
            pytest.skip("this machine has no multicast on its loopback")
        until(lambda: publisher.publish(idl.Image(width=3)) or heard, "an image")
    assert heard[0].width == 3


def test_static_transforms_of_before_and_after(make_peer, wire, domain, until, log):
    """Transient local: what was published before is asked for, also of a publisher that comes later."""
    still = wire.Transform(wire.Triple(0, 0, 0), wire.Quaternion(0, 0, 0, 1))

    def message(child):
        return wire.TFMessage([wire.TransformStamped(wire.Header(wire.Time(0, 0), "map"), child, still)])

    peer, heard = make_peer(), []
    early = peer.writer("rt/tf_static", wire.TFMessage, wire.STATIC_QOS)
    early.write(message("one"))
    early.write(message("two"))
    with Participant("late") as late:
        subscription = Subscription("/tf_static", idl.TFMessage, heard.append, True, 100, transient_local=True)
        late.subscribe([subscription], log)

        def children():
            return [t.child_frame_id for m in heard for t in m.transforms]

        until(lambda: children() == ["one", "two"], "what was published before")
        # Kept: a publisher that ends takes what it holds for those who come later with it.
        later = make_peer().writer("rt/tf_static", wire.TFMessage, wire.STATIC_QOS)
        later.write(message("three"))
        until(lambda: "three" in children(), "what came after")
        early.write(message("four"))
        until(lambda: "four" in children(), "what came last")
        assert sorted(children()) == ["four", "one", "three", "two"]


def test_seen_as_a_node_of_ros_2(start_zenoh, peer, wire, until):
    """What `ros2 node list`, `ros2 topic list -v` and `ros2 service list` go by, token by token."""
    start_zenoh()
    peer.match()
    nodes = until(lambda: [n for n in peer.graph.nodes() if n == "pose_regressor"], "the node's token")
    assert nodes == ["pose_regressor"]

    def own():
        tokens = [t.split("/") for t in sorted(peer.graph.tokens) if t.split("/")[8] == "pose_regressor"]
        return tokens if len(tokens) == 1 + 5 + 2 + 9 else None  # node, publishers, subscriptions, services

    tokens = until(own, "all its endpoints")
    (node,) = (t for t in tokens if t[5] == "NN")
    assert node[6:] == ["%", "%", "pose_regressor"] and node[3] == node[4]
    assert len({t[4] for t in tokens}) == len(tokens)
    assert {t[2] for t in tokens} == {node[2]}
    ends = {(t[5], t[9].replace("%", "/")): t[10:] for t in tokens if t[5] != "NN"}
    assert {name for kind, name in ends if kind == "MS"} == {"/camera_info", "/image"}
    assert ends["MP", "/tf"][0] == "tf2_msgs::msg::dds_::TFMessage_"
    assert ends["MP", "/tf"][2] == "::,100:,:,:,,"
    assert ends["MS", "/image"][2] == "2::,5:,:,:,,"
    assert ends["SS", "/pose_regressor/change_state"][0] == "lifecycle_msgs::srv::dds_::ChangeState_"
    assert {name for kind, name in ends if kind == "MP"} == {
        *("/tf", "/diagnostics"),
        *(f"/pose_regressor/{name}" for name in ("detections", "overlay", "markers")),
    }
    assert len([name for kind, name in ends if kind == "SS"]) == 9


def test_namesakes(domain, until):
    with Participant("one") as one, Participant("two") as two:
        assert one.namesakes() == two.namesakes() == 0
        with Participant("one") as other:
            until(lambda: one.namesakes() == 1, "the other")
            until(lambda: other.namesakes() == 1, "the first")
            assert two.namesakes() == 0
        until(lambda: one.namesakes() == 0, "that it is alone again")


def test_what_is_closed_is_gone(domain, until, log):
    with Participant("one") as one, Participant("two") as two:
        publisher = one.publisher("image", idl.Image, 1)
        for _ in range(2):
            heard = []
            subscription = two.subscribe([Subscription("image", idl.Image, heard.append, True, 1)], log)
            until(publisher.subscribers, "the subscriber")
            until(lambda: two.publishers("image") == 1, "the publisher")
            until(lambda heard=heard: publisher.publish(idl.Image()) or heard, "an image")
            subscription.close()
            until(lambda: not publisher.subscribers(), "the subscriber to be gone")
            assert two.publishers("image") == 0
