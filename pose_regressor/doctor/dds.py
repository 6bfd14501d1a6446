"""What the doctor sees of other participants over DDS, and whom a node can reach."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cyclonedds.builtin import BuiltinTopicDcpsParticipant, BuiltinTopicDcpsPublication
from cyclonedds.qos import Policy

from pose_regressor.doctor import Finding, error, ok, warn
from pose_regressor.doctor.seen import VENDORS, Endpoint, Seen
from pose_regressor.middleware.dds.discovery import RANGE, URI, discovery
from pose_regressor.middleware.dds.participant import Participant
from pose_regressor.middleware.wire.type_hash import ros_type


def begin(participant: Participant) -> None:
    """Begins to listen to other nodes."""
    participant.nodes()


def look(seen: Seen, participant: Participant) -> None:
    """Adds who is there."""
    seen.vendors = [_vendor(found.key) for found in participant.discovered(BuiltinTopicDcpsParticipant)]
    seen.participants = len(seen.vendors)
    seen.publishers = [_endpoint(found) for found in participant.discovered(BuiltinTopicDcpsPublication)]
    seen.nodes = participant.nodes()
    seen.unnamed = max(seen.participants - participant.announced(), 0)


def check_reach(seen: Seen, environment: Mapping[str, str]) -> list[Finding]:
    """Whom a node in this environment finds."""
    return [*_check_discovery(environment), _check_domain(seen, environment)]


def _check_discovery(environment: Mapping[str, str]) -> list[Finding]:
    """Whom a node in this environment looks for, and variables that have no effect."""
    check = "discovery"
    found = discovery(environment)
    findings = [warn(check, *text.split("; ", 1)) for text in found.ignored]
    text = f"finds {found.in_words()}"
    if environment.get(URI):
        text += f"; {URI} is read after that, and overrides it"
    if found.reach == "OFF":
        return [*findings, warn(check, text, f"unset {RANGE}, or set it to SUBNET or LOCALHOST")]
    return [*findings, ok(check, text)]


def _check_domain(seen: Seen, environment: Mapping[str, str]) -> Finding:
    if seen.participants:
        return ok("domain", f"{seen.participants} other participants in domain {seen.domain}")
    found = discovery(environment)
    own = "ROS_DOMAIN_ID is " + (environment.get("ROS_DOMAIN_ID") or "not set") + " here"
    advice = f"{own}: set it to the robot's"
    if found.reach in ("LOCALHOST", "OFF") and not found.peers:
        advice += f"; discovery is kept to this machine ({found.reason})"
    return error(
        "domain",
        f"nobody else in domain {seen.domain} within {seen.seconds:g} s",
        f"{advice}; multicast must reach the other machine (ros2 multicast receive), and its RMW must speak DDS",
    )


def _endpoint(found: Any) -> Endpoint:
    reliability, durability = found.qos[Policy.Reliability], found.qos[Policy.Durability]
    name = found.topic_name
    return Endpoint(
        topic=name[2:] if name.startswith("rt/") else name,
        type=ros_type(found.type_name),
        reliable=reliability is not None and reliability != Policy.Reliability.BestEffort,
        transient_local=durability == Policy.Durability.TransientLocal,
        type_hash=_type_hash(found.qos),
        vendor=_vendor(found.participant_key),
    )


def _type_hash(qos: Any) -> str:
    data = qos[Policy.Userdata].data if Policy.Userdata in qos else b""
    parts = (part.partition(b"typehash=") for part in data.split(b";"))
    return next((value.decode("ascii", "replace") for before, key, value in parts if key and not before), "")


def _vendor(participant: Any) -> str:
    return VENDORS.get(participant.bytes[:2], "another DDS")
