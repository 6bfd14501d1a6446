"""What is known of ROS 2's graph: the tokens of all nodes and endpoints of a domain."""

from __future__ import annotations

import threading
from collections.abc import Callable

import zenoh

from pose_regressor.middleware.wire.type_hash import NO_HASH, ros_type
from pose_regressor.middleware.zenoh.keys import (
    NODE,
    PUBLISHER,
    SUBSCRIPTION,
    TOKENS,
    Entity,
    Topic,
    entity_from_token,
)

#: The characters of a hash that errors show.
SHOWN = 15


class Graph:
    """Follows the tokens of a domain as long as the session lasts."""

    def __init__(self, session: zenoh.Session, domain: int) -> None:
        self._own = str(session.zid())
        self._lock = threading.Lock()
        self._entities: dict[str, Entity] = {}
        self._subscriber = session.liveliness().declare_subscriber(
            f"{TOKENS}/{domain}/**", self._on_token, history=True
        )

    def _on_token(self, sample: zenoh.Sample) -> None:
        token = str(sample.key_expr)
        with self._lock:
            if sample.kind == zenoh.SampleKind.DELETE:
                self._entities.pop(token, None)
                return
            try:
                self._entities[token] = entity_from_token(token)
            except ValueError:
                return  # anybody may declare anything

    def entities(self, wanted: Callable[[Entity], bool]) -> list[Entity]:
        with self._lock:
            return [entity for entity in self._entities.values() if wanted(entity)]

    def others(self, kind: str) -> list[Entity]:
        """Of one kind, of other sessions."""
        return self.entities(lambda entity: entity.kind == kind and entity.session != self._own)

    def count(self, kind: str, topic: Topic) -> int:
        """How many endpoints of one kind a topic has, this session's own included."""
        return len(self.entities(lambda entity: entity.kind == kind and entity.topic == topic))

    def namesakes(self, full_node_name: str) -> int:
        return sum(node.full_node_name == full_node_name for node in self.others(NODE))

    def stranger(self, own: list[Entity]) -> str:
        """What is wrong with a peer that has one of our topics and another hash of its type; '' if there is none.

        own: this session's endpoints.
        """
        opposite = {PUBLISHER: SUBSCRIPTION, SUBSCRIPTION: PUBLISHER}
        here = {(opposite[e.kind], e.topic.name, e.topic.type): e.topic.hash for e in own if e.topic}
        for kind, verb in ((PUBLISHER, "publishes"), (SUBSCRIPTION, "subscribes to")):
            for other in self.others(kind):
                assert other.topic
                topic = other.topic
                wanted = here.get((kind, topic.name, topic.type), topic.hash)
                if topic.hash != wanted:
                    return _mismatch(other, topic, verb, wanted)
        return ""


def _mismatch(other: Entity, topic: Topic, verb: str, wanted: str) -> str:
    name = f"{other.full_node_name} {verb} {topic.name} as another {ros_type(topic.type)}"
    if topic.hash == NO_HASH:
        return f"{name}: it is of ROS 2 Humble, which no later ROS 2 understands over Zenoh; use one distribution"
    hashes = f"hash {topic.hash[:SHOWN]}..., {wanted[:SHOWN]}... here"
    return f"{name} ({hashes}): no message crosses; let both sides use ROS 2's own definition"
