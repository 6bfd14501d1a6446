"""Messages' definitions as rosbag2 writes them into a bag: the .msg text, and those of all messages within it."""

from __future__ import annotations

from pose_regressor.middleware.wire.message import Message

SEPARATOR = "=" * 80


def ros2msg(message: type[Message]) -> str:
    """The message's definition and those it depends on, without comments and constants."""
    nested: dict[str, str] = {}
    text = _fields(message, nested)
    return "".join((text, *(f"{SEPARATOR}\nMSG: {name}\n{nested[name]}" for name in nested)))


def _fields(message: type[Message], nested: dict[str, str]) -> str:
    text = ""
    for field in message.fields:
        text += f"{field.type_text} {field.name}\n"
        if not isinstance(field.type, str):
            name = field.type.ros_type.replace("/msg/", "/")
            if name not in nested:
                nested[name] = ""  # takes its place in the order before its own parts do
                nested[name] = _fields(field.type, nested)
    return text
