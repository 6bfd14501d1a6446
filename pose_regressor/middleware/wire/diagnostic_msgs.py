"""The messages of diagnostic_msgs."""

# cyclonedds reads the annotations as types, so there is no `from __future__ import annotations`. mypy takes its
# sequence[...] and array[...] for classes of their own.
# mypy: ignore-errors
from dataclasses import dataclass, field

from cyclonedds.idl import IdlStruct
from cyclonedds.idl.types import byte, sequence

from pose_regressor.middleware.wire.geometry_msgs import Header


@dataclass
class KeyValue(IdlStruct, typename="diagnostic_msgs::msg::dds_::KeyValue_"):
    key: str = ""
    value: str = ""


@dataclass
class DiagnosticStatus(IdlStruct, typename="diagnostic_msgs::msg::dds_::DiagnosticStatus_"):
    level: byte = 0
    name: str = ""
    message: str = ""
    hardware_id: str = ""
    values: sequence[KeyValue] = field(default_factory=list)


@dataclass
class DiagnosticArray(IdlStruct, typename="diagnostic_msgs::msg::dds_::DiagnosticArray_"):
    header: Header = field(default_factory=Header)
    status: sequence[DiagnosticStatus] = field(default_factory=list)


def octet(value: int) -> int:
    """A number as the value of a field of type byte."""
    return int(value)
