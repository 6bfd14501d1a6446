"""The DDS types against ROS 2's: type hashes worked out from the classes, and the image's own (de)serialisation
against the one that cyclonedds generates."""

import dataclasses
import hashlib
import json
import re
import typing

import numpy as np
import pytest

from pose_regressor.types import InputError

pytest.importorskip("cyclonedds")
from cyclonedds.idl import IdlStruct, types

from pose_regressor.middleware.dds import idl

# type_description_interfaces/msg/FieldType: ids of single values; arrays and sequences lie 48 and 144 higher.
IDS = {"uint8": 3, "int32": 6, "uint32": 7, "float64": 11, bool: 15, str: 17}
NESTED, BOUNDED_STRING, ARRAY, SEQUENCE = 1, 21, 48, 144


def ros_name(message):
    return re.sub(r"(\w+)::msg::dds_::(\w+)_$", r"\1/msg/\2", message.__idl_typename__)


def describe(message, nested):
    """A type as REP-2016 describes it; the types it holds are added to `nested`."""

    def field_type(hint):
        capacity = string_capacity = shift = 0
        marks = typing.get_args(hint)[1:] if typing.get_origin(hint) is typing.Annotated else ()
        for mark in marks:
            if isinstance(mark, types.array):
                shift, capacity, hint = ARRAY, mark.length, mark.subtype
            elif isinstance(mark, types.sequence):
                shift, hint = SEQUENCE, mark.subtype
            elif isinstance(mark, types.bounded_str):
                return [BOUNDED_STRING, 0, mark.max_length, ""]
        inner = typing.get_args(hint)[1:] if typing.get_origin(hint) is typing.Annotated else ()
        if isinstance(hint, type) and issubclass(hint, IdlStruct):
            describe(hint, nested)
            return [shift + NESTED, capacity, string_capacity, ros_name(hint)]
        return [shift + IDS[inner[0] if inner else hint], capacity, string_capacity, ""]

    keys = ("type_id", "capacity", "string_capacity", "nested_type_name")
    hints = typing.get_type_hints(message, include_extras=True)
    fields = [
        {"name": field.name, "type": dict(zip(keys, field_type(hints[field.name]), strict=True))}
        for field in dataclasses.fields(message)
    ]
    nested[ros_name(message)] = {"type_name": ros_name(message), "fields": fields}
    return nested


@pytest.mark.parametrize(
    "message", [idl.Image, idl.CameraInfo, idl.TFMessage, idl.Detection3DArray], ids=lambda m: m.__name__
)
def test_type_hashes(message):
    """RIHS01: SHA-256 over the JSON of the description. Fields, their order and their types are thereby ROS 2's."""
    nested = describe(message, {})
    whole = {
        "type_description": nested.pop(ros_name(message)),
        "referenced_type_descriptions": [nested[name] for name in sorted(nested)],
    }
    digest = hashlib.sha256(json.dumps(whole).encode()).hexdigest()
    assert idl.TYPE_HASHES[message.__idl_typename__] == f"RIHS01_{digest}"


def an_image(height=3, width=5, frame_id="optical", encoding="rgb8"):
    pixels = np.arange(height * width * 3, dtype=np.uint8)
    return idl.Image(idl.Header(idl.Time(-5, 6), frame_id), height, width, encoding, 1, width * 3, pixels)


def generated(image):
    """What cyclonedds itself writes."""
    return IdlStruct.serialize(dataclasses.replace(image, data=image.data.tolist()))


@pytest.mark.parametrize("frame_id", ["", "a", "ab", "abc", "abcd", "kamera_ä"])
@pytest.mark.parametrize("encoding", ["", "rgb8", "mono8", "bayer_rggb8"])
def test_image_is_written_as_cyclonedds_does(frame_id, encoding):
    image = an_image(frame_id=frame_id, encoding=encoding)
    assert image.serialize(use_version_2=False) == generated(image)


@pytest.mark.parametrize("frame_id", ["", "a", "ab", "abc", "abcd", "kamera_ä"])
@pytest.mark.parametrize("encoding", ["", "rgb8", "mono8", "bayer_rggb8"])
def test_image_is_read_as_cyclonedds_does(frame_id, encoding):
    image = an_image(frame_id=frame_id, encoding=encoding)
    read = idl.Image.deserialize(generated(image))
    np.testing.assert_array_equal(read.data, image.data)
    assert dataclasses.replace(read, data=[]) == dataclasses.replace(image, data=[])


def test_image_from_a_big_endian_machine():
    from cyclonedds.idl._support import Endianness

    image = an_image()
    plain = dataclasses.replace(image, data=image.data.tolist())
    read = idl.Image.deserialize(IdlStruct.serialize(plain, endianness=Endianness.Big))
    np.testing.assert_array_equal(read.data, image.data)
    assert (read.header, read.height, read.step) == (image.header, 3, 15)


def test_pixels_are_not_copied_when_read():
    raw = an_image().serialize()
    read = idl.Image.deserialize(raw)
    assert np.shares_memory(read.data, np.frombuffer(raw, np.uint8))


def test_no_cut_off_image_is_read():
    raw = an_image().serialize()
    for end in range(len(raw)):
        with pytest.raises(InputError, match="expected a sensor_msgs/Image"):
            idl.Image.deserialize(raw[:end])


@pytest.mark.parametrize("raw", [b"", b"\x00\x01", b"\x00\x03" + bytes(80), b"\xff" * 100, bytes(100)])
def test_no_rubbish_is_read(raw):
    with pytest.raises(InputError):
        idl.Image.deserialize(raw)


def test_random_bytes_never_do_more_than_raise():
    rng = np.random.default_rng(0)
    good = np.frombuffer(an_image().serialize(), np.uint8)
    for _ in range(500):
        raw = good.copy()
        raw[rng.integers(0, 60, 4)] = rng.integers(0, 256, 4)
        try:
            idl.Image.deserialize(raw.tobytes())
        except InputError:
            continue
