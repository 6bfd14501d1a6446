"""A node of ROS 2's graph on plain DDS. Names, QoS, type hashes and discovery are those of rmw_cyclonedds."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from cyclonedds.builtin import BuiltinDataReader, BuiltinTopic
from cyclonedds.core import DDSException, GuardCondition, InstanceState, ReadCondition, SampleState, ViewState, WaitSet
from cyclonedds.domain import DomainParticipant
from cyclonedds.internal import InvalidSample
from cyclonedds.qos import Policy, Qos
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic
from cyclonedds.util import duration

from pose_regressor.middleware.dds.discovery import LAST_PARTICIPANT, URI, cyclone_uri, discovery
from pose_regressor.middleware.dds.graph import Graph, endpoint_qos
from pose_regressor.middleware.dds.samples import DdsPublisher, Writer, sample_type
from pose_regressor.middleware.dds.services import answering
from pose_regressor.middleware.kit.endpoints import Closing, Subscription
from pose_regressor.middleware.kit.log import Log, Throttle
from pose_regressor.middleware.standalone.names import NODE_NAME, domain_id, full_name
from pose_regressor.middleware.standalone.participant import Service
from pose_regressor.types import InputError

MAX_DISCOVERED = 10_000  # endpoints that are looked at
MAX_DOMAIN = 232  # for larger ones the RTPS port numbers would pass 65535
LOG = logging.getLogger("pose_regressor")
#: Held while CYCLONEDDS_URI of this process is another one.
_CONFIGURING = threading.Lock()


def dds_topic(name: str, node_name: str = NODE_NAME) -> str:
    """ROS 2 topic -> DDS topic."""
    return f"rt{full_name(name, node_name)}"


def make_participant(domain: int) -> DomainParticipant:
    """A participant that looks for others as the environment says.

    InputError: the environment cannot be used.
    """
    found = discovery(os.environ)
    for text in found.ignored:
        LOG.warning(text)
    # Cyclone DDS reads the variable when it makes the domain. Children of this process must not inherit our part of it.
    with _CONFIGURING:
        given = os.environ.get(URI)
        os.environ[URI] = cyclone_uri(os.environ, found)
        try:
            # By this user data ROS 2 recognises its own participants.
            return DomainParticipant(domain, qos=Qos(Policy.Userdata(b"enclave=/;")))
        except DDSException as error:
            advice = f"check {URI}; one machine has room for {LAST_PARTICIPANT + 1} ROS 2 processes in a domain"
            raise InputError(f"DDS: no participant in domain {domain} ({error}); {advice}") from None
        finally:
            if given is None:
                del os.environ[URI]
            else:
                os.environ[URI] = given


class Participant:
    """One DDS participant that holds one ROS 2 node. As a context manager it closes at the end."""

    def __init__(self, node_name: str = NODE_NAME) -> None:
        self.domain = domain_id(MAX_DOMAIN)
        self.node_name = node_name
        self._dds = make_participant(self.domain)
        self._readers: list[DataReader[Any]] = []
        self._writers: list[Writer] = []
        self._topics: dict[str, Topic[Any]] = {}
        self._services = 0
        #: Threads that still run. `close` ends them before it deletes the endpoints that they read.
        self.listening: list[Listening] = []
        # Several threads make and remove endpoints, and the graph must hear of all endpoints after each change.
        self._changing = threading.RLock()
        self._graph = Graph(self._dds, node_name)

    def reader(
        self, topic: str, message: type, *, reliable: bool, depth: int, transient_local: bool = False
    ) -> DataReader[Any]:
        """A reader of the ROS 2 topic.

        message: a class of `wire.idl`; transient_local: reads samples from before, too, if the writer keeps them.
        """
        with self._changing:
            qos = endpoint_qos(reliable, depth, message, transient_local)
            reader = self._make_reader(dds_topic(topic, self.node_name), message, qos)
            self._graph.announce(self._readers, self._writers)
        return reader

    def writer(self, topic: str, message: type, *, reliable: bool, depth: int) -> Writer:
        """A volatile writer of the ROS 2 topic. message: a class of `wire.idl`."""
        with self._changing:
            writer = self._make_writer(
                dds_topic(topic, self.node_name), message, endpoint_qos(reliable, depth, message)
            )
            self._graph.announce(self._readers, self._writers)
        return writer

    def service(self, name: str, request: type, response: type) -> tuple[DataReader[Any], Writer]:
        """The reader of requests and the writer of responses of a ROS 2 service. Their samples are Calls."""
        path = full_name(name, self.node_name)
        with self._changing:
            self._services += 1
            # By this a client recognises which reader and writer belong together.
            own = f"serviceid={'.'.join(f'{byte:x}' for byte in self._dds.guid.bytes[:12])}.{self._services:x};"
            asked = endpoint_qos(True, 10, request, user_data=own)
            answered = endpoint_qos(True, 10, response, user_data=own)
            reader = self._make_reader(f"rq{path}Request", request, asked, is_call=True)
            writer = self._make_writer(f"rr{path}Reply", response, answered, is_call=True)
            self._graph.announce(self._readers, self._writers)
        return reader, writer

    def publisher(self, topic: str, message: type, depth: int) -> DdsPublisher:
        writer = self.writer(topic, message, reliable=True, depth=depth)
        return DdsPublisher(writer, lambda: self.remove(writer))

    def subscribe(self, subscriptions: Sequence[Subscription], log: Log) -> Closing:
        heard: dict[Any, Subscription] = {}
        with ExitStack() as stack:
            for s in subscriptions:
                reader = self.reader(
                    s.topic, s.message, reliable=s.reliable, depth=s.depth, transient_local=s.transient_local
                )
                stack.callback(self.remove, reader)
                heard[reader] = s
            handlers = {reader: s.handle for reader, s in heard.items()}
            listening = Listening(self, handlers, log, lambda reader, error: heard[reader].reject(error))
            stack.callback(listening.stop)
            return stack.pop_all()

    def serve(self, services: Sequence[Service], log: Log) -> Closing:
        handlers = {}
        for service in services:
            reader, writer = self.service(service.name, service.kind.request, service.kind.response)
            handlers[reader] = answering(reader, writer, service)
        stack = ExitStack()
        stack.callback(Listening(self, handlers, log, lambda _, error: log.error(f"service: {error}")).stop)
        return stack

    def publishers(self, topic: str) -> int:
        name = dds_topic(topic, self.node_name)
        with self._changing:
            return max((len(reader.matched_pub) for reader in self._readers if reader.topic.name == name), default=0)

    def trouble(self) -> str:
        """Nothing that DDS itself would know."""
        return ""

    def remove(self, *endpoints: Any) -> None:
        """Takes readers and writers off the wire."""
        with self._changing:
            for endpoint in endpoints:
                (self._readers if endpoint in self._readers else self._writers).remove(endpoint)
                endpoint.__del__()  # as in `close`
            self._graph.announce(self._readers, self._writers)

    def _make_reader(self, topic: str, message: type, qos: Qos, is_call: bool = False) -> DataReader[Any]:
        self._readers.append(DataReader(self._dds, self._topic(topic, message, is_call), qos=qos))
        return self._readers[-1]

    def _make_writer(self, topic: str, message: type, qos: Qos, is_call: bool = False) -> Writer:
        self._writers.append(Writer(self._dds, self._topic(topic, message, is_call), qos=qos))
        return self._writers[-1]

    def _topic(self, name: str, message: type, is_call: bool) -> Topic[Any]:
        if name not in self._topics:
            self._topics[name] = Topic(self._dds, name, sample_type(message, is_call))
        return self._topics[name]

    def namesakes(self) -> int:
        """How many other nodes have this node's name."""
        return self._graph.namesakes()

    def nodes(self) -> list[str]:
        """The full names of all other nodes. A name that several nodes have comes several times."""
        return [f"{namespace.rstrip('/')}/{name}" for namespace, name in self._graph.others()]

    def announced(self) -> int:
        """How many other participants announced nodes, by the last call of `nodes`."""
        return self._graph.announced

    def discovered(self, kind: BuiltinTopic) -> list[Any]:
        """The samples of a builtin topic: what DDS knows of other participants or of their endpoints."""
        found = BuiltinDataReader(self._dds, kind).read(MAX_DISCOVERED)
        own = self._dds.guid
        return [sample for sample in found if own not in (sample.key, getattr(sample, "participant_key", None))]

    def waitset(self) -> WaitSet:
        return WaitSet(self._dds)

    def guard(self) -> GuardCondition:
        return GuardCondition(self._dds)

    def close(self) -> None:
        """Takes the node off the wire now, rather than when Python's garbage collector runs.

        `__del__` is the only way that cyclonedds offers. It deletes the endpoints, too; a second call does nothing.
        """
        for listening in list(self.listening):
            listening.stop()
        self._dds.__del__()

    def __enter__(self) -> Participant:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Listening:
    """A thread that passes each sample that arrives at some readers to the reader's function.

    If samples wait at several readers, those of the first reader go first. As a context manager it stops at the end.
    """

    def __init__(
        self,
        participant: Participant,
        readers: Mapping[Any, Callable[[Any], object]],
        log: Log,
        on_bad: Callable[[Any, InputError], object] = lambda reader, error: None,
    ) -> None:
        """readers: each with its function; on_bad: called with a reader and the reason why a sample cannot be used."""
        self._on_bad = on_bad
        self._fail = Throttle(log.error)
        self._conditions = [
            (ReadCondition(r, SampleState.NotRead | ViewState.Any | InstanceState.Any), r, f)
            for r, f in readers.items()
        ]
        self._guard = participant.guard()
        self._waitset = participant.waitset()
        for entity in (self._guard, *(condition for condition, _, _ in self._conditions)):
            self._waitset.attach(entity)
        self._running = True
        self._thread = threading.Thread(target=self._run, name="pose_regressor receiver", daemon=True)
        self._participant = participant
        participant.listening.append(self)
        self._thread.start()

    def stop(self) -> None:
        if not self._running:
            return
        self._participant.listening.remove(self)
        self._running = False
        self._guard.set(True)
        if self._thread.is_alive():  # a signal may have come before it started
            self._thread.join(1.0)
        self._conditions.clear()  # they hold the readers, which hold the participant

    def __enter__(self) -> Listening:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self) -> None:
        while self._running:
            self._waitset.wait(duration(seconds=10))
            for condition, reader, handle in self._conditions:
                while self._running and self._take(condition, reader, handle):
                    pass

    def _take(self, condition: ReadCondition, reader: DataReader[Any], handle: Callable[[Any], object]) -> bool:
        """Takes one sample. False: there was none."""
        try:
            samples = reader.take(1, condition)
        except DDSException as error:
            self._fail("take", f"DDS: {error}")
            return False
        except InputError as error:
            self._on_bad(reader, error)
            return True
        except Exception as error:  # anybody may send anything: one sample must not end the thread
            self._on_bad(reader, InputError("unreadable message", repr(error)))
            return True
        for sample in samples:
            if not isinstance(sample, InvalidSample):  # an invalid one only says that a writer went away
                try:
                    handle(sample)
                except Exception as error:  # as above
                    self._on_bad(reader, InputError("unusable message", repr(error)))
        return bool(samples)
