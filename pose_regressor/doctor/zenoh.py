"""What the doctor sees of other sessions over Zenoh, and whom a node can reach."""

from __future__ import annotations

from collections.abc import Mapping

from pose_regressor.doctor import Finding, error, ok
from pose_regressor.doctor.seen import Endpoint, Seen
from pose_regressor.middleware.wire.type_hash import ros_type
from pose_regressor.middleware.zenoh.configuration import session_configuration
from pose_regressor.middleware.zenoh.keys import NODE, PUBLISHER, Entity
from pose_regressor.middleware.zenoh.participant import Participant


def begin(participant: Participant) -> None:
    """Nothing: a participant follows other nodes from its start."""


def look(seen: Seen, participant: Participant) -> None:
    """Adds who is there."""
    nodes = participant.graph.others(NODE)
    seen.participants = len({node.session for node in nodes})
    seen.nodes = [node.full_node_name for node in nodes]
    seen.publishers = [_endpoint(publisher) for publisher in participant.graph.others(PUBLISHER)]
    seen.trouble = participant.session.trouble()


def check_reach(seen: Seen, environment: Mapping[str, str]) -> list[Finding]:
    """Whom a node in this environment finds."""
    return [_check_router(seen, environment), _check_domain(seen, environment)]


def _check_router(seen: Seen, environment: Mapping[str, str]) -> Finding:
    if seen.trouble:
        text, _, advice = seen.trouble.partition("; ")
        return error("router", text, advice)
    return ok("router", f"a node is {session_configuration(environment).in_words()}")


def _check_domain(seen: Seen, environment: Mapping[str, str]) -> Finding:
    check = "domain"
    if seen.participants:
        return ok(check, f"{seen.participants} other sessions in domain {seen.domain}")
    own = "ROS_DOMAIN_ID is " + (environment.get("ROS_DOMAIN_ID") or "not set") + " here"
    return error(
        check,
        f"nobody else in domain {seen.domain} within {seen.seconds:g} s",
        f"{own}: set it to the robot's, whose RMW must be rmw_zenoh_cpp and connected to the same router",
    )


def _endpoint(publisher: Entity) -> Endpoint:
    """Over Zenoh every subscriber hears every publisher, so all count as reliable."""
    assert publisher.topic and publisher.qos
    topic = publisher.topic
    return Endpoint(topic.name, ros_type(topic.type), True, publisher.qos.transient_local, topic.hash)
