"""Messages' definitions as rosbag2 writes them into a bag: the .msg text, and those of all messages within it."""

# As in `wire.type_hash`.
# mypy: ignore-errors
import dataclasses
import typing
from typing import Any

from cyclonedds.idl import IdlStruct, types

from pose_regressor.middleware.wire.type_hash import marks, ros_name

SEPARATOR = "=" * 80
NAMES = {str: "string", bool: "bool"}


def ros2msg(message: type[IdlStruct]) -> str:
    """The message's definition and those it depends on, without comments and constants."""
    nested: dict[str, str] = {}
    text = _fields(message, nested)
    return "".join((text, *(f"{SEPARATOR}\nMSG: {name}\n{nested[name]}" for name in nested)))


def _fields(message: type[IdlStruct], nested: dict[str, str]) -> str:
    hints = typing.get_type_hints(message, include_extras=True)
    return "".join(f"{_type(hints[f.name], nested)} {f.name}\n" for f in dataclasses.fields(message))


def _type(hint: Any, nested: dict[str, str]) -> str:
    suffix = ""
    for mark in marks(hint):
        if isinstance(mark, types.array):
            suffix, hint = f"[{mark.length}]", mark.subtype
        elif isinstance(mark, types.sequence):
            suffix, hint = "[]", mark.subtype
    if isinstance(hint, type) and issubclass(hint, IdlStruct):
        name = ros_name(hint).replace("/msg/", "/")
        if name not in nested:
            nested[name] = ""  # takes its place in the order before its own parts do
            nested[name] = _fields(hint, nested)
        return name + suffix
    name = next(iter(marks(hint)), hint)
    return NAMES.get(name, name) + suffix
