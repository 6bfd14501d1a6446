"""ROS 2's hashes of types (REP-2016), computed from the message classes. Peers compare them with their own."""

from __future__ import annotations

import functools
import hashlib
import json
from typing import Any

from pose_regressor.middleware.wire.fields import FieldType, fields
from pose_regressor.middleware.wire.message import Message

#: Ids of single values, from type_description_interfaces/msg/FieldType.
SINGLE = {
    "uint8": 3,
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
#: Added to the id of a single value for an array or a sequence of such values.
ARRAY, BOUNDED_SEQUENCE, SEQUENCE = 48, 96, 144


@functools.cache
def type_hash(message: type[Message]) -> str:
    """RIHS01: the SHA-256 of a JSON text that describes the type and all types within it."""
    nested: dict[str, Any] = {}
    _describe(message, nested)
    whole = {
        "type_description": nested.pop(message.ros_name),
        "referenced_type_descriptions": [nested[name] for name in sorted(nested)],
    }
    return f"RIHS01_{hashlib.sha256(json.dumps(whole).encode()).hexdigest()}"


def _describe(message: Any, nested: dict[str, Any]) -> None:
    described = [{"name": name, "type": _field_type(kind, nested)} for name, kind in fields(message)]
    nested[message.ros_name] = {"type_name": message.ros_name, "fields": described}


def _field_type(kind: FieldType, nested: dict[str, Any]) -> dict[str, Any]:
    if kind.element == "string" and kind.bound and not kind.many:
        return _type_of(BOUNDED_STRING, 0, kind.bound, "")
    several = {"array": ARRAY, "sequence": BOUNDED_SEQUENCE if kind.bound else SEQUENCE}
    shift = several[kind.many] if kind.many else 0
    if isinstance(kind.element, str):
        return _type_of(shift + SINGLE[kind.element], kind.bound, 0, "")
    _describe(kind.element, nested)
    return _type_of(shift + NESTED, kind.bound, 0, kind.element.ros_name)


def _type_of(type_id: int, capacity: int, string_capacity: int, nested_name: str) -> dict[str, Any]:
    return {
        "type_id": type_id,
        "capacity": capacity,
        "string_capacity": string_capacity,
        "nested_type_name": nested_name,
    }
