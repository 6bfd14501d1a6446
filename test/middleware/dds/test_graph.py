"""The node in the eyes of ROS 2's graph."""

import re

import pytest

pytest.importorskip("cyclonedds")
from cyclonedds.builtin import BuiltinDataReader, BuiltinTopicDcpsParticipant
from cyclonedds.qos import Policy

SERVICES = 9  # three of the lifecycle, six of the parameters


def test_seen_as_a_node_of_ros_2(start_dds, peer, wire, until):
    """What `ros2 node list` and `ros2 topic list` go by."""
    start_dds()
    peer.match()
    others = [
        *(peer.overlay_reader(), peer.diagnostics_reader()),
        peer.reader("rt/pose_regressor/markers", wire.MarkerArray),
    ]
    until(lambda: all(other.matched_pub for other in others), "the node's other writers")
    reader = peer.reader("ros_discovery_info", wire.ParticipantEntities, wire.DISCOVERY_QOS)

    def complete(sample):
        return len(sample.node_entities_info_seq[0].reader_gid_seq) == 2 + SERVICES

    info = until(lambda: next(filter(complete, reader.take(10)), None), "the node's readers in ros_discovery_info")
    (node,) = info.node_entities_info_seq
    assert (node.node_namespace, node.node_name) == ("/", "pose_regressor")
    endpoints = [
        reader.get_matched_publication_data(reader.matched_pub[0]) for reader in (peer.tf, peer.detections, *others)
    ]
    assert len(node.writer_gid_seq) == len(endpoints) + SERVICES
    assert {bytes(gid.data) for gid in node.writer_gid_seq} > {e.key.bytes for e in endpoints}
    for endpoint in endpoints:
        assert re.fullmatch(rb"typehash=RIHS01_[0-9a-f]{64};", endpoint.qos[Policy.Userdata].data)
        assert bytes(info.gid.data) == endpoint.participant_key.bytes
    participants = BuiltinDataReader(peer.dds, BuiltinTopicDcpsParticipant).take(10)
    (own,) = (p for p in participants if p.key.bytes == bytes(info.gid.data))
    assert own.qos[Policy.Userdata].data == b"enclave=/;"
