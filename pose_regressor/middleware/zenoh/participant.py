"""A node of ROS 2's graph on a Zenoh session. Keys, tokens and attachments are those of rmw_zenoh_cpp."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import zenoh
from zenoh import ext

from pose_regressor.middleware.kit.endpoints import Closing, Subscription
from pose_regressor.middleware.kit.log import Log
from pose_regressor.middleware.standalone.names import NODE_NAME, domain_id, full_name
from pose_regressor.middleware.standalone.participant import Service
from pose_regressor.middleware.wire.message import Message
from pose_regressor.middleware.zenoh.graph import Graph
from pose_regressor.middleware.zenoh.inbox import Inbox
from pose_regressor.middleware.zenoh.keys import (
    NODE,
    PUBLISHER,
    SERVICE,
    SUBSCRIPTION,
    Entity,
    Qos,
    Topic,
    attachment,
    read_attachment,
    topic_of,
)
from pose_regressor.middleware.zenoh.session import Session
from pose_regressor.types import InputError

LARGEST_DOMAIN = 2**31 - 1  # keys have room for any; so do the ROS 2 tools for this one
NAMESPACE = "/"
#: Each priority has a queue of its own on a link: poses are not dropped because an image fills it.
LARGE = ("sensor_msgs::msg::dds_::Image_", "sensor_msgs::msg::dds_::CompressedImage_")
#: Of requests that wait. ROS 2's services have 10.
REQUESTS = 10


class Participant:
    """One Zenoh session that holds one ROS 2 node. As a context manager it closes at the end."""

    def __init__(self, node_name: str = NODE_NAME) -> None:
        self.domain = domain_id(LARGEST_DOMAIN)
        self.node_name = node_name
        self.session = Session()
        self._zenoh = self.session.zenoh
        self._numbers = 0
        self._tokens: dict[Entity, zenoh.LivelinessToken] = {}
        self._inboxes: list[Inbox] = []
        self._changing = threading.RLock()
        self.graph = Graph(self._zenoh, self.domain)
        self.announce(NODE)

    def announce(self, kind: str, topic: Topic | None = None, qos: Qos | None = None) -> Entity:
        """Tells others that the node, or an endpoint of it, is there."""
        with self._changing:
            number = self._numbers
            self._numbers += 1
            entity = Entity(self.domain, self.session.id, 0, number, kind, NAMESPACE, self.node_name, topic, qos)
            self._tokens[entity] = self._zenoh.liveliness().declare_token(entity.token())
        return entity

    def renounce(self, entity: Entity) -> None:
        with self._changing:
            if token := self._tokens.pop(entity, None):
                token.undeclare()

    def publisher(self, topic: str, message: type[Message], depth: int) -> ZenohPublisher:
        return ZenohPublisher(self, topic_of(full_name(topic, self.node_name), message), Qos(depth=depth))

    def subscribe(self, subscriptions: Sequence[Subscription], log: Log) -> Closing:
        with ExitStack() as stack:
            inbox = self._inbox(log)
            stack.callback(self._end, inbox)
            for s in subscriptions:
                topic = topic_of(full_name(s.topic, self.node_name), s.message)
                put = inbox.place(s.depth, _reading(s))
                subscriber = self._subscriber(topic, s, put)
                stack.callback(subscriber.undeclare)
                qos = Qos(s.reliable, s.transient_local, s.depth)
                stack.callback(self.renounce, self.announce(SUBSCRIPTION, topic, qos))
            return stack.pop_all()

    def _subscriber(self, topic: Topic, s: Subscription, put: Callable[[zenoh.Sample], object]) -> Any:
        key = topic.key(self.domain)
        if not s.transient_local:
            return self._zenoh.declare_subscriber(key, put)
        # Asks publishers that keep messages for those of before, and for those that got lost.
        return ext.declare_advanced_subscriber(
            self._zenoh,
            key,
            put,
            history=ext.HistoryConfig(detect_late_publishers=True, max_samples=s.depth),
            recovery=ext.RecoveryConfig(periodic_queries=None, heartbeat=True) if s.reliable else None,
            subscriber_detection=True,
        )

    def serve(self, services: Sequence[Service], log: Log) -> Closing:
        with ExitStack() as stack:
            inbox = self._inbox(log)
            stack.callback(self._end, inbox)
            for service in services:
                topic = topic_of(full_name(service.name, self.node_name), service.kind)
                key = topic.key(self.domain)
                put = inbox.place(REQUESTS, _answering(key, service, log))
                queryable = self._zenoh.declare_queryable(key, put, complete=True)
                stack.callback(queryable.undeclare)
                stack.callback(self.renounce, self.announce(SERVICE, topic, Qos()))
            return stack.pop_all()

    def _inbox(self, log: Log) -> Inbox:
        inbox = Inbox(log)
        with self._changing:
            self._inboxes.append(inbox)
        return inbox

    def _end(self, inbox: Inbox) -> None:
        inbox.stop()
        with self._changing:
            self._inboxes.remove(inbox)

    def publishers(self, topic: str) -> int:
        with self._changing:
            own = [e.topic for e in self._tokens if e.kind == SUBSCRIPTION and e.topic]
        name = full_name(topic, self.node_name)
        return sum(self.graph.count(PUBLISHER, heard) for heard in set(own) if heard.name == name)

    def namesakes(self) -> int:
        return self.graph.namesakes(f"/{self.node_name}")

    def trouble(self) -> str:
        with self._changing:
            own = [entity for entity in self._tokens if entity.kind in (PUBLISHER, SUBSCRIPTION)]
        return self.session.trouble() or self.graph.stranger(own)

    def close(self) -> None:
        """Takes the node off the network, with everything it has there. A second call does nothing."""
        for inbox in list(self._inboxes):
            inbox.stop()
        self.session.close()

    def __enter__(self) -> Participant:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class ZenohPublisher:
    """A `Publisher` on a participant."""

    def __init__(self, participant: Participant, topic: Topic, qos: Qos) -> None:
        self._participant, self._topic = participant, topic
        key = topic.key(participant.domain)
        # As rmw_zenoh_cpp does for a limited history: what a slow link has no room for is dropped, nobody waits.
        self._publisher = participant.session.zenoh.declare_publisher(
            key,
            congestion_control=zenoh.CongestionControl.DROP,
            priority=zenoh.Priority.DATA_LOW if topic.type in LARGE else zenoh.Priority.DATA,
            reliability=zenoh.Reliability.RELIABLE,
        )
        self._entity = participant.announce(PUBLISHER, topic, qos)
        self._gid, self._count = self._entity.gid(), 0
        self._sending = threading.Lock()

    def publish(self, message: Any, /) -> None:
        payload = message.serialize()
        with self._sending:
            self._count += 1
            self._publisher.put(payload, attachment=attachment(self._count, time.time_ns(), self._gid))

    def subscribers(self) -> int:
        return self._participant.graph.count(SUBSCRIPTION, self._topic)

    def close(self) -> None:
        self._participant.renounce(self._entity)
        self._publisher.undeclare()


def _reading(s: Subscription) -> Callable[[zenoh.Sample], None]:
    """What is done with a sample of a subscription."""

    def on_sample(sample: zenoh.Sample) -> None:
        if sample.kind == zenoh.SampleKind.DELETE:
            return  # of a store's key; ROS 2 knows no such thing
        try:
            s.handle(s.message.deserialize(sample.payload.to_bytes()))  # type: ignore[attr-defined]
        except InputError as error:
            s.reject(error)
        except Exception as error:  # anybody may send anything: one message must not end the thread
            s.reject(InputError("unusable message", repr(error)))

    return on_sample


def _answering(key: str, service: Service, log: Log) -> Callable[[zenoh.Query], None]:
    """What is done with a request."""

    def on_query(query: zenoh.Query) -> None:
        with query:  # which tells the client that no more answers come
            try:
                number, _, gid = read_attachment(_bytes(query.attachment))
                request = service.kind.request.deserialize(_bytes(query.payload))
            except (InputError, ValueError) as error:
                log.error(f"service {service.name}: {error}")
                query.reply_err(str(error))
                return
            response = service.kind.response(**service.answer(request))
            query.reply(key, response.serialize(), attachment=attachment(number, time.time_ns(), gid))

    return on_query


def _bytes(data: zenoh.ZBytes | None) -> bytes:
    return data.to_bytes() if data else b""
