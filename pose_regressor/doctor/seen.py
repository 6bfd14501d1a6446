"""What was seen on the network in a few seconds, in plain words: the checks know of no DDS."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Endpoint:
    """A publisher of another participant; topic and type as ROS 2 names them."""

    topic: str
    type: str
    reliable: bool
    transient_local: bool


@dataclass(frozen=True)
class Arrival:
    """An image or camera info as it came: nanoseconds since the epoch here, and those of its header."""

    at: int
    stamp: int
    frame_id: str


@dataclass(frozen=True)
class Edge:
    """A transform on the tree."""

    parent: str
    child: str
    static: bool


@dataclass
class Seen:
    """seconds: how long was listened; image, info: the last message of each topic, as it came; unreadable: of a topic
    the last reason why a message on it is none."""

    domain: int
    seconds: float
    participants: int = 0
    nodes: list[str] = field(default_factory=list)
    publishers: list[Endpoint] = field(default_factory=list)
    images: list[Arrival] = field(default_factory=list)
    infos: list[Arrival] = field(default_factory=list)
    image: Any = None
    info: Any = None
    edges: set[Edge] = field(default_factory=set)
    unreadable: dict[str, str] = field(default_factory=dict)

    def of(self, topic: str) -> list[Endpoint]:
        """The publishers of a topic."""
        return [endpoint for endpoint in self.publishers if endpoint.topic == topic]
