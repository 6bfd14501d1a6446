"""ROS 2's hashes of types (REP-2016), computed from the definitions. Peers compare them with their own."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from typing import Any

from pose_regressor.middleware.wire.message import Field, Message

#: Ids of single values, from type_description_interfaces/msg/FieldType.
SINGLE = {
    "int8": 2,
    "uint8": 3,
    "int16": 4,
    "uint16": 5,
    "int32": 6,
    "uint32": 7,
    "int64": 8,
    "uint64": 9,
    "float32": 10,
    "float64": 11,
    "bool": 15,
    "byte": 16,
    "string": 17,
}
NESTED, BOUNDED_STRING = 1, 21
#: Added to the id of a single value for several of them: an array, a bounded sequence, a sequence.
ARRAY, BOUNDED_SEQUENCE, SEQUENCE = 48, 96, 144


def dds_type(message: type[Message]) -> str:
    """sensor_msgs/msg/Image -> sensor_msgs::msg::dds_::Image_"""
    return "{}::{}::dds_::{}_".format(*message.ros_type.split("/"))


def ros_type(name: str) -> str:
    """sensor_msgs::msg::dds_::Image_ -> sensor_msgs/msg/Image"""
    return re.sub(r"(\w+)::(msg|srv)::dds_::(\w+)_$", r"\1/\2/\3", name)


@functools.cache
def type_hash(message: type[Message]) -> str:
    """RIHS01: the SHA-256 of a JSON text that describes the type and all types within it."""
    nested: dict[str, Any] = {}
    _describe(message, nested)
    whole = {
        "type_description": nested.pop(message.ros_type),
        "referenced_type_descriptions": [nested[name] for name in sorted(nested)],
    }
    return f"RIHS01_{hashlib.sha256(json.dumps(whole).encode()).hexdigest()}"


def _describe(message: type[Message], nested: dict[str, Any]) -> None:
    fields = [{"name": field.name, "type": _field_type(field, nested)} for field in message.fields]
    nested[message.ros_type] = {"type_name": message.ros_type, "fields": fields}


def _field_type(field: Field, nested: dict[str, Any]) -> dict[str, Any]:
    name = ""
    if isinstance(field.type, str):
        single = BOUNDED_STRING if field.longest else SINGLE[field.type]
    else:
        single, name = NESTED, field.type.ros_type
        _describe(field.type, nested)
    several = {"": 0, "array": ARRAY, "sequence": BOUNDED_SEQUENCE if field.length else SEQUENCE}
    return {
        "type_id": single + several[field.many],
        "capacity": field.length,
        "string_capacity": field.longest,
        "nested_type_name": name,
    }
