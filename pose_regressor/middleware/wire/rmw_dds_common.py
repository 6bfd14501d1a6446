"""The messages by which ROS 2 nodes (Iron and later) tell each other which endpoints are theirs."""

from pose_regressor.middleware.wire.message import message

Gid = message("rmw_dds_common/msg/Gid", "uint8[16] data")
NodeEntitiesInfo = message(
    "rmw_dds_common/msg/NodeEntitiesInfo",
    "string<=256 node_namespace",
    "string<=256 node_name",
    "Gid[] reader_gid_seq",
    "Gid[] writer_gid_seq",
)
ParticipantEntitiesInfo = message(
    "rmw_dds_common/msg/ParticipantEntitiesInfo", "Gid gid", "NodeEntitiesInfo[] node_entities_info_seq"
)
