"""The peer itself, over Zenoh."""

import itertools
import struct
import sys
import threading
import time
import uuid
from collections import deque
from dataclasses import dataclass

import zenoh
from base_peer import NODE, BasePeer, until
from domains import zenoh_router
from zenoh import ext

from .messages import STORE, Word, plain, type_name
from .router import open_zenoh


@dataclass(frozen=True)
class Qos:
    """As the tokens have it: the numbers of rmw/types.h, nothing where they are rmw_zenoh_cpp's defaults."""

    reliability: str = ""
    durability: str = ""
    depth: int = 10

    @property
    def token(self):
        return f"{self.reliability}:{self.durability}:,{self.depth}:,:,:,,"


RELIABLE_QOS, TF_QOS = Qos(), Qos(depth=100)
STATIC_QOS, SENSOR_QOS = Qos(durability="1", depth=100), Qos(reliability="2", depth=5)
#: Request, response, type and hash, which are those of ROS 2 Jazzy's files in share/*/srv/*.json.
SERVICES = {
    "change_state": (
        "lifecycle_msgs",
        "ChangeState",
        "RIHS01_356fe34f0475a43acf54542013af4167b0e729f77ea22ffb045c6ad8e20668e5",
    ),
    "get_state": (
        "lifecycle_msgs",
        "GetState",
        "RIHS01_800a0a5aae599782b02932de0caf563f6dc4e7e94b794eadde075ba2cbef9795",
    ),
    "set_parameters": (
        "rcl_interfaces",
        "SetParameters",
        "RIHS01_56eed9a67e169f9cb6c1f987bc88f868c14a8fc9f743a263bc734c154015d7e0",
    ),
}
#: What starts a player beside the peer.
PLAYER = ["-m", "pose_regressor.middleware.zenoh.player"]


def attachment(number, gid):
    return struct.pack("<qqB", number, time.time_ns(), len(gid)) + gid


class Graph:
    """The tokens of a domain."""

    def __init__(self, session, domain):
        self.tokens, self._lock = set(), threading.Lock()
        self._subscriber = session.liveliness().declare_subscriber(f"@ros2_lv/{domain}/**", self._seen, history=True)

    def _seen(self, sample):
        with self._lock:
            change = self.tokens.discard if sample.kind == zenoh.SampleKind.DELETE else self.tokens.add
            token = str(sample.key_expr)
            if len(token.split("/")) > 8:  # tests declare others, too
                change(token)

    def count(self, kind, name, type_and_hash):
        """How many entities of this kind the topic has."""
        with self._lock:
            ends = f"/{name.replace('/', '%')}/{type_and_hash}/"
            return sum(token.split("/")[5] == kind and ends in token for token in self.tokens)

    def nodes(self):
        with self._lock:
            return sorted(token.split("/")[8] for token in self.tokens if token.split("/")[5] == "NN")


class End:
    """A publisher or a subscription with its token."""

    def __init__(self, peer, kind, topic, word, qos, hash=None):
        self.peer, self.name = peer, topic.removeprefix("rt")
        self.type = f"{type_name(word.name)}/{hash or STORE.hash_rihs01(word.name)}"
        self.token_key, self.token = peer.announce(kind, self.name, self.type, qos.token)
        self.key = f"{peer.domain}{self.name}/{self.type}"

    def __del__(self):
        token, self.token = self.token, None
        if token is not None and not self.peer.session.is_closed():
            token.undeclare()
            self.undeclare()


class Reader(End):
    """matched_pub: how many publishers it hears."""

    def __init__(self, peer, topic, word, qos, hash=None):
        super().__init__(peer, "MS", topic, word, qos, hash)
        self._word, self.samples = word, deque(maxlen=qos.depth)
        if qos.durability:
            self._subscriber = ext.declare_advanced_subscriber(
                peer.session,
                self.key,
                self.samples.append,
                history=ext.HistoryConfig(detect_late_publishers=True, max_samples=qos.depth),
                subscriber_detection=True,
            )
        else:
            self._subscriber = peer.session.declare_subscriber(self.key, self.samples.append)

    def undeclare(self):
        self._subscriber.undeclare()

    @property
    def matched_pub(self):
        return self.peer.graph.count("MP", self.name, self.type)

    def take(self, most):
        taken = [self.samples.popleft() for _ in range(min(most, len(self.samples)))]
        return [plain(STORE.deserialize_cdr(bytes(s.payload), self._word.name)) for s in taken]


