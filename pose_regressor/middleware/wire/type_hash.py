"""ROS 2's hashes of types (REP-2016), computed from the IDL types. Peers compare them with their own."""

# The annotations that cyclonedds' sequence[...] and array[...] leave behind are known only at run time.
# mypy: ignore-errors
import dataclasses
import functools
import hashlib
import json
import re
import typing
from typing import Any

from cyclonedds.idl import IdlStruct, types

#: Ids of single values, from type_description_interfaces/msg/FieldType.
SINGLE = {
    "uint8": 3,
    "int32": 6,
    "uint32": 7,
    "int64": 8,
    "uint64": 9,
    "float32": 10,
    "float64": 11,
    bool: 15,
    "byte": 16,
    str: 17,
}
NESTED, BOUNDED_STRING = 1, 21
#: Added to the id of a single value for an array or a sequence of such values.
ARRAY, BOUNDED_SEQUENCE, SEQUENCE = 48, 96, 144
#: The first fields of a service's request and response, which are not part of the ROS type.
REQUEST_ID = ("guid", "sequence_number")


def ros_name(message: type[IdlStruct]) -> str:
    """The ROS 2 type of a message class, as sensor_msgs/msg/Image."""
    return ros_type(message.__idl_typename__)


def ros_type(name: str) -> str:
    """sensor_msgs::msg::dds_::Image_ -> sensor_msgs/msg/Image"""
    return re.sub(r"(\w+)::(msg|srv)::dds_::(\w+)_$", r"\1/\2/\3", name)


@functools.cache
def type_hash(message: type[IdlStruct]) -> str:
    """RIHS01: the SHA-256 of a JSON text that describes the type and all types within it."""
    nested: dict[str, Any] = {}
    _describe(message, nested)
    whole = {
        "type_description": nested.pop(ros_name(message)),
        "referenced_type_descriptions": [nested[name] for name in sorted(nested)],
    }
    return f"RIHS01_{hashlib.sha256(json.dumps(whole).encode()).hexdigest()}"


def _describe(message: type[IdlStruct], nested: dict[str, Any]) -> None:
    hints = typing.get_type_hints(message, include_extras=True)
    names = [field.name for field in dataclasses.fields(message) if field.name not in REQUEST_ID]
    fields = [{"name": name, "type": _field_type(hints[name], nested)} for name in names]
    nested[ros_name(message)] = {"type_name": ros_name(message), "fields": fields}


def _field_type(hint: Any, nested: dict[str, Any]) -> dict[str, Any]:
    shift = capacity = 0
    for mark in marks(hint):
        if isinstance(mark, types.bounded_str):
            return _type_of(BOUNDED_STRING, 0, mark.max_length, "")
        if isinstance(mark, types.array):
            shift, capacity, hint = ARRAY, mark.length, mark.subtype
        elif isinstance(mark, types.sequence):
            shift, capacity = BOUNDED_SEQUENCE if mark.max_length else SEQUENCE, mark.max_length or 0
            hint = mark.subtype
    if isinstance(hint, type) and issubclass(hint, IdlStruct):
        _describe(hint, nested)
        return _type_of(shift + NESTED, capacity, 0, ros_name(hint))
    name = next(iter(marks(hint)), hint)
    return _type_of(shift + SINGLE[name], capacity, 0, "")


def marks(hint: Any) -> tuple[Any, ...]:
    """What cyclonedds notes about a field's type: an array, a sequence, a bounded string or the name of a number."""
    return typing.get_args(hint)[1:] if typing.get_origin(hint) is typing.Annotated else ()


def _type_of(type_id: int, capacity: int, string_capacity: int, nested_name: str) -> dict[str, Any]:
    return {
        "type_id": type_id,
        "capacity": capacity,
        "string_capacity": string_capacity,
        "nested_type_name": nested_name,
    }
