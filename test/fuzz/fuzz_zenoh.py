"""Messages through Zenoh: from the bytes in another session to the node's answer, and every one counted. Requests of a
service, each of which gets one reply."""

import contextlib
import json
import os
import socket
import threading
import time

import zenoh
from fuzz_messages import Messages, compressed, image
from fuzz_mutations import mutate

from pose_regressor.middleware.kit.endpoints import Subscription
from pose_regressor.middleware.standalone.participant import Service
from pose_regressor.middleware.wire import idl
from pose_regressor.middleware.wire.service_types import PARAMETERS, Parameter, ParameterValue
from pose_regressor.middleware.zenoh.keys import attachment, topic_of
from pose_regressor.middleware.zenoh.participant import Participant

TOPICS = {"zenoh image": ("image", idl.Image), "zenoh compressed": ("image/compressed", idl.CompressedImage)}
REQUEST = "zenoh request"
SET = PARAMETERS["set_parameters"]
#: Seconds until what was sent must have come. Zenoh keeps a little of each request until the shorter one has passed.
PATIENCE, ANSWER = 60.0, 20.0
GID = bytes(range(16))


@contextlib.contextmanager
def _on_a_port():
    """Sessions of this process meet at a port that nobody else has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        endpoint = f"tcp/127.0.0.1:{probe.getsockname()[1]}"
    changes = {
        "ZENOH_CONFIG_OVERRIDE": f'listen/endpoints=["{endpoint}"];connect/endpoints=[]',
        "ZENOH_ROUTER_CHECK_ATTEMPTS": "-1",
    }
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield endpoint
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


class ZenohMessages(Messages):
    """As Messages, with a session between the bytes and the core."""

    def __init__(self):
        super().__init__()
        self.cores["info"].stop()
        self.cores = {"zenoh image": self.cores["image"], "zenoh compressed": self.cores["compressed"]}
        self.makers = {"zenoh image": image, "zenoh compressed": compressed}
        self.whole = {kind: make().serialize() for kind, make in self.makers.items()}
        with _on_a_port() as endpoint:
            self.participant = Participant()
            config = zenoh.Config()
            for key, value in (("connect/endpoints", [endpoint]), ("scouting/multicast/enabled", False)):
                config.insert_json5(key, json.dumps(value))
            self.other = zenoh.open(config)
        log = self.log = _Quiet()
        self.closing = contextlib.ExitStack()
        for kind, (topic, message) in TOPICS.items():
            core = self.cores[kind]
            heard = Subscription(topic, message, core.on_image, True, 5, core.reject)
            self.closing.callback(self.participant.subscribe([heard], log).close)
        service = Service("~/set_parameters", SET, lambda request: {"results": []})
        self.closing.callback(self.participant.serve([service], log).close)
        domain = self.participant.domain
        self.keys = {kind: topic_of(f"/{topic}", message).key(domain) for kind, (topic, message) in TOPICS.items()}
        self.keys[REQUEST] = topic_of("/pose_regressor/set_parameters", SET).key(domain)
        self._wait_for_both()
        self.cores[REQUEST] = None

    def _wait_for_both(self):
        """Until the sessions know of each other: until each key has its first answer."""
        for kind, core in self.cores.items():
            end = time.monotonic() + PATIENCE
            while not core.counts.received:
                assert time.monotonic() < end, "the sessions do not meet"
                self.other.put(self.keys[kind], self.whole[kind])
                time.sleep(0.05)
            time.sleep(0.2)
            assert core.wait_idle(PATIENCE)

    def close(self):
        self.closing.close()
        self.other.close()
        self.participant.close()
        self.cores.pop(REQUEST)
        super().close()

    def one(self, rng, kind):
        return self.request(rng) if kind == REQUEST else super().one(rng, kind)

    def send(self, kind, data):
        core = self.cores[kind]
        before = core.counts
        self.other.put(self.keys[kind], data, congestion_control=zenoh.CongestionControl.BLOCK)
        end = time.monotonic() + PATIENCE
        while core.counts.received == before.received:
            assert time.monotonic() < end, "a message did not come"
            time.sleep(0.0001)
        assert core.wait_idle(PATIENCE), "an image took more than a minute"
        if kind == "zenoh compressed":
            assert core.wait_idle(PATIENCE)
        return self.account(before, core.counts)

    def request(self, rng):
        """One request. Returns why it was refused, "" if it was not."""
        parameters = [Parameter("follow", ParameterValue(type=rng.randrange(256))) for _ in range(rng.randrange(3))]
        data, attached = (
            SET.request(parameters).serialize(),
            attachment(rng.randrange(2**63), rng.randrange(2**63), GID),
        )
        data = mutate(rng, data) if rng.random() < 0.7 else data
        attached = mutate(rng, attached) if rng.random() < 0.3 else attached
        came, ended = [], threading.Event()
        handler = zenoh.handlers.Callback(came.append, ended.set)
        target = zenoh.QueryTarget.ALL_COMPLETE
        self.other.get(self.keys[REQUEST], handler, target=target, timeout=ANSWER, payload=data, attachment=attached)
        assert ended.wait(PATIENCE + 5), "a request without an end"
        assert len(came) == 1, f"{len(came)} replies"
        (reply,) = came
        if reply.err is not None:
            return bytes(reply.err.payload).decode()
        SET.response.deserialize(bytes(reply.ok.payload))
        return ""


class _Quiet:
    """A log that nobody reads."""

    def __getattr__(self, _):
        return lambda text: None
