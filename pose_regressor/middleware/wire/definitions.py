"""The .msg files of our message types, without comments and constants."""

# As in `wire.type_hash`.
# mypy: ignore-errors
import dataclasses
import typing
from typing import Any

from cyclonedds.idl import IdlStruct, types

from pose_regressor.middleware.wire.type_hash import marks, ros_name

SEPARATOR = "=" * 80
NAMES = {str: "string", bool: "bool"}


def msg_files(message: type[IdlStruct]) -> dict[str, str]:
    """The text of the message's .msg file and those of all messages within it, by names like geometry_msgs/Pose.

    The message itself comes first.
    """
    files: dict[str, str] = {}
    _type(message, files)
    return files


def ros2msg(message: type[IdlStruct]) -> str:
    """All that `msg_files` gives as one text, as rosbag2 writes it into a bag."""
    (_, text), *nested = msg_files(message).items()
    return "".join((text, *(f"{SEPARATOR}\nMSG: {name}\n{definition}" for name, definition in nested)))


def _fields(message: type[IdlStruct], files: dict[str, str]) -> str:
    hints = typing.get_type_hints(message, include_extras=True)
    return "".join(f"{_type(hints[f.name], files)} {f.name}\n" for f in dataclasses.fields(message))


def _type(hint: Any, files: dict[str, str]) -> str:
    suffix = ""
    for mark in marks(hint):
        if isinstance(mark, types.array):
            suffix, hint = f"[{mark.length}]", mark.subtype
        elif isinstance(mark, types.sequence):
            suffix, hint = "[]", mark.subtype
    if isinstance(hint, type) and issubclass(hint, IdlStruct):
        name = ros_name(hint).replace("/msg/", "/")
        if name not in files:
            files[name] = ""  # takes its place in the order before its own parts do
            files[name] = _fields(hint, files)
        return name + suffix
    name = next(iter(marks(hint)), hint)
    return NAMES.get(name, name) + suffix