class Writer(End):
    """matched_sub: how many subscriptions hear it."""

    def __init__(self, peer, topic, word, qos, hash=None):
        super().__init__(peer, "MP", topic, word, qos, hash)
        self._name, self._count, self._gid = word.name, 0, uuid.uuid4().bytes
        if qos.durability:
            self._publisher = ext.declare_advanced_publisher(
                peer.session,
                self.key,
                cache=ext.CacheConfig(max_samples=qos.depth),
                sample_miss_detection=ext.MissDetectionConfig(heartbeat=None, sporadic_heartbeat=0.5),
                publisher_detection=True,
            )
        else:
            self._publisher = peer.session.declare_publisher(self.key, congestion_control=zenoh.CongestionControl.BLOCK)

    def undeclare(self):
        self._publisher.undeclare()

    @property
    def matched_sub(self):
        return self.peer.graph.count("MS", self.name, self.type)

    def write(self, message):
        self.put(bytes(STORE.serialize_cdr(message, self._name)))

    def put(self, payload):
        """Any bytes."""
        self._count += 1
        self._publisher.put(payload, attachment=attachment(self._count, self._gid))

    def wait_for_acks(self, nanoseconds):
        return True  # Zenoh has none


class Client:
    """Of a service of a node."""

    def __init__(self, peer, node, service):
        package, kind, hash = SERVICES[service]
        self.service, self._peer, self._name = service, peer, f"/{node}/{service}"
        self._type = f"{type_name(f'{package}/srv/{kind}')}/{hash}"
        self._request, self._response = (Word(f"{package}/msg/{kind}_{half}") for half in ("Request", "Response"))
        self._token_key, self._token = peer.announce("SC", self._name, self._type, RELIABLE_QOS.token)
        self._gid, self._count, self._replies = uuid.uuid4().bytes, 0, []

    def matched(self):
        return self._peer.graph.count("SS", self._name, self._type)

    def ask(self, *fields):
        payload = bytes(STORE.serialize_cdr(self._request(*fields), self._request.name))
        return self.send(payload)

    def send(self, payload, attached=None):
        """Any bytes; the number of the request."""
        self._count += 1
        self._peer.session.get(
            f"{self._peer.domain}{self._name}/{self._type}",
            self._replies.append,
            target=zenoh.QueryTarget.ALL_COMPLETE,
            consolidation=zenoh.ConsolidationMode.NONE,
            timeout=60.0,
            payload=payload,
            attachment=attachment(self._count, self._gid) if attached is None else attached,
        )
        return self._count

    def replies(self):
        """All that came so far: number of the request and response, or why there is none."""
        found = []
        for reply in list(self._replies):
            if reply.err is not None:
                found.append((None, bytes(reply.err.payload).decode()))
                continue
            number, _, length = struct.unpack_from("<qqB", bytes(reply.ok.attachment))
            assert (length, bytes(reply.ok.attachment)[17:]) == (16, self._gid)
            found.append((number, plain(STORE.deserialize_cdr(bytes(reply.ok.payload), self._response.name))))
        return found

    def answers(self):
        return [answer for _, answer in self.replies()]

    def __call__(self, *fields):
        number = self.ask(*fields)
        found = until(
            lambda: [answer for of, answer in self.replies() if of == number], f"the answer of {self.service}"
        )
        return found[0]


class Peer(BasePeer):
    """A session with one node, connected to the router of its domain, or to another one."""

    _numbers = itertools.count()

    def __init__(self, domain, image_qos=RELIABLE_QOS, compressed=False, node=NODE, router=""):
        self.words, self.domain = sys.modules[__package__], domain
        self.session = open_zenoh("peer", [router or zenoh_router(domain)])
        self.name, self._ids = f"peer_{next(self._numbers)}", itertools.count(1)
        self._prefix = f"@ros2_lv/{domain}/{self.session.zid()}/0"
        self._own = self.session.liveliness().declare_token(f"{self._prefix}/0/NN/%/%/{self.name}")
        self.graph = Graph(self.session, domain)
        self.open(image_qos, compressed, node)

    def announce(self, kind, name, type_and_hash, qos):
        """A token of an endpoint: its key and itself."""
        end = f"{name.replace('/', '%')}/{type_and_hash}/{qos}"
        key = f"{self._prefix}/{next(self._ids)}/{kind}/%/%/{self.name}/{end}"
        return key, self.session.liveliness().declare_token(key)

    def close(self):
        self.session.close()

    def reader(self, topic, kind, qos=RELIABLE_QOS, **rest):
        return Reader(self, topic, kind, qos, **rest)

    def writer(self, topic, kind, qos=RELIABLE_QOS, **rest):
        return Writer(self, topic, kind, qos, **rest)

    def client(self, service):
        return Client(self, self.node_name, service)
