"""ROS 2's environment variables of discovery, as rcl reads them and rmw_cyclonedds_cpp hands them to Cyclone DDS.

Without this a node on plain DDS would be on the network where ROS 2's nodes of the same shell are not.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from pose_regressor.types import InputError

RANGE, PEERS, LOCALHOST_ONLY = "ROS_AUTOMATIC_DISCOVERY_RANGE", "ROS_STATIC_PEERS", "ROS_LOCALHOST_ONLY"
DISTRO, URI = "ROS_DISTRO", "CYCLONEDDS_URI"
RANGES = ("SUBNET", "LOCALHOST", "OFF", "SYSTEM_DEFAULT")
#: From this distribution on rcl does not know ROS_LOCALHOST_ONLY. Their names follow the alphabet.
WITHOUT_LOCALHOST_ONLY = "kilted"
#: rmw_cyclonedds_cpp's number: so many ROS 2 processes on one machine find each other, less one.
LAST_PARTICIPANT = 32
#: With Cyclone's default packets and buffers, 1080p images lose fragments even on the loopback interface.
LARGE_MESSAGES = (
    "<General><MaxMessageSize>65500B</MaxMessageSize><FragmentSize>60000B</FragmentSize></General>"
    '<Internal><SocketReceiveBufferSize min="default" max="4MB"/></Internal>'
)

#: Matches by the names of types alone, as ROS 2's own RMWs did before they announced type information. What they
#: announce differs for the same type: Fast DDS 3.2 (Kilted) writes type objects that Cyclone DDS refuses, and
#: rmw_cyclonedds (Lyrical) leaves fields of services out. 1.15 is Fast DDS, 1.16 Cyclone DDS.
TYPES_BY_NAME = "<Compatibility><IgnoreTypeInformation>1.15,1.16</IgnoreTypeInformation></Compatibility>"


@dataclass(frozen=True)
class Discovery:
    """Whom a participant looks for.

    reach: one of RANGES.
    reason: the variable and value that say so; "": none does.
    peers: addresses of machines that are looked for besides.
    ignored: variables that have no effect, each with the reason and the remedy.
    """

    reach: str
    reason: str = ""
    peers: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()

    def configuration(self) -> str:
        """Cyclone DDS's configuration for it, as XML; "": Cyclone's own defaults."""
        if self.reach == "SYSTEM_DEFAULT":
            return ""
        general = "" if self.reach == "SUBNET" else "<General><AllowMulticast>false</AllowMulticast></General>"
        if self.reach == "OFF":
            # A tag of its own: only participants with the same tag see each other.
            inner = f"<ParticipantIndex>none</ParticipantIndex><Tag>ros_discovery_off_{os.getpid()}</Tag>"
        else:
            inner = (
                "<ParticipantIndex>auto</ParticipantIndex>"
                f"<MaxAutoParticipantIndex>{LAST_PARTICIPANT}</MaxAutoParticipantIndex>"
            )
            peers = ("localhost", *self.peers) if self.reach == "LOCALHOST" else self.peers
            if peers:
                inner += "<Peers>" + "".join(f'<Peer address="{peer}"/>' for peer in peers) + "</Peers>"
        return f"<CycloneDDS><Domain>{general}<Discovery>{inner}</Discovery></Domain></CycloneDDS>"

    def in_words(self) -> str:
        """Whom it finds."""
        words = {
            "SUBNET": "everybody on this subnet, by multicast",
            "LOCALHOST": "this machine only",
            "OFF": "nobody",
            "SYSTEM_DEFAULT": "as Cyclone DDS is configured",
        }[self.reach]
        peers = f", and the peers {', '.join(self.peers)}" if self.peers else ""
        return f"{words}{peers}" + (f" ({self.reason})" if self.reason else "")


def discovery(environment: Mapping[str, str] = os.environ) -> Discovery:
    """What the environment asks for. InputError: a peer cannot be an address, or is not known here."""
    ignored = []
    local = environment.get(LOCALHOST_ONLY) == "1"
    distro = environment.get(DISTRO, "")
    if local and distro.lower() >= WITHOUT_LOCALHOST_ONLY:
        local = False
        ignored.append(f"{LOCALHOST_ONLY}=1 has no effect since ROS 2 Kilted ({distro} here); set {RANGE}=LOCALHOST")
    if local:
        ignored += [
            f"{name} has no effect beside {LOCALHOST_ONLY}=1; unset the latter, and set {RANGE}=LOCALHOST"
            for name in (RANGE, PEERS)
            if environment.get(name, "LOCALHOST" if name == RANGE else "") not in ("", "LOCALHOST")
        ]
        return Discovery("LOCALHOST", f"{LOCALHOST_ONLY}=1", (), tuple(ignored))
    given = environment.get(RANGE, "")
    reach = given or "SUBNET"
    if reach not in RANGES:
        reach = "LOCALHOST"
        ignored.append(f"{RANGE}={given} is not known, so LOCALHOST holds, as in ROS 2; set one of {', '.join(RANGES)}")
    peers = tuple(filter(None, (peer.strip() for peer in environment.get(PEERS, "").split(";"))))
    if peers and reach in ("OFF", "SYSTEM_DEFAULT"):
        ignored.append(f"{PEERS} has no effect beside {RANGE}={reach}; set that to SUBNET or LOCALHOST")
        peers = ()
    for peer in peers:
        _check_peer(peer)
    return Discovery(reach, f"{RANGE}={given}" if given else "", peers, tuple(ignored))


def cyclone_uri(environment: Mapping[str, str], found: Discovery) -> str:
    """The value of CYCLONEDDS_URI that puts `found` into effect. The user's own value comes last, so it overrides."""
    return ",".join(filter(None, (found.configuration(), TYPES_BY_NAME, environment.get(URI) or LARGE_MESSAGES)))


def _check_peer(peer: str) -> None:
    """InputError if Cyclone DDS could not use the peer: it would end the process."""
    if not re.fullmatch(r"[\w.:%\[\]-]+", peer):
        raise InputError(f"{PEERS}: expected addresses separated by ';', got {peer!r}")
    host = peer.rpartition(":")[0] if re.fullmatch(r"[^:]+:\d+", peer) else peer
    try:
        socket.getaddrinfo(host.strip("[]"), None)
    except (OSError, UnicodeError) as error:
        raise InputError(f"{PEERS}: {peer} is not known here ({error}); give its IP address, or remove it") from None
