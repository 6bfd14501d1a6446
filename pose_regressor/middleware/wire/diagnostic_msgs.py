"""The messages of diagnostic_msgs."""

from pose_regressor.middleware.wire import geometry_msgs  # noqa: F401  (defines what these are made of)
from pose_regressor.middleware.wire.message import message

KeyValue = message("diagnostic_msgs/msg/KeyValue", "string key", "string value")
DiagnosticStatus = message(
    "diagnostic_msgs/msg/DiagnosticStatus",
    "byte level",
    "string name",
    "string message",
    "string hardware_id",
    "KeyValue[] values",
)
DiagnosticArray = message("diagnostic_msgs/msg/DiagnosticArray", "std_msgs/Header header", "DiagnosticStatus[] status")


def octet(value: int) -> int:
    """A number as the value of a field of type byte."""
    return int(value)
