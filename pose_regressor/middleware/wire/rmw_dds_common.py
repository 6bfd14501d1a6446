"""The messages by which ROS 2 nodes (Iron and later) tell each other which endpoints are theirs."""

# The annotations are values, so there is no `from __future__ import annotations`, and mypy cannot read them.
# mypy: ignore-errors
from dataclasses import dataclass, field

from pose_regressor.middleware.wire.fields import array, bounded_str, sequence, uint8
from pose_regressor.middleware.wire.message import Message


@dataclass
class Gid(Message, name="rmw_dds_common/msg/Gid"):
    data: array[uint8, 16] = field(default_factory=lambda: [0] * 16)


@dataclass
class NodeEntitiesInfo(Message, name="rmw_dds_common/msg/NodeEntitiesInfo"):
    node_namespace: bounded_str[256] = ""
    node_name: bounded_str[256] = ""
    reader_gid_seq: sequence[Gid] = field(default_factory=list)
    writer_gid_seq: sequence[Gid] = field(default_factory=list)


@dataclass
class ParticipantEntitiesInfo(Message, name="rmw_dds_common/msg/ParticipantEntitiesInfo"):
    gid: Gid = field(default_factory=Gid)
    node_entities_info_seq: sequence[NodeEntitiesInfo] = field(default_factory=list)
