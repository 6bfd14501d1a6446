"""What Cyclone DDS needs to know of a message: a class with its type. `wire` writes and reads the samples.

Peers compare the types with their own, so they are announced as rmw_cyclonedds announces them: a `byte` is a uint8.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from cyclonedds.idl import IdlStruct, make_idl_struct
from cyclonedds.idl import types as cyclone_types
from cyclonedds.pub import DataWriter

from pose_regressor.middleware.wire.message import Field, Message
from pose_regressor.middleware.wire.type_hash import dds_type
from pose_regressor.types import InputError

Body = TypeVar("Body")
HEADER = 4  # bytes of CDR's encapsulation header
types: Any = cyclone_types  # mypy takes its sequence[...] for a class of its own
#: The fields' types that Cyclone does not call as ROS 2 does.
CYCLONES: dict[str, Any] = {"bool": bool, "string": str, "byte": types.uint8}
#: The fields of a Call on the wire, before those of its body.
CALL = {"guid": types.uint64, "sequence_number": types.int64}


@dataclass
class Call(Generic[Body]):
    """A request or a response of a service, as rmw_cyclonedds writes it.

    guid, sequence_number: which request of which client it is; a response repeats those of its request.
    body: the message.
    """

    guid: int
    sequence_number: int
    body: Body


class Writer(DataWriter[Any]):
    """Writes messages, or Calls on the topic of a service."""

    def write(self, sample: Any, *rest: Any) -> None:
        super().write(self.data_type(_payload(sample)), *rest)


class DdsPublisher:
    """A `Publisher` on a participant. close: takes its writer away."""

    def __init__(self, writer: Writer, close: Callable[[], object]) -> None:
        self._writer, self._close = writer, close

    def publish(self, message: Any, /) -> None:
        self._writer.write(message)

    def subscribers(self) -> int:
        return len(self._writer.matched_sub)

    def close(self) -> None:
        self._close()


@functools.cache
def sample_type(message: type[Message], is_call: bool = False) -> type[IdlStruct]:
    """The class for a topic of messages, or of Calls with such a body."""
    read = functools.partial(_call, message) if is_call else message.deserialize

    def create(self: Any, payload: bytes) -> None:
        self.payload = payload

    made: Any = _announced(message, CALL if is_call else {})
    if is_call:
        _announce_minimal(made.__idl__, _announced(message, {}).__idl__)
    made.__init__ = create
    made.serialize = lambda self, *_, **__: self.payload
    made.deserialize = classmethod(lambda cls, data, *_, **__: read(data))
    made.deserialize_key = classmethod(lambda *_, **__: None)  # for the sample that says that a writer went away
    return made


def _announced(message: type[Message], before: Mapping[str, Any]) -> type[IdlStruct]:
    """before: fields that come before the message's own."""
    fields = {**before, **{field.name: _field_type(field) for field in message.fields}}
    return make_idl_struct(message.__name__, dds_type(message), fields, dataclassify=False)


def _announce_minimal(idl: Any, other: Any) -> None:
    """Makes the minimal half of a type's information that of another type.

    rmw_cyclonedds of ROS 2 Lyrical leaves the fields of CALL out of the type information of services. Cyclone DDS
    compares the minimal halves, and checks samples against its own complete half.
    """
    information = replace(idl.get_type_info(), minimal=other.get_type_info().minimal)
    pairs = other.get_type_mapping().identifier_object_pair_minimal
    mapping = replace(idl.get_type_mapping(), identifier_object_pair_minimal=pairs)
    # cyclonedds has no public way to set them. If these names change, only peers that compare types do not match.
    idl._xt_data = (information, mapping)
    idl._xt_bytedata = tuple(half.serialize(use_version_2=True)[HEADER:] for half in idl._xt_data)


@functools.cache
def _nested(message: type[Message]) -> type[IdlStruct]:
    return _announced(message, {})


def _field_type(field: Field) -> Any:
    one: Any = field.type
    if not isinstance(one, str):
        one = _nested(one)
    elif field.longest:
        one = types.bounded_str[field.longest]
    else:
        one = CYCLONES.get(one) or getattr(types, one)
    if field.many == "array":
        return types.array[one, field.length]
    if field.many:
        return types.sequence[one, field.length] if field.length else types.sequence[one]
    return one


def _payload(sample: Any) -> bytes:
    if not isinstance(sample, Call):
        return bytes(sample.serialize())
    whole = sample.body.serialize()  # 16 bytes more do not change any alignment
    return whole[:HEADER] + struct.pack("<Qq", sample.guid, sample.sequence_number) + whole[HEADER:]


def _call(message: type[Message], data: bytes) -> Call[Any]:
    try:
        guid, number = struct.unpack_from(("<" if data[1] else ">") + "Qq", data, HEADER)
    except (struct.error, IndexError) as error:
        raise InputError(f"service: expected a {message.ros_type} in CDR", f"got other bytes ({error})") from None
    return Call(guid, number, message.deserialize(data[:HEADER] + data[HEADER + 16 :]))
