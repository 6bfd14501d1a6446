"""What the nodes need of a participant: one node of ROS 2's graph, on a middleware that needs no ROS 2."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from pose_regressor.middleware.kit.endpoints import Closing, Publisher, Subscription
from pose_regressor.middleware.kit.log import Log
from pose_regressor.middleware.wire.service_types import ServiceType


@dataclass(frozen=True)
class Service:
    """A service that a node offers.

    name: its ROS 2 name; the participant resolves a relative one.
    kind: its messages.
    answer: called with each request, in a thread of the participant; gives the fields of the response.
    """

    name: str
    kind: ServiceType
    answer: Callable[[Any], Mapping[str, Any]]


class Participant(Protocol):
    """One node. Its methods may be called from any thread.

    domain: ROS_DOMAIN_ID.
    node_name: without its namespace, which is the root.
    """

    @property
    def domain(self) -> int: ...
    @property
    def node_name(self) -> str: ...
    def publisher(self, topic: str, message: Any, depth: int) -> Publisher:
        """A reliable, volatile publisher. message: a class of `wire.idl`; depth: as for `Endpoints.publisher`."""

    def subscribe(self, subscriptions: Sequence[Subscription], log: Log) -> Closing:
        """As `Endpoints.subscribe`."""

    def serve(self, services: Sequence[Service], log: Log) -> Closing:
        """Answers requests until the result is closed, one at a time, in a thread of its own."""

    def publishers(self, topic: str) -> int:
        """How many publishers this participant's subscription of the topic hears; 0 without a subscription."""

    def namesakes(self) -> int:
        """How many other nodes have this node's name."""

    def trouble(self) -> str:
        """What keeps the node from others on the network, and the remedy, in one line; '' if nothing is known."""


#: Opens a participant with a node of this name.
OpenParticipant = Callable[[str], AbstractContextManager[Participant]]
