"""The types of messages' fields, named as in .msg files."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Literal


@dataclasses.dataclass(frozen=True)
class FieldType:
    """The type of a field.

    element: the name of a single value's type, as float64 or string; or a message class.
    many: "array" or "sequence" if the field holds several of them.
    bound: the length of an array, or the greatest length of a sequence or string; 0: unbounded.
    """

    element: Any
    many: Literal["", "array", "sequence"] = ""
    bound: int = 0


byte, uint8, int32, uint32, int64, uint64, float32, float64 = (
    FieldType(name) for name in ("byte", "uint8", "int32", "uint32", "int64", "uint64", "float32", "float64")
)
#: Python's own types as types of fields.
BUILTIN = {str: FieldType("string"), bool: FieldType("bool")}


class sequence:
    """sequence[float64]; sequence[float64, 3]: at most three."""

    def __class_getitem__(cls, arguments: Any) -> FieldType:
        element, bound = arguments if isinstance(arguments, tuple) else (arguments, 0)
        return FieldType(field_type(element).element, "sequence", bound)


class array:
    """array[float64, 9]: exactly nine."""

    def __class_getitem__(cls, arguments: Any) -> FieldType:
        element, length = arguments
        return FieldType(field_type(element).element, "array", length)


class bounded_str:
    """bounded_str[256]: at most 256 bytes."""

    def __class_getitem__(cls, length: int) -> FieldType:
        return FieldType("string", bound=length)


def field_type(annotation: Any) -> FieldType:
    """The type that a field's annotation stands for."""
    if isinstance(annotation, FieldType):
        return annotation
    return BUILTIN.get(annotation) or FieldType(annotation)


@functools.cache
def fields(message: type) -> tuple[tuple[str, FieldType], ...]:
    """Name and type of each field of a message class, in the order of the .msg file."""
    return tuple((field.name, field_type(field.type)) for field in dataclasses.fields(message))
