"""What a node needs of the middleware below it. Each middleware has its own `Endpoints`; the nodes are the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pose_regressor.middleware.messages.transform_tree import TransformTree
from pose_regressor.types import FloatArray, InputError

#: How many messages of /tf and of /tf_static may wait, as in tf2.
TF_DEPTH = 100


class Closing(Protocol):
    """Something on the wire that can be taken away again."""

    def close(self) -> None: ...


class Publisher(Closing, Protocol):
    """A topic that a node publishes."""

    def publish(self, message: Any, /) -> None: ...
    def subscribers(self) -> int:
        """How many subscribers the topic has now."""


class Lookup(Protocol):
    """Gives a frame's place in another: (4, 4) target_from_source at a time in ns. InputError: it is not known."""

    def __call__(self, target: str, source: str, stamp: int) -> FloatArray: ...


@dataclass(frozen=True)
class Transforms:
    """Transforms that are heard on /tf and /tf_static until `close` is called."""

    lookup: Lookup
    close: Callable[[], object]


@dataclass(frozen=True)
class Subscription:
    """A topic that a node wants to hear.

    topic: its ROS 2 name; the middleware resolves a relative one.
    message: the class of its messages, of `Endpoints.types`.
    handle: called with each message, in a thread of the middleware.
    reliable: ask for lost messages again; then best-effort publishers are not heard.
    depth: how many messages may wait for `handle`.
    reject: called in place of `handle` with the reason why a message cannot be read.
    transient_local: hear messages from before the subscription, too, if the publisher keeps them.
    """

    topic: str
    message: type
    handle: Callable[[Any], object]
    reliable: bool
    depth: int
    reject: Callable[[InputError], object] = lambda _: None
    transient_local: bool = False


class Endpoints(Protocol):
    """A node's place in the graph.

    types: the message classes, as for `messages.images`.
    domain: ROS_DOMAIN_ID.
    """

    @property
    def types(self) -> Any: ...
    @property
    def domain(self) -> int: ...
    def full_name(self, topic: str) -> str:
        """The topic's name from the root of all names. InputError: this cannot be a topic's name."""

    def publisher(self, topic: str, message: type, depth: int) -> Publisher:
        """A reliable, volatile publisher. depth: how many messages may wait for a slow subscriber."""

    def subscribe(self, subscriptions: Sequence[Subscription]) -> Closing:
        """Hears the topics until the result is closed. Of messages that wait, those of the first topics go first."""

    def transforms(self, patience: float) -> Transforms:
        """patience: seconds for which a frame that is no longer heard of is taken to stay where it was."""

    def image(self, pixels: NDArray[np.uint8], stamp: int, frame_id: str) -> Any:
        """(H, W, 3) uint8 RGB -> sensor_msgs/Image. stamp: ns."""

    def namesakes(self) -> int:
        """How many other nodes have this node's name."""

    def trouble(self) -> str:
        """As `managed.Ends.trouble`."""


def hear_transforms(
    endpoints: Endpoints, patience: float, reject: Callable[[InputError], object] = lambda _: None
) -> Transforms:
    """Subscribes to /tf and /tf_static and keeps what comes in a tree of frames, as tf2's listener does.

    patience: as for `Endpoints.transforms`; reject: as for `Subscription`.
    """
    tree, message = TransformTree(patience), endpoints.types.TFMessage
    moving = Subscription("/tf", message, tree.on_tf, True, TF_DEPTH, reject)
    fixed = Subscription("/tf_static", message, tree.on_tf_static, True, TF_DEPTH, reject, transient_local=True)
    return Transforms(tree.lookup, endpoints.subscribe([moving, fixed]).close)
