"""Messages written and read, against cyclonedds with message types of its own."""

import dataclasses

import numpy as np
import pytest

from pose_regressor.types import InputError

pytest.importorskip("cyclonedds")
import wire_peer

from pose_regressor.middleware.wire import idl


def an_image(height=3, width=5, frame_id="optical", encoding="rgb8"):
    pixels = np.arange(height * width * 3, dtype=np.uint8)
    return idl.Image(idl.Header(idl.Time(-5, 6), frame_id), height, width, encoding, 1, width * 3, pixels)


def a_compressed_image(frame_id="optical", text="jpeg"):
    return idl.CompressedImage(idl.Header(idl.Time(-5, 6), frame_id), text, np.arange(7, dtype=np.uint8))


def generated(image, **options):
    """What cyclonedds itself writes."""
    header = wire_peer.Header(wire_peer.Time(image.header.stamp.sec, image.header.stamp.nanosec), image.header.frame_id)
    rest = [getattr(image, field.name) for field in image.fields[1:-1]]
    return getattr(wire_peer, type(image).__name__)(header, *rest, image.data.tolist()).serialize(**options)


@pytest.mark.parametrize("frame_id", ["", "a", "ab", "abc", "abcd", "kamera_ä"])
@pytest.mark.parametrize("encoding", ["", "rgb8", "mono8", "bayer_rggb8"])
def test_image_is_written_as_cyclonedds_does(frame_id, encoding):
    image = an_image(frame_id=frame_id, encoding=encoding)
    assert image.serialize() == generated(image)


@pytest.mark.parametrize("frame_id", ["", "a", "ab", "abc", "abcd", "kamera_ä"])
@pytest.mark.parametrize("encoding", ["", "rgb8", "mono8", "bayer_rggb8"])
def test_image_is_read_as_cyclonedds_does(frame_id, encoding):
    image = an_image(frame_id=frame_id, encoding=encoding)
    read = idl.Image.deserialize(generated(image))
    np.testing.assert_array_equal(read.data, image.data)
    assert dataclasses.replace(read, data=[]) == dataclasses.replace(image, data=[])


@pytest.mark.parametrize("frame_id", ["", "a", "ab", "abc", "abcd", "kamera_ä"])
@pytest.mark.parametrize("text", ["", "png", "bgr8; jpeg compressed bgr8"])
def test_compressed_image_is_written_and_read_as_cyclonedds_does(frame_id, text):
    image = a_compressed_image(frame_id, text)
    raw = generated(image)
    assert image.serialize() == raw
    read = idl.CompressedImage.deserialize(raw)
    np.testing.assert_array_equal(read.data, image.data)
    assert dataclasses.replace(read, data=[]) == dataclasses.replace(image, data=[])


def test_image_from_a_big_endian_machine():
    from cyclonedds.idl._support import Endianness

    image = an_image()
    read = idl.Image.deserialize(generated(image, endianness=Endianness.Big))
    np.testing.assert_array_equal(read.data, image.data)
    assert (read.header, read.height, read.step) == (image.header, 3, 15)


def test_pixels_are_not_copied_when_read():
    raw = an_image().serialize()
    read = idl.Image.deserialize(raw)
    assert np.shares_memory(read.data, np.frombuffer(raw, np.uint8))


@pytest.mark.parametrize("image", [an_image(), a_compressed_image()], ids=lambda image: type(image).__name__)
def test_no_cut_off_image_is_read(image):
    raw = image.serialize()
    for end in range(len(raw)):
        with pytest.raises(InputError, match=f"expected a sensor_msgs/{type(image).__name__} in CDR"):
            type(image).deserialize(raw[:end])


@pytest.mark.parametrize("raw", [b"", b"\x00\x01", b"\x00\x03" + bytes(80), b"\xff" * 100, bytes(100)])
def test_no_rubbish_is_read(raw):
    with pytest.raises(InputError):
        idl.Image.deserialize(raw)


@pytest.mark.parametrize("image", [an_image(), a_compressed_image()], ids=lambda image: type(image).__name__)
def test_random_bytes_never_do_more_than_raise(image):
    rng = np.random.default_rng(0)
    good = np.frombuffer(image.serialize(), np.uint8)
    for _ in range(500):
        raw = good.copy()
        raw[rng.integers(0, min(60, len(raw)), 4)] = rng.integers(0, 256, 4)
        try:
            type(image).deserialize(raw.tobytes())
        except InputError:
            continue
