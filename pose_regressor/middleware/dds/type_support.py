"""Message classes as cyclonedds needs them: IDL structs, which carry the types' information for other participants.

cyclonedds' own (de)serialisation loops over every byte in Python: 30 ms for a VGA image, 300 ms for 1080p. So these
classes leave it to the messages themselves, by the hooks `serialize` and `deserialize`.
"""

from __future__ import annotations

import functools
import re
from dataclasses import replace
from typing import Any

from cyclonedds.idl import IdlStruct, make_idl_struct, types
from cyclonedds.pub import DataWriter

from pose_regressor.middleware.wire.cdr import HEADER
from pose_regressor.middleware.wire.fields import FieldType, fields, int64, uint64
from pose_regressor.middleware.wire.message import Message, message_class

#: rmw announces byte as uint8.
NUMBERS = {name: getattr(types, name) for name in ("uint8", "int32", "uint32", "int64", "uint64", "float32", "float64")}
#: Their stubs do not say that they can be indexed.
GENERIC: Any = types
SINGLE = {**NUMBERS, "byte": types.uint8, "bool": bool, "string": str}


class Carrier:
    """What cyclonedds writes for a message. Reading returns the message itself.

    `dds_type` makes the subclasses. To cyclonedds they are IDL structs, since they have the `__idl__` of one.
    """

    __idl__: Any

    message = Message

    def __init__(self, carried: Message) -> None:
        if not isinstance(carried, self.message):
            raise TypeError(f"expected a {self.message.ros_name}, got {carried!r:.200}")
        self._carried = carried

    def serialize(self, buffer: Any = None, endianness: Any = None, use_version_2: bool | None = None) -> bytes:
        """The arguments are ignored: the writers here offer no other encoding."""
        return self._carried.serialize()

    @classmethod
    def deserialize(cls, data: bytes, has_header: bool = True, use_version_2: bool | None = None) -> Any:
        return cls.message.deserialize(data)

    @classmethod
    def deserialize_key(cls, data: bytes, has_header: bool = True, use_version_2: bool | None = None) -> Any:
        """ROS 2's types have no keys."""


class Writer(DataWriter[Any]):
    """A writer of messages."""

    def write(self, sample: Message, timestamp: int | None = None) -> None:
        super().write(self.data_type(sample), timestamp)


@functools.cache
def dds_type(message: Any) -> Any:
    """The class by which cyclonedds knows the message: a subclass of Carrier."""
    return type(message.__name__, (Carrier,), {"message": message, "__idl__": idl_struct(message).__idl__})


@functools.cache
def idl_struct(message: Any) -> type[IdlStruct]:
    """The message's type in cyclonedds' own terms. It has the fields and nothing else: a base would be announced."""
    return make_idl_struct(
        message.__name__,
        dds_name(message.ros_name),
        {name: _idl(kind) for name, kind in fields(message)},
        dataclassify=False,
    )


def _idl(kind: FieldType) -> Any:
    if kind.element == "string" and kind.bound and not kind.many:
        return GENERIC.bounded_str[kind.bound]
    element = SINGLE[kind.element] if isinstance(kind.element, str) else idl_struct(kind.element)
    if kind.many == "array":
        return GENERIC.array[element, kind.bound]
    if kind.many == "sequence":
        return GENERIC.sequence[element, kind.bound] if kind.bound else GENERIC.sequence[element]
    return element


@functools.cache
def service_type(message: Any) -> Any:
    """The class by which cyclonedds knows a service's request or response: a subclass of Carrier.

    As rmw_cyclonedds writes them, their messages begin with the client's `guid` and the request's `sequence_number`.
    """
    own: dict[str, Any] = {"guid": uint64, "sequence_number": int64}
    whole: Any = message_class(message.ros_name, {**own, **dict(fields(message))})
    idl = idl_struct(whole).__idl__
    _announce_minimal(idl, idl_struct(message).__idl__)
    return type(whole.__name__, (Carrier,), {"message": whole, "__idl__": idl})


def _announce_minimal(idl: Any, other: Any) -> None:
    """Makes the minimal half of a type's information that of another type.

    The type information of rmw_cyclonedds (4.1 on) leaves out the first two fields of requests and responses. Cyclone
    DDS compares the minimal halves where both sides have one, and the fields of samples with its own complete half.
    """
    information = replace(idl.get_type_info(), minimal=other.get_type_info().minimal)
    pairs = other.get_type_mapping().identifier_object_pair_minimal
    mapping = replace(idl.get_type_mapping(), identifier_object_pair_minimal=pairs)
    # cyclonedds has no public way to set it. Without it, only peers that compare types fail to match.
    idl._xt_data = (information, mapping)
    idl._xt_bytedata = tuple(part.serialize(use_version_2=True)[len(HEADER) :] for part in idl._xt_data)


def dds_name(ros_type: str) -> str:
    """sensor_msgs/msg/Image -> sensor_msgs::msg::dds_::Image_"""
    return re.sub(r"(\w+)/(msg|srv)/(\w+)$", r"\1::\2::dds_::\3_", ros_type)


def ros_name(dds_type: str) -> str:
    """sensor_msgs::msg::dds_::Image_ -> sensor_msgs/msg/Image"""
    return re.sub(r"(\w+)::(msg|srv)::dds_::(\w+)_$", r"\1/\2/\3", dds_type)
