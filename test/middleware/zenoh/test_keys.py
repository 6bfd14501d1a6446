"""Names on the wire, against the examples of rmw_zenoh's docs/design.md and against ROS 2's own files of hashes."""

import struct

import pytest

from pose_regressor.middleware.wire.message import message
from pose_regressor.middleware.wire.service_types import LIFECYCLE, PARAMETERS
from pose_regressor.middleware.wire.type_hash import service_hash
from pose_regressor.middleware.zenoh.keys import (
    CLIENT,
    NODE,
    PUBLISHER,
    SERVICE,
    SUBSCRIPTION,
    Entity,
    Qos,
    Topic,
    attachment,
    entity_from_token,
    qos_from_text,
    read_attachment,
    topic_of,
)

STRING = "RIHS01_df668c740482bbd48fb39d76a70dfd4bd59db1288021743503259e948f6b1a18"
ADD = "RIHS01_e118de6bf5eeb66a2491b5bda11202e7b68f198d6f67922cf30364858239c81a"
CHATTER = Topic("/chatter", "std_msgs::msg::dds_::String_", STRING)
SUM = Topic("/add_two_ints", "example_interfaces::srv::dds_::AddTwoInts_", ADD)
#: As in /opt/ros/jazzy/share/*/srv/*.json.
HASHES = {
    "change_state": "356fe34f0475a43acf54542013af4167b0e729f77ea22ffb045c6ad8e20668e5",
    "get_state": "800a0a5aae599782b02932de0caf563f6dc4e7e94b794eadde075ba2cbef9795",
    "get_available_transitions": "59b7ecefce0982a8a844b9f2c4f14764c1c4543cc55e72924e2aa4adad83e9bc",
    "describe_parameters": "845b484d71eb0673dae682f2e3ba3c4851a65a3dcfb97bddd82c5b57e91e4cff",
    "get_parameters": "bf9803d5c74cf989a5de3e0c2e99444599a627c7ff75f97b8c05b01003675cbc",
    "get_parameter_types": "da199c878688b3e530bdfe3ca8f74cb9fa0c303101e980a9e8f260e25e1c80ca",
    "list_parameters": "3e6062bfbb27bfb8730d4cef2558221f51a11646d78e7bb30a1e83afac3aad9d",
    "set_parameters": "56eed9a67e169f9cb6c1f987bc88f868c14a8fc9f743a263bc734c154015d7e0",
    "set_parameters_atomically": "0e192ef259c07fc3c07a13191d27002222e65e00ccec653ca05e856f79285fcd",
}
TOKENS = {
    "@ros2_lv/2/aac3178e146ba6f1fc6e6a4085e77f21/0/0/NN/%/%/listener": (NODE, "listener", None, None),
    f"@ros2_lv/2/8b20917502ee955ac4476e0266340d5c/0/10/MP/%/%/talker/%chatter/std_msgs::msg::dds_::String_/{STRING}/"
    "::,7:,:,:,,": (PUBLISHER, "talker", CHATTER, Qos(depth=7)),
    f"@ros2_lv/2/aac3178e146ba6f1fc6e6a4085e77f21/0/10/MS/%/%/listener/%chatter/std_msgs::msg::dds_::String_/{STRING}/"
    "::,10:,:,:,,": (SUBSCRIPTION, "listener", CHATTER, Qos()),
    "@ros2_lv/2/f9980ee0495eaafb3e38f0d19e2eae12/0/10/SS/%/%/add_two_ints_server/%add_two_ints/"
    f"example_interfaces::srv::dds_::AddTwoInts_/{ADD}/::,10:,:,:,,": (SERVICE, "add_two_ints_server", SUM, Qos()),
    "@ros2_lv/2/e1dc8d1b45ae8717fce78689cc655685/0/10/SC/%/%/add_two_ints_client/%add_two_ints/"
    f"example_interfaces::srv::dds_::AddTwoInts_/{ADD}/::,10:,:,:,,": (CLIENT, "add_two_ints_client", SUM, Qos()),
}


