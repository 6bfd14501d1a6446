"""Messages' definitions as rosbag2 writes them into a bag: the .msg text, and those of all messages within it."""

from __future__ import annotations

from typing import Any

from pose_regressor.middleware.wire.fields import FieldType, fields
from pose_regressor.middleware.wire.message import Message

SEPARATOR = "=" * 80


def ros2msg(message: type[Message]) -> str:
    """The message's definition and those it depends on, without comments and constants."""
    nested: dict[str, str] = {}
    text = _fields(message, nested)
    return "".join((text, *(f"{SEPARATOR}\nMSG: {name}\n{nested[name]}" for name in nested)))


def _fields(message: Any, nested: dict[str, str]) -> str:
    return "".join(f"{_type(kind, nested)} {name}\n" for name, kind in fields(message))


def _type(kind: FieldType, nested: dict[str, str]) -> str:
    bound = str(kind.bound) if kind.many == "array" else f"<={kind.bound}" if kind.bound else ""
    suffix = f"[{bound}]" if kind.many else bound
    if isinstance(kind.element, str):
        return kind.element + suffix
    name = kind.element.ros_name.replace("/msg/", "/")
    if name not in nested:
        nested[name] = ""  # takes its place in the order before its own parts do
        nested[name] = _fields(kind.element, nested)
    return name + suffix
