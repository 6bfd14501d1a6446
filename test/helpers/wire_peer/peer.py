"""The peer itself, over Cyclone DDS."""

import itertools
import sys

from base_peer import NODE, BasePeer, until
from cyclonedds.domain import DomainParticipant
from cyclonedds.internal import InvalidSample
from cyclonedds.pub import DataWriter
from cyclonedds.qos import Policy, Qos
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic
from cyclonedds.util import duration

from .interfaces import (
    ChangeStateRequest,
    ChangeStateResponse,
    GetStateRequest,
    GetStateResponse,
    SetParametersRequest,
    SetParametersResponse,
)

RELIABLE = Policy.Reliability.Reliable(duration(seconds=1))
#: QoS as ROS 2's own subscribers and publishers have it.
TF_QOS = Qos(RELIABLE, Policy.Durability.Volatile, Policy.History.KeepLast(100))
STATIC_QOS = Qos(RELIABLE, Policy.Durability.TransientLocal, Policy.History.KeepLast(100))
SENSOR_QOS = Qos(Policy.Reliability.BestEffort, Policy.Durability.Volatile, Policy.History.KeepLast(5))
RELIABLE_QOS = Qos(RELIABLE, Policy.Durability.Volatile, Policy.History.KeepLast(10))
DISCOVERY_QOS = Qos(RELIABLE, Policy.Durability.TransientLocal, Policy.History.KeepLast(1))
SERVICES = {
    "change_state": (ChangeStateRequest, ChangeStateResponse),
    "get_state": (GetStateRequest, GetStateResponse),
    "set_parameters": (SetParametersRequest, SetParametersResponse),
}
#: What starts a player beside the peer.
PLAYER = ["-m", "pose_regressor.middleware.dds.player"]


class Client:
    """Of a service of a node."""

    _guids = itertools.count(42)

    def __init__(self, dds, node, service, request, response):
        self.service, self.guid = service, next(self._guids)
        self.requests = DataWriter(dds, Topic(dds, f"rq/{node}/{service}Request", request), qos=RELIABLE_QOS)
        self.replies = DataReader(dds, Topic(dds, f"rr/{node}/{service}Reply", response), qos=RELIABLE_QOS)
        self.request, self.count = request, 0

    def matched(self):
        return self.requests.matched_sub and self.replies.matched_pub

    def ask(self, *fields):
        self.count += 1
        self.requests.write(self.request(self.guid, self.count, *fields))

    def answers(self):
        """Those to this client that came since; others have their own readers of the same topic."""
        samples = self.replies.take(100)
        return [s for s in samples if not isinstance(s, InvalidSample) and s.guid == self.guid]

    def __call__(self, *fields):
        self.ask(*fields)
        return until(
            lambda: next((s for s in self.answers() if s.sequence_number == self.count), None),
            f"the answer of {self.service}",
        )


class Peer(BasePeer):
    """A participant of its own."""

    def __init__(self, domain, image_qos=RELIABLE_QOS, compressed=False, node=NODE):
        self.words, self.dds = sys.modules[__package__], DomainParticipant(domain)
        self.open(image_qos, compressed, node)

    def reader(self, topic, kind, qos=RELIABLE_QOS):
        return DataReader(self.dds, Topic(self.dds, topic, kind), qos=qos)

    def writer(self, topic, kind, qos=RELIABLE_QOS):
        return DataWriter(self.dds, Topic(self.dds, topic, kind), qos=qos)

    def client(self, service):
        return Client(self.dds, self.node_name, service, *SERVICES[service])

    def is_message(self, sample):
        return not isinstance(sample, InvalidSample)
