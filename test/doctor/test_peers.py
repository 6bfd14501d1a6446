"""What the doctor says of other implementations of DDS, from what was seen of them."""

import dataclasses

import pytest

from pose_regressor.doctor import Level

pytest.importorskip("cyclonedds")
from pose_regressor.doctor.network import check_images, check_info
from pose_regressor.doctor.peers import check_names, check_services
from pose_regressor.doctor.seen import CYCLONE_DDS, FAST_DDS, Endpoint, Seen
from pose_regressor.middleware.wire import idl
from pose_regressor.middleware.wire.type_hash import type_hash

IMAGE = Endpoint("/image", idl.Image.ros_type, True, False, type_hash(idl.Image), CYCLONE_DDS)
INFO = Endpoint("/info", idl.CameraInfo.ros_type, True, False, type_hash(idl.CameraInfo), CYCLONE_DDS)


def images(*publishers):
    return check_images(Seen(0, 3.0, publishers=list(publishers)), "/image", idl.Image.ros_type, False, None)


def test_fast_dds_gets_no_answers_from_services():
    seen = Seen(0, 3.0, 3, [FAST_DDS, CYCLONE_DDS, FAST_DDS])
    found = check_services(seen, over_dds=True)
    assert found.level == Level.WARN
    assert "2 of 3 other participants run over Fast DDS" in found.text
    assert "RMW_IMPLEMENTATION=rmw_cyclonedds_cpp" in found.advice
    assert check_services(seen, over_dds=False).level == Level.OK
    assert check_services(Seen(0, 3.0, 1, [CYCLONE_DDS]), over_dds=True).level == Level.OK


def test_a_silent_publisher_that_may_refuse_the_type():
    assert "<IgnoreTypeInformation>" in images(IMAGE).advice
    assert "config/fast_dds.xml" not in images(IMAGE).advice
    of_fast_dds = images(dataclasses.replace(IMAGE, vendor=FAST_DDS)).advice
    assert "<IgnoreTypeInformation>" not in of_fast_dds
    assert "export FASTDDS_DEFAULT_PROFILES_FILE=config/fast_dds.xml" in of_fast_dds
    _, found = check_info(Seen(0, 3.0, publishers=[INFO]), "/info", False, False)
    assert "<IgnoreTypeInformation>" in found.advice


@pytest.mark.parametrize(("other", "same"), [("RIHS01_00", False), ("", True), (IMAGE.type_hash, True)])
def test_another_definition_of_the_message(other, same):
    found = images(dataclasses.replace(IMAGE, type_hash=other))
    assert ("another definition" in found.text) != same
    assert "another definition" not in images(dataclasses.replace(IMAGE, type_hash=other), IMAGE).text


def test_participants_without_a_node():
    assert check_names(Seen(0, 3.0, nodes=["/a"])).text == "1 nodes, each name once"
    assert "2 participants announce no node" in check_names(Seen(0, 3.0, nodes=["/a"], unnamed=2)).text
