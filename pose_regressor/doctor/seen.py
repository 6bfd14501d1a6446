"""What was seen on the network in a few seconds: the checks need nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

FAST_DDS, CYCLONE_DDS = "Fast DDS", "Cyclone DDS"
#: By the first two bytes of a participant's GUID, as RTPS has it.
VENDORS = {b"\x01\x0f": FAST_DDS, b"\x01\x10": CYCLONE_DDS}


@dataclass(frozen=True)
class Endpoint:
    """A publisher of another participant.

    topic, type: as ROS 2 names them.
    reliable, transient_local: its QoS.
    type_hash: as RIHS01_...; "": it says none.
    vendor: of its DDS, as in VENDORS.
    """

    topic: str
    type: str
    reliable: bool
    transient_local: bool
    type_hash: str = ""
    vendor: str = ""


@dataclass(frozen=True)
class Arrival:
    """An image or camera info as it came.

    at: when it arrived, in ns since the epoch by this machine's clock.
    stamp: of its header, in ns.
    frame_id: of its header, without a leading '/'.
    """

    at: int
    stamp: int
    frame_id: str


@dataclass(frozen=True)
class Edge:
    """A transform of the TF tree.

    parent, child: names of its frames, without a leading '/'.
    static: whether it came on /tf_static.
    """

    parent: str
    child: str
    static: bool


@dataclass
class Seen:
    """Everything that was seen.

    domain: ROS_DOMAIN_ID.
    seconds: how long the doctor listened.
    participants: number of other DDS participants or Zenoh sessions.
    vendors: whose DDS they use, as in VENDORS: one entry for each of them.
    unnamed: number of participants that announce no ROS 2 node.
    nodes: full names of all other nodes.
    publishers: of other participants.
    images, infos: the arrivals on the two topics.
    image, info: the last message on each of them.
    depths, depth, depth_info: likewise those of depth and its camera info, if they were asked for.
    edges: the transforms on /tf and /tf_static.
    unreadable: by topic, why its last unreadable message cannot be read.
    trouble: what keeps this machine from others, and the remedy; "": nothing is known.
    """

    domain: int
    seconds: float
    participants: int = 0
    vendors: list[str] = field(default_factory=list)
    unnamed: int = 0
    nodes: list[str] = field(default_factory=list)
    publishers: list[Endpoint] = field(default_factory=list)
    images: list[Arrival] = field(default_factory=list)
    infos: list[Arrival] = field(default_factory=list)
    image: Any = None
    info: Any = None
    depths: list[Arrival] = field(default_factory=list)
    depth: Any = None
    depth_info: Any = None
    edges: set[Edge] = field(default_factory=set)
    unreadable: dict[str, str] = field(default_factory=dict)
    trouble: str = ""

    def of(self, topic: str) -> list[Endpoint]:
        """The publishers of a topic."""
        return [endpoint for endpoint in self.publishers if endpoint.topic == topic]
