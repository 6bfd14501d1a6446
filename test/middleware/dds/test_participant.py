import pytest

from pose_regressor.types import InputError

pytest.importorskip("cyclonedds")
from pose_regressor.middleware.dds.participant import MAX_DOMAIN, Listening, Participant, dds_topic
from pose_regressor.middleware.standalone.names import domain_id
from pose_regressor.middleware.wire import idl


@pytest.mark.parametrize(("text", "number"), [("", 0), ("0", 0), (" 42 ", 42), ("232", 232)])
def test_domain_id(text, number):
    assert domain_id(MAX_DOMAIN, {"ROS_DOMAIN_ID": text}) == number
    assert domain_id(MAX_DOMAIN, {}) == 0


@pytest.mark.parametrize("text", ["-1", "233", "1000", "one", "1.5", "0x10"])
def test_bad_domain_id(text):
    with pytest.raises(InputError, match=f"ROS_DOMAIN_ID: expected a whole number from 0 to 232, got '{text}'"):
        domain_id(MAX_DOMAIN, {"ROS_DOMAIN_ID": text})


@pytest.mark.parametrize(
    ("name", "topic"),
    [
        ("image", "rt/image"),
        ("/tf", "rt/tf"),
        ("/camera/image_raw", "rt/camera/image_raw"),
        ("~/overlay", "rt/pose_regressor/overlay"),
    ],
)
def test_topic_names(name, topic):
    assert dds_topic(name) == topic


@pytest.mark.parametrize("name", ["", "/", "image/", "a b", "~image", "1st", "/a//b"])
def test_bad_topic_names(name):
    with pytest.raises(InputError, match="expected a ROS 2 topic name"):
        dds_topic(name)


def test_namesakes(domain, until):
    """Eight times, for the handles that DDS gives are random, and half of them negative to some functions."""
    for _ in range(8):
        with Participant("one") as one, Participant("two") as two:
            for participant in (one, two):
                participant.writer("~/tf", idl.TFMessage, reliable=True, depth=1)
            assert one.namesakes() == two.namesakes() == 0
            with Participant("one") as other:
                other.writer("~/tf", idl.TFMessage, reliable=True, depth=1)
                until(lambda one=one: one.namesakes() == 1, "the other")
                until(lambda other=other: other.namesakes() == 1, "the first")
                assert two.namesakes() == 0
            until(lambda one=one: one.namesakes() == 0, "that it is alone again")


def test_what_is_removed_is_gone(domain, until):
    with Participant("one") as one, Participant("two") as two:
        writer = one.writer("image", idl.Image, reliable=True, depth=1)
        reader = two.reader("image", idl.Image, reliable=True, depth=1)
        until(lambda: writer.matched_sub, "the reader")
        two.remove(reader)
        until(lambda: not writer.matched_sub, "the reader to be gone")
        two.reader("image", idl.Image, reliable=True, depth=1)
        until(lambda: writer.matched_sub, "the next reader")


def test_a_writer_that_goes_away_is_no_message(domain, until, log):
    heard, bad = [], []
    with Participant("one") as one:
        reader = one.reader("image", idl.Image, reliable=True, depth=1)
        with Listening(one, {reader: heard.append}, log, lambda reader, error: bad.append(error)):
            for number in range(1, 4):
                with Participant("two") as two:
                    writer = two.writer("image", idl.Image, reliable=True, depth=1)
                    until(lambda writer=writer: writer.matched_sub, "the reader")
                    writer.write(idl.Image(width=number))
                    until(lambda number=number: len(heard) == number, "the image")
                until(lambda: not reader.matched_pub, "the writer to be gone")
    assert [image.width for image in heard] == [1, 2, 3]
    assert bad == []
