"""The base of the message classes. They are dataclasses, whose fields have the types of `fields`:

@dataclass
class CameraInfo(Message, name="sensor_msgs/msg/CameraInfo", words="camera info"):
    header: Header = field(default_factory=Header)
    height: uint32 = 0
    d: sequence[float64] = field(default_factory=list)
    k: array[float64, 9] = field(default_factory=lambda: [0.0] * 9)
"""

from __future__ import annotations

import types
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from pose_regressor.middleware.wire import cdr
from pose_regressor.types import InputError

Self = TypeVar("Self", bound="Message")


class Message:
    """A ROS 2 message, as CDR and as Python's fields.

    ros_name: its type, as sensor_msgs/msg/Image.
    words: what error messages call it.
    """

    ros_name: ClassVar[str] = ""
    words: ClassVar[str] = "message"

    def __init_subclass__(cls, *, name: str = "", words: str = "") -> None:
        super().__init_subclass__()
        cls.ros_name = name or cls.ros_name
        cls.words = words or cls.words

    def serialize(self) -> bytes:
        """The message in little-endian plain CDR (XCDR1), with its encapsulation header."""
        return cdr.serialize(self)

    @classmethod
    def deserialize(cls: type[Self], data: bytes) -> Self:
        """The message in `data`: plain CDR with its encapsulation header, in either byte order.

        Fields of type sequence[uint8] are views of `data`, not copies. InputError: `data` is something else.
        """
        try:
            message: Self = cdr.deserialize(cls, data)
        except cdr.BROKEN as error:
            expected = f"expected a {cls.ros_name.replace('/msg/', '/')} in CDR"
            raise InputError(f"{cls.words}: {expected}", f"got other bytes ({error})") from None
        return message


def message_class(name: str, fields: dict[str, Any]) -> type[Message]:
    """A message class without defaults. name: its ROS 2 type; fields: the type of each."""
    short, options = name.rpartition("/")[2], {"name": name}
    made: Any = types.new_class(short, (Message,), options, lambda body: body.update(__annotations__=fields))
    found: type[Message] = dataclass(made)
    return found
