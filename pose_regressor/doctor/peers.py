"""What can be told of other nodes from their names and from whose DDS they use."""

from __future__ import annotations

from collections import Counter

from pose_regressor.doctor import Finding, ok, warn
from pose_regressor.doctor.seen import CYCLONE_DDS, FAST_DDS, Endpoint, Seen

#: Names the file of settings that Fast DDS reads.
PROFILES = "FASTDDS_DEFAULT_PROFILES_FILE"


def check_names(seen: Seen) -> Finding:
    check = "node names"
    twice = sorted(name for name, count in Counter(seen.nodes).items() if count > 1)
    if twice:
        advice = "start each with a name or namespace of its own (--ros-args -r __node:=...)"
        return warn(check, f"several nodes are called {', '.join(twice)}", advice)
    unnamed = f"; {seen.unnamed} participants announce no node, as plain DDS programs do" if seen.unnamed else ""
    return ok(check, f"{len(seen.nodes)} nodes, each name once{unnamed}")


def check_services(seen: Seen, over_dds: bool) -> Finding:
    """Whether other nodes get answers from the node's services. over_dds: the node here will run over DDS."""
    check = "services"
    deaf = seen.vendors.count(FAST_DDS)
    if not deaf or not over_dds:
        return ok(check, "ros2 lifecycle and ros2 param reach the node")
    return warn(
        check,
        f"{deaf} of {seen.participants} other participants run over Fast DDS: topics cross, but a node over DDS cannot "
        "answer their service calls (ros2 lifecycle, ros2 param), since Fast DDS writes them in another form",
        "export RMW_IMPLEMENTATION=rmw_cyclonedds_cpp where those calls are made, or run the node over rclpy",
    )


def refusal(publishers: list[Endpoint]) -> str:
    """What to do if the publisher does not accept the subscriber, which cannot be seen from here."""
    vendors = {publisher.vendor for publisher in publishers}
    advice = ""
    if CYCLONE_DDS in vendors:
        from pose_regressor.middleware.dds.discovery import TYPES_BY_NAME, URI

        advice += (
            ". If its log says 'incompatible QoS ... INVALID', its type information differs: there, "
            f"export {URI}='{TYPES_BY_NAME}'"
        )
    if FAST_DDS in vendors:
        advice += (
            ". If images come once the publisher is started again, its Fast DDS 3 had lost what it asked about types: "
            f"there, export {PROFILES}=config/fast_dds.xml, a file of this package"
        )
    return advice
