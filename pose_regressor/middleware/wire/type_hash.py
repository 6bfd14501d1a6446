"""ROS 2's hashes of types (REP-2016), computed from the definitions. Peers compare them with their own."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from typing import Any

from pose_regressor.middleware.wire.message import Field, Message
from pose_regressor.middleware.wire.service_types import ServiceEventInfo, ServiceType

#: What ROS 2 Humble, which has no type hashes, puts in their place over Zenoh.
NO_HASH = "TypeHashNotSupported"
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


def dds_type(kind: type[Message] | ServiceType) -> str:
    """sensor_msgs/msg/Image -> sensor_msgs::msg::dds_::Image_"""
    return "{}::{}::dds_::{}_".format(*kind.ros_type.split("/"))


def ros_type(name: str) -> str:
    """sensor_msgs::msg::dds_::Image_ -> sensor_msgs/msg/Image"""
    return re.sub(r"(\w+)::(msg|srv)::dds_::(\w+)_$", r"\1/\2/\3", name)


@functools.cache
def type_hash(message: type[Message]) -> str:
    """RIHS01: the SHA-256 of a JSON text that describes the type and all types within it."""
    nested: dict[str, Any] = {}
    _describe(message, nested)
    return _hash(message.ros_type, nested)


@functools.cache
def service_hash(service: ServiceType) -> str:
    """RIHS01 of a service: of a type with its request, its response, and the event that tells of them."""
    nested: dict[str, Any] = {}
    event = f"{service.ros_type}_Event"
    inside = {
        "info": _field_type(_part("info", ServiceEventInfo), nested),
        "request": _field_type(_part("request", service.request, 1), nested),
        "response": _field_type(_part("response", service.response, 1), nested),
    }
    nested[event] = _description(event, inside)
    whole = {
        "request_message": _field_type(_part("request_message", service.request), nested),
        "response_message": _field_type(_part("response_message", service.response), nested),
        "event_message": {"type_id": NESTED, "capacity": 0, "string_capacity": 0, "nested_type_name": event},
    }
    nested[service.ros_type] = _description(service.ros_type, whole)
    return _hash(service.ros_type, nested)


def _hash(name: str, described: dict[str, Any]) -> str:
    """name: of the type; described: it and all types within it, by name."""
    rest = [described[other] for other in sorted(described) if other != name]
    whole = {"type_description": described[name], "referenced_type_descriptions": rest}
    return f"RIHS01_{hashlib.sha256(json.dumps(whole).encode()).hexdigest()}"


def _part(name: str, message: type[Message], most: int = 0) -> Field:
    """A field with a message; most: of a bounded sequence of them."""
    return Field(name, message, most, "sequence" if most else "", 0, None)


def _describe(message: type[Message], nested: dict[str, Any]) -> None:
    nested[message.ros_type] = _description(
        message.ros_type, {field.name: _field_type(field, nested) for field in message.fields}
    )


def _description(name: str, fields: dict[str, Any]) -> dict[str, Any]:
    """fields: the types of the fields by their names."""
    return {"type_name": name, "fields": [{"name": field, "type": kind} for field, kind in fields.items()]}


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
