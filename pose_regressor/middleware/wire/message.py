"""Message classes made of ROS 2's own definitions: the lines of a .msg file, without comments and constants.

A class is a dataclass with the fields in the file's order and ROS 2's defaults. It takes them as keywords, as in rclpy.
"""

from __future__ import annotations

import copy
import dataclasses
import re
from typing import Any, ClassVar

from pose_regressor.middleware.wire import cdr

NUMBERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64")
#: Default values of the types that are no messages.
DEFAULTS: dict[str, Any] = {"bool": False, "byte": 0, "string": ""} | {
    name: 0.0 if name.startswith("float") else 0 for name in NUMBERS
}
LINE = re.compile(
    r"(?P<type>[\w/]+)(<=(?P<longest>\d+))?(\[(?P<up_to><=)?(?P<length>\d*)\])? (?P<name>\w+)( (?P<default>\S+))?"
)
#: ROS 2 puts this field into a message that has none.
EMPTY = "uint8 structure_needs_at_least_one_member"
_CLASSES: dict[str, type[Message]] = {}


@dataclasses.dataclass(frozen=True)
class Field:
    """One line of a .msg file.

    name: of the field.
    type: of one value: a key of DEFAULTS, or a message class.
    length: number of values of an array; most values of a bounded sequence; 0 for any other.
    many: "" for one value, "array", or "sequence".
    longest: most characters of a bounded string; 0: not bounded.
    default: the field's value in a new message.
    """

    name: str
    type: str | type[Message]
    length: int
    many: str
    longest: int
    default: Any

    @property
    def type_text(self) -> str:
        """The type as the .msg file has it, with the package of a message."""
        text = self.type if isinstance(self.type, str) else self.type.ros_type.replace("/msg/", "/")
        bound = f"<={self.longest}" if self.longest else ""
        shown = {"": "", "array": f"[{self.length}]", "sequence": f"[<={self.length}]" if self.length else "[]"}
        return text + bound + shown[self.many]


class Message:
    """A message of ROS 2.

    ros_type: as sensor_msgs/msg/Image.
    fields: in the order of the .msg file.
    """

    ros_type: ClassVar[str]
    fields: ClassVar[tuple[Field, ...]]

    def serialize(self) -> bytes:
        """The message in little-endian plain CDR (XCDR1), with its encapsulation header.

        struct.error: a number does not fit into its field. ValueError: a value is too long for its field.
        """
        return cdr.serialize(self)

    @classmethod
    def deserialize(cls, data: bytes) -> Any:
        """The message in plain CDR of either byte order. Sequences of bytes are views of `data`: nothing is copied.

        InputError: these bytes are no such message.
        """
        return cdr.deserialize(cls, data)


def message(ros_type: str, *lines: str) -> Any:
    """A new class. ros_type: as sensor_msgs/msg/Image; lines: its definition, of messages that were made before."""
    fields = tuple(_field(line, ros_type.partition("/")[0]) for line in lines or (EMPTY,))
    made = dataclasses.make_dataclass(
        ros_type.rpartition("/")[2],
        [(f.name, Any, dataclasses.field(default_factory=_factory(f))) for f in fields],
        bases=(Message,),
        namespace={"ros_type": ros_type, "fields": fields},
    )
    _CLASSES[ros_type] = made
    return made


def _field(line: str, package: str) -> Field:
    found = LINE.fullmatch(line)
    if found is None:
        raise ValueError(f"no line of a .msg file: {line!r}")
    name = found["type"]
    kind: str | type[Message]
    if name in DEFAULTS:
        kind, default = name, DEFAULTS[name]
        if found["default"]:
            default = type(default)(found["default"])
    else:
        kind = _CLASSES["{}/msg/{}".format(*(name.split("/") if "/" in name else (package, name)))]
        default = None
    many = "" if found["length"] is None else "array" if found["length"] and not found["up_to"] else "sequence"
    if many:
        default = [DEFAULTS[name]] * int(found["length"]) if many == "array" else []
    return Field(found["name"], kind, int(found["length"] or 0), many, int(found["longest"] or 0), default)


def _factory(field: Field) -> Any:
    if not field.many and not isinstance(field.type, str):
        return field.type
    return lambda: copy.copy(field.default)
