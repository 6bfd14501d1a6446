"""The .msg files of our message types, without comments and constants."""

from __future__ import annotations

from pose_regressor.middleware.wire.message import Message

SEPARATOR = "=" * 80


def msg_files(message: type[Message]) -> dict[str, str]:
    """The text of the message's .msg file and those of all messages within it, by names like geometry_msgs/Pose.

    The message itself comes first.
    """
    files: dict[str, str] = {}
    _add(message, files)
    return files


def ros2msg(message: type[Message]) -> str:
    """All that `msg_files` gives as one text, as rosbag2 writes it into a bag."""
    (_, text), *nested = msg_files(message).items()
    return "".join((text, *(f"{SEPARATOR}\nMSG: {name}\n{definition}" for name, definition in nested)))


def _add(message: type[Message], files: dict[str, str]) -> None:
    name = message.ros_type.replace("/msg/", "/")
    if name in files:
        return
    files[name] = ""  # takes its place in the order before its own parts do
    for field in message.fields:
        if not isinstance(field.type, str):
            _add(field.type, files)
    files[name] = "".join(f"{field.type_text} {field.name}\n" for field in message.fields)
