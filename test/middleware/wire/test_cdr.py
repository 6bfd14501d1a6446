"""Every message class against `rosbags`, which has ROS 2's definitions and a CDR of its own."""

import random
import struct

import numpy as np
import pytest
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from pose_regressor.middleware.wire import idl, rmw_dds_common, service_types
from pose_regressor.middleware.wire.definitions import ros2msg
from pose_regressor.types import InputError

SERVICES = {**service_types.LIFECYCLE, **service_types.PARAMETERS}.values()
MESSAGES = [
    *(kind for kind in vars(idl).values() if isinstance(kind, type)),
    rmw_dds_common.ParticipantEntitiesInfo,
    *(part for service in SERVICES for part in (service.request, service.response)),
]
RANGES = {  # `rosbags` takes a byte for a signed number
    "uint8": (0, 255),
    "byte": (0, 127),
    "int32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint64": (0, 2**64 - 1),
}
DTYPES = {**{name: name for name in (*RANGES, "float32", "float64", "bool")}, "byte": "uint8"}
SEED = range(20)


@pytest.fixture(scope="module")
def store():
    """ROS 2's own definitions; those that `rosbags` lacks are ours, whose hashes another test compares."""
    store = get_typestore(Stores.ROS2_JAZZY)
    for kind in MESSAGES:
        name = kind.ros_type.replace("/srv/", "/msg/")
        new = get_types_from_msg(ros2msg(kind), name)
        store.register({name: new[name] for name in new if name not in store.types})
    return store


def named_fields(kind):
    return [(field.name, field) for field in kind.fields]


def one(rng, element):
    if element in RANGES:
        return rng.randint(*RANGES[element])
    if element in ("float32", "float64"):
        return struct.unpack("<f", struct.pack("<f", rng.gauss(0, 100)))[0]
    if element == "bool":
        return rng.random() < 0.5
    if element == "string":
        return "".join(rng.choice("ab/_ä€") for _ in range(rng.randint(0, 9)))
    return random_message(rng, element)


def random_message(rng, kind):
    def value(kind):
        if not kind.many:
            return one(rng, kind.type)
        most = min(kind.length or 5, 5)
        return [one(rng, kind.type) for _ in range(kind.length if kind.many == "array" else rng.randint(0, most))]

    return kind(**{name: value(of) for name, of in named_fields(kind)})


def theirs(store, message):
    """The message as `rosbags` has it."""

    def convert(value, of):
        if of.many:
            if of.type in DTYPES:
                return np.array(value, DTYPES[of.type])
            return [theirs(store, v) if isinstance(of.type, type) else v for v in value]
        return theirs(store, value) if isinstance(of.type, type) else value

    kind = store.types[type(message).ros_type.replace("/srv/", "/msg/")]
    return kind(**{name: convert(getattr(message, name), of) for name, of in named_fields(type(message))})


def plain(message):
    """Without arrays, so that messages can be compared."""
    if isinstance(message, list):
        return [plain(m) for m in message]
    if isinstance(message, np.ndarray):
        return message.tolist()
    if not hasattr(message, "__dataclass_fields__"):
        return message
    return {name: plain(getattr(message, name)) for name, _ in named_fields(type(message))}


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.ros_type)
def test_written_and_read_as_another_implementation_does(store, kind):
    for seed in SEED:
        message = random_message(random.Random(seed), kind)
        name = kind.ros_type.replace("/srv/", "/msg/")
        other = theirs(store, message)
        little = bytes(store.serialize_cdr(other, name, little_endian=True))
        assert message.serialize() == little
        assert plain(kind.deserialize(little)) == plain(message)
        big = bytes(store.serialize_cdr(other, name, little_endian=False))
        assert plain(kind.deserialize(big)) == plain(message)


def an_image(height=3, width=5, frame_id="optical", encoding="rgb8"):
    pixels = np.arange(height * width * 3, dtype=np.uint8)
    return idl.Image(idl.Header(idl.Time(-5, 6), frame_id), height, width, encoding, 1, width * 3, pixels)


def a_compressed_image(frame_id="optical", text="jpeg"):
    return idl.CompressedImage(idl.Header(idl.Time(-5, 6), frame_id), text, np.arange(7, dtype=np.uint8))


def test_pixels_are_not_copied_when_read():
    raw = an_image().serialize()
    assert np.shares_memory(idl.Image.deserialize(raw).data, np.frombuffer(raw, np.uint8))


@pytest.mark.parametrize("data", [b"\1\2\3", [1, 2, 3], (1, 2, 3), np.array([1, 2, 3], np.uint8), bytearray(b"\1\2\3")])
def test_bytes_are_written_from_anything_that_holds_them(data):
    assert idl.Image.deserialize(idl.Image(data=data).serialize()).data.tolist() == [1, 2, 3]


def test_bounds_hold_in_both_directions():
    info = rmw_dds_common.NodeEntitiesInfo
    assert info.deserialize(info("/", "n" * 256).serialize()).node_name == "n" * 256
    with pytest.raises(ValueError, match="at most 256 characters, got 257"):
        info("/", "n" * 257).serialize()
    raw = info("/", "n" * 250).serialize()
    long = raw.replace(struct.pack("<I", 251), struct.pack("<I", 258)) + bytes(8)
    with pytest.raises(InputError, match="at most 256 characters, got 257"):
        info.deserialize(long)
    with pytest.raises(ValueError, match="expected 9 numbers, got 8"):
        idl.CameraInfo(k=[0.0] * 8).serialize()
    described = service_types.ParameterDescriptor
    with pytest.raises(ValueError, match="at most 1 values, got 2"):
        described(integer_range=[service_types.IntegerRange()] * 2).serialize()


@pytest.mark.parametrize("kind", [k for k in MESSAGES if k is not idl.MarkerArray], ids=lambda kind: kind.ros_type)
def test_no_cut_off_message_is_read(kind):
    raw = random_message(random.Random(0), kind).serialize()
    for end in range(len(raw)):
        with pytest.raises(InputError, match=f"expected a {kind.ros_type.replace('/msg/', '/')} in CDR"):
            kind.deserialize(raw[:end])


@pytest.mark.parametrize("raw", [b"", b"\x00\x01", b"\x00\x03" + bytes(80), b"\xff" * 100, bytes(100)])
def test_no_rubbish_is_read(raw):
    with pytest.raises(InputError, match="image: expected a sensor_msgs/Image in CDR"):
        idl.Image.deserialize(raw)


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.ros_type)
def test_random_bytes_never_do_more_than_raise(kind):
    rng = np.random.default_rng(0)
    good = np.frombuffer(random_message(random.Random(1), kind).serialize(), np.uint8)
    for _ in range(300):
        raw = good.copy()
        raw[rng.integers(0, min(60, len(raw)), 4)] = rng.integers(0, 256, 4)
        try:
            kind.deserialize(raw.tobytes())
        except InputError:
            continue
