"""How rmw_zenoh_cpp writes names: keys of topics and services, liveliness tokens, and what goes with a message.

Source: docs/design.md of ros2/rmw_zenoh.
"""

from __future__ import annotations

import hashlib
import re
import struct
from dataclasses import dataclass
from typing import Any

from pose_regressor.middleware.wire.message import Message
from pose_regressor.middleware.wire.service_types import ServiceType
from pose_regressor.middleware.wire.type_hash import dds_type, service_hash, type_hash

#: The first chunk of every token.
TOKENS = "@ros2_lv"
NODE, PUBLISHER, SUBSCRIPTION, SERVICE, CLIENT = "NN", "MP", "MS", "SS", "SC"
#: rmw_zenoh_cpp's depth if none is given: the one that a token leaves out.
USUAL_DEPTH = 42
#: Sequence number, time in ns since the epoch, length of the gid, gid.
_ATTACHMENT = struct.Struct("<qqB16s")
GID = 16  # bytes


@dataclass(frozen=True)
class Topic:
    """A topic or service, as tokens tell of it.

    name: from the root of all names, such as /camera/image_raw.
    type: as DDS names it, such as sensor_msgs::msg::dds_::Image_.
    hash: of the type, as RIHS01_...
    """

    name: str
    type: str
    hash: str

    def key(self, domain: int) -> str:
        """Where its messages are."""
        return f"{domain}/{self.name.strip('/')}/{self.type}/{self.hash}"


def topic_of(name: str, kind: type[Message] | ServiceType) -> Topic:
    """name: full."""
    own: Any = kind
    return Topic(name, dds_type(kind), service_hash(own) if isinstance(kind, ServiceType) else type_hash(own))


@dataclass(frozen=True)
class Qos:
    """The part of a QoS that matters here. depth: of the history."""

    reliable: bool = True
    transient_local: bool = False
    depth: int = 10

    def text(self) -> str:
        """As the last chunk of a token. What is as usual is left out; the numbers are those of rmw/types.h."""
        depth = "" if self.depth == USUAL_DEPTH else str(self.depth)
        return f"{'' if self.reliable else 2}:{1 if self.transient_local else ''}:,{depth}:,:,:,,"


def qos_from_text(text: str) -> Qos:
    """ValueError: this is no QoS of a token."""
    found = re.match(r"(\d*):(\d*):\d*,(\d*):", text)
    if found is None:
        raise ValueError(f"no QoS: {text!r}")
    reliability, durability, depth = found.groups()
    return Qos(reliability != "2", durability == "1", int(depth or USUAL_DEPTH))


@dataclass(frozen=True)
class Entity:
    """A node, or one of its endpoints, as its token tells of it.

    session: id of its Zenoh session; node: number of the node within it; number: of the entity within it; kind: NODE,
    PUBLISHER, SUBSCRIPTION, SERVICE or CLIENT; namespace, node_name: of the node; topic, qos: of an endpoint; None for
    a node.
    """

    domain: int
    session: str
    node: int
    number: int
    kind: str
    namespace: str
    node_name: str
    topic: Topic | None = None
    qos: Qos | None = None

    @property
    def full_node_name(self) -> str:
        return f"{self.namespace.rstrip('/')}/{self.node_name}"

    def token(self) -> str:
        """The key expression by which the entity is known to be there. The enclave is the root."""
        chunks = [TOKENS, self.domain, self.session, self.node, self.number, self.kind]
        chunks += [mangled("/"), mangled(self.namespace), self.node_name]
        if self.topic and self.qos:
            chunks += [mangled(self.topic.name), self.topic.type, self.topic.hash, self.qos.text()]
        return "/".join(map(str, chunks))

    def gid(self) -> bytes:
        """16 bytes that are this entity's alone. rmw_zenoh_cpp hashes the token too, with XXH3."""
        return hashlib.blake2b(self.token().encode(), digest_size=GID).digest()


def entity_from_token(token: str) -> Entity:
    """ValueError: it is no token of ROS 2. Chunks that newer versions add behind are passed over."""
    chunks = token.split("/")
    if len(chunks) < 9 or chunks[0] != TOKENS:
        raise ValueError(f"no token of a ROS 2 node: {token!r}")
    domain, session, node, number, kind, _, namespace, node_name, *about = chunks[1:]
    whose = (int(domain), session, int(node), int(number), kind, unmangled(namespace), node_name)
    if kind == NODE:
        return Entity(*whose)
    if kind not in (PUBLISHER, SUBSCRIPTION, SERVICE, CLIENT) or len(about) < 4:
        raise ValueError(f"no token of a ROS 2 endpoint: {token!r}")
    return Entity(*whose, Topic(unmangled(about[0]), about[1], about[2]), qos_from_text(about[3]))


def mangled(name: str) -> str:
    return name.replace("/", "%")


def unmangled(name: str) -> str:
    return name.replace("%", "/")


def attachment(sequence_number: int, stamp: int, gid: bytes) -> bytes:
    """What goes with every message, request and response. stamp: ns since the epoch; gid: of who sends or asks."""
    return _ATTACHMENT.pack(sequence_number, stamp, GID, gid)


def read_attachment(data: bytes) -> tuple[int, int, bytes]:
    """Sequence number, stamp in ns and gid. ValueError: these bytes are no attachment."""
    if len(data) != _ATTACHMENT.size or data[16] != GID:
        raise ValueError(
            f"expected an attachment of {_ATTACHMENT.size} bytes with a gid of {GID}, got {len(data)} bytes"
        )
    number, stamp, _, gid = _ATTACHMENT.unpack(data)
    return number, stamp, gid
