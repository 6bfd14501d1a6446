"""The participants, and what the tests of the doctor share: a robot's set-up that is wrong in one way, and the doctor's
findings."""

import contextlib
import importlib
import json
import struct
import threading
import time
from functools import partial
from types import SimpleNamespace

import pytest

from pose_regressor.cli import main
from pose_regressor.middleware import program

PACKAGES = {"dds": "cyclonedds", "zenoh": "zenoh"}


@pytest.fixture(scope="session", params=["dds", "zenoh"])
def kind(request):
    """Which of the participants; over both the nodes, players and listeners must do the same."""
    pytest.importorskip(PACKAGES[request.param])
    return request.param


@pytest.fixture(scope="session")
def network(kind):
    """What speaks over this middleware.

    Participant, TfListener, collect, outlet; player: what starts a player as a process; main: its command line.
    """
    module = f"pose_regressor.middleware.{kind}.player"
    return SimpleNamespace(
        Participant=importlib.import_module(f"pose_regressor.middleware.{kind}.participant").Participant,
        TfListener=program(kind, "listener", "TfListener"),
        collect=program(kind, "listener", "collect"),
        outlet=program(kind, "player", "outlet"),
        player=["-m", module],
        main=partial(program(kind, "player", "main"), module),
    )


@pytest.fixture(scope="session")
def wire(kind):
    """The words of the peer beside the participant."""
    return importlib.import_module({"dds": "wire_peer", "zenoh": "zenoh_peer"}[kind])


K = (50.0, 0, 3.5, 0, 50, 2.5, 0, 0, 1)


def now():
    return divmod(time.time_ns(), 1_000_000_000)


class SetUp:
    """A camera that publishes as told, with the rest of a robot."""

    def __init__(self, peer, wire):
        self.peer, self.wire = peer, wire
        self.static = peer.writer("rt/tf_static", wire.TFMessage, wire.STATIC_QOS)
        self.messages, self.rounds = [], 0

    def camera(self, topic="image", qos=None, frame_id="optical", stamp=now, encoding="rgb8", size=(8, 6)):
        wire = self.wire
        writer = self.peer.writer(f"rt/{topic}", wire.Image, qos or wire.RELIABLE_QOS)
        width, height = size
        data = [7] * (width * height * 3)
        self.messages.append(
            lambda: writer.write(
                wire.Image(wire.Header(wire.Time(*stamp()), frame_id), height, width, encoding, 0, 3 * width, data)
            )
        )

    def info(self, k=K, frame_id="optical", size=(8, 6), d=(0.0,) * 5, p=(0.0,) * 12, topic="camera_info"):
        wire, roi = self.wire, self.wire.RegionOfInterest(0, 0, 0, 0, False)
        writer = self.peer.writer(f"rt/{topic}", wire.CameraInfo, wire.RELIABLE_QOS)
        width, height = size
        header = wire.Header(wire.Time(0, 0), frame_id)
        rest = (height, width, "plumb_bob", list(d), list(k), [0.0] * 9, list(p), 0, 0, roi)
        self.messages.append(lambda: writer.write(wire.CameraInfo(header, *rest)))

    def depth(self, metres=1.5, topic="depth", frame_id="optical", stamp=now, size=(8, 6), encoding="32FC1"):
        wire = self.wire
        writer = self.peer.writer(f"rt/{topic}", wire.Image)
        width, height = size
        data = list(struct.pack("<f", metres) * (width * height))
        self.messages.append(
            lambda: writer.write(
                wire.Image(wire.Header(wire.Time(*stamp()), frame_id), height, width, encoding, 0, 4 * width, data)
            )
        )

    @contextlib.contextmanager
    def running(self):
        ended = threading.Event()

        def publish():
            while not ended.wait(0.03):
                for send in self.messages:
                    send()
                self.rounds += bool(self.static.matched_sub)  # the doctor is there

        thread = threading.Thread(target=publish)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


@pytest.fixture
def set_up(make_peer, wire):
    peer = make_peer()
    # The peer's own ends are a camera already: one that says nothing.
    for writer in (peer.images, peer.infos):
        writer.__del__()
    return SetUp(peer, wire)


class Rounds:
    """The doctor's clock: a second is so many rounds of messages sent to it, however slow the machine."""

    A_SECOND = 15

    def __init__(self, set_up):
        self.set_up = set_up

    def __getattr__(self, name):
        return getattr(time, name)

    def monotonic(self):
        return self.set_up.rounds / self.A_SECOND


@pytest.fixture
def diagnose(set_up, capsys, monkeypatch, kind):
    """Findings by check: (level, text with its advice), and the exit code."""
    from pose_regressor.doctor import observe

    monkeypatch.setattr(observe, "time", Rounds(set_up))

    def diagnose(*arguments):
        with set_up.running():
            code = main(["doctor", "--middleware", kind, "--json", "--seconds", "1", *arguments])
        found = json.loads(capsys.readouterr().out)
        findings = {f["check"]: (f["level"], f"{f['text']} {f['advice']}") for f in found}
        assert code == any(level == "ERROR" for level, _ in findings.values())
        return findings

    return diagnose