def test_where_messages_are():
    assert topic_of("/chatter", message("std_msgs/msg/String", "string data")) == CHATTER
    assert CHATTER.key(0) == f"0/chatter/std_msgs::msg::dds_::String_/{STRING}"
    named = Topic("/robot1/chatter", CHATTER.type, CHATTER.hash)
    assert named.key(0) == f"0/robot1/chatter/std_msgs::msg::dds_::String_/{STRING}"
    assert SUM.key(2) == f"2/add_two_ints/example_interfaces::srv::dds_::AddTwoInts_/{ADD}"


@pytest.mark.parametrize("token", TOKENS)
def test_tokens_of_the_design_document(token):
    entity = entity_from_token(token)
    assert (entity.kind, entity.node_name, entity.topic, entity.qos) == TOKENS[token]
    assert (entity.domain, entity.namespace, entity.full_node_name) == (2, "/", f"/{entity.node_name}")
    assert entity.token() == token
    assert len(entity.gid()) == 16


def test_names_with_slashes():
    topic = Topic("/arm/camera/image", "sensor_msgs::msg::dds_::Image_", "RIHS01_00")
    entity = Entity(0, "ab", 0, 3, SUBSCRIPTION, "/arm/left", "camera", topic, Qos())
    assert "/MS/%/%arm%left/camera/%arm%camera%image/sensor_msgs" in entity.token()
    assert entity_from_token(entity.token()) == entity
    assert entity.full_node_name == "/arm/left/camera"


@pytest.mark.parametrize(
    ("text", "qos"),
    [
        ("::,10:,:,:,,", Qos()),
        ("2::,5:,:,:,,", Qos(False, False, 5)),
        (":1:,100:,:,:,,", Qos(True, True, 100)),
        ("::,:,:,:,,", Qos(True, False, 42)),
    ],
)
def test_qualities_of_service(text, qos):
    assert qos_from_text(text) == qos
    assert qos.text() == text


def test_a_token_of_a_newer_version():
    """Chunks behind the QoS are passed over."""
    token = f"@ros2_lv/0/ab/0/1/MP/%/%/talker/%chatter/std_msgs::msg::dds_::String_/{STRING}/::,7:,:,:,,/cpu:"
    assert entity_from_token(token).qos == Qos(depth=7)


@pytest.mark.parametrize(
    "token",
    [
        "@ros2_lv/0/ab",
        "@other/0/ab/0/0/NN/%/%/listener",
        "@ros2_lv/zero/ab/0/0/NN/%/%/listener",
        "@ros2_lv/0/ab/0/0/XX/%/%/listener/%a/b/c/::,7:,:,:,,",
        "@ros2_lv/0/ab/0/1/MP/%/%/talker/%chatter/std_msgs::msg::dds_::String_",
        "@ros2_lv/0/ab/0/1/MP/%/%/talker/%chatter/std_msgs::msg::dds_::String_/hash/qos",
    ],
)
def test_no_tokens(token):
    with pytest.raises(ValueError):
        entity_from_token(token)


def test_attachments():
    gid = bytes(range(16))
    data = attachment(7, 1_700_000_000_000_000_005, gid)
    assert data == struct.pack("<q", 7) + struct.pack("<q", 1_700_000_000_000_000_005) + b"\x10" + gid
    assert len(data) == 33
    assert read_attachment(data) == (7, 1_700_000_000_000_000_005, gid)
    for bad in (b"", data[:-1], data + b"x", data[:16] + b"\x0f" + data[17:]):
        with pytest.raises(ValueError, match="expected an attachment of 33 bytes"):
            read_attachment(bad)


@pytest.mark.parametrize("name", HASHES)
def test_hashes_of_services(name):
    assert service_hash({**LIFECYCLE, **PARAMETERS}[name]) == f"RIHS01_{HASHES[name]}"
