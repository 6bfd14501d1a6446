"""The messages of diagnostic_msgs."""

# The annotations are values, so there is no `from __future__ import annotations`, and mypy cannot read them.
# mypy: ignore-errors
from dataclasses import dataclass, field

from pose_regressor.middleware.wire.fields import byte, sequence
from pose_regressor.middleware.wire.geometry_msgs import Header
from pose_regressor.middleware.wire.message import Message


@dataclass
class KeyValue(Message, name="diagnostic_msgs/msg/KeyValue"):
    key: str = ""
    value: str = ""


@dataclass
class DiagnosticStatus(Message, name="diagnostic_msgs/msg/DiagnosticStatus"):
    level: byte = 0
    name: str = ""
    message: str = ""
    hardware_id: str = ""
    values: sequence[KeyValue] = field(default_factory=list)


@dataclass
class DiagnosticArray(Message, name="diagnostic_msgs/msg/DiagnosticArray"):
    header: Header = field(default_factory=Header)
    status: sequence[DiagnosticStatus] = field(default_factory=list)


def octet(value: int) -> int:
    """A number as the value of a field of type byte."""
    return int(value)
