"""The node's place in ROS 2's graph: it announces its own endpoints and hears of other nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cyclonedds.domain import DomainParticipant
from cyclonedds.internal import InvalidSample
from cyclonedds.qos import Policy, Qos
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic
from cyclonedds.util import duration

from pose_regressor.middleware.dds.samples import Writer, sample_type
from pose_regressor.middleware.wire import rmw_dds_common
from pose_regressor.middleware.wire.type_hash import type_hash

TOPIC = "ros_discovery_info"
NAMESPACE = "/"
HANDLE = 2**64 - 1  # a mask: some functions of cyclonedds return handles with a sign, others without


def endpoint_qos(reliable: bool, depth: int, message: type, transient_local: bool = False, user_data: str = "") -> Qos:
    """The QoS that rmw_cyclonedds uses for topics and services. user_data: put before the type's hash."""
    return Qos(
        # ROS 2 lets a slow reader block a reliable writer for ever. Here it blocks for 100 ms, then loses the sample.
        Policy.Reliability.Reliable(duration(milliseconds=100)) if reliable else Policy.Reliability.BestEffort,
        Policy.Durability.TransientLocal if transient_local else Policy.Durability.Volatile,
        Policy.History.KeepLast(depth),
        Policy.DataRepresentation(use_cdrv0_representation=True),
        Policy.Userdata(f"{user_data}typehash={type_hash(message)};".encode()),
    )


class Graph:
    """One node on one participant."""

    def __init__(self, participant: DomainParticipant, node_name: str) -> None:
        self._participant, self._node_name = participant, node_name
        self._message: Any = rmw_dds_common.ParticipantEntitiesInfo
        self._topic = Topic(participant, TOPIC, sample_type(self._message))
        self._writer = Writer(participant, self._topic, qos=self._qos(1))
        self._reader: DataReader[Any] | None = None
        self._names: dict[int, list[tuple[str, str]]] = {}

    def _qos(self, depth: int) -> Qos:
        return endpoint_qos(True, depth, self._message, transient_local=True)

    def announce(self, readers: Sequence[Any], writers: Sequence[Any]) -> None:
        """Says which endpoints belong to the node. Without this, `ros2 node list` does not see the node."""
        types: Any = rmw_dds_common

        def gids(entities: Sequence[Any]) -> list[Any]:
            return [types.Gid(list(entity.guid.bytes)) for entity in entities]

        node = types.NodeEntitiesInfo(NAMESPACE, self._node_name, gids(readers), gids(writers))
        self._writer.write(self._message(gids([self._participant])[0], [node]))

    def namesakes(self) -> int:
        """How many other nodes have this node's name. Not thread-safe."""
        return self.others().count((NAMESPACE, self._node_name))

    @property
    def announced(self) -> int:
        """How many other participants announced nodes, by the last call of `others`."""
        return len(self._names)

    def others(self) -> list[tuple[str, str]]:
        """Namespace and name of every other node. Not thread-safe."""
        if self._reader is None:  # made only when somebody asks
            self._reader = DataReader(self._participant, self._topic, qos=self._qos(100))
        for sample in self._reader.take(1000):
            if not isinstance(sample, InvalidSample):
                names = [(node.node_namespace, node.node_name) for node in sample.node_entities_info_seq]
                self._names[sample.sample_info.publication_handle & HANDLE] = names
        here = {writer & HANDLE for writer in self._reader.matched_pub} - {self._writer.instance_handle & HANDLE}
        self._names = {writer: names for writer, names in self._names.items() if writer in here}
        return [name for names in self._names.values() for name in names]
