"""The services of a managed node and of its parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pose_regressor.middleware.wire import geometry_msgs  # noqa: F401 - it defines builtin_interfaces/Time
from pose_regressor.middleware.wire.message import Message, message

State = message("lifecycle_msgs/msg/State", "uint8 id", "string label")
Transition = message("lifecycle_msgs/msg/Transition", "uint8 id", "string label")
TransitionDescription = message(
    "lifecycle_msgs/msg/TransitionDescription", "Transition transition", "State start_state", "State goal_state"
)
ParameterValue = message(
    "rcl_interfaces/msg/ParameterValue",
    "uint8 type",
    "bool bool_value",
    "int64 integer_value",
    "float64 double_value",
    "string string_value",
    "byte[] byte_array_value",
    "bool[] bool_array_value",
    "int64[] integer_array_value",
    "float64[] double_array_value",
    "string[] string_array_value",
)
Parameter = message("rcl_interfaces/msg/Parameter", "string name", "ParameterValue value")
SetParametersResult = message("rcl_interfaces/msg/SetParametersResult", "bool successful", "string reason")
ListParametersResult = message("rcl_interfaces/msg/ListParametersResult", "string[] names", "string[] prefixes")
FloatingPointRange = message(
    "rcl_interfaces/msg/FloatingPointRange", "float64 from_value", "float64 to_value", "float64 step"
)
IntegerRange = message("rcl_interfaces/msg/IntegerRange", "int64 from_value", "int64 to_value", "uint64 step")
ParameterDescriptor = message(
    "rcl_interfaces/msg/ParameterDescriptor",
    "string name",
    "uint8 type",
    "string description",
    "string additional_constraints",
    "bool read_only",
    "bool dynamic_typing",
    "FloatingPointRange[<=1] floating_point_range",
    "IntegerRange[<=1] integer_range",
)


#: What ROS 2 tells of a call to those who watch a service. It is not sent here, but belongs to the hash of a service.
ServiceEventInfo = message(
    "service_msgs/msg/ServiceEventInfo",
    "uint8 event_type",
    "builtin_interfaces/Time stamp",
    "uint8[16] client_gid",
    "int64 sequence_number",
)


@dataclass(frozen=True)
class ServiceType:
    """The messages of a service.

    ros_type: as lifecycle_msgs/srv/ChangeState.
    """

    ros_type: str
    request: type[Message]
    response: type[Message]


def _service(name: str, request: Sequence[str], response: Sequence[str]) -> ServiceType:
    package, short = name.split("/")
    made: list[Any] = [
        message(f"{package}/srv/{short}_{part}", *lines)
        for part, lines in (("Request", request), ("Response", response))
    ]
    return ServiceType(f"{package}/srv/{short}", *made)


LIFECYCLE = {
    "change_state": _service("lifecycle_msgs/ChangeState", ["Transition transition"], ["bool success"]),
    "get_state": _service("lifecycle_msgs/GetState", [], ["State current_state"]),
    "get_available_transitions": _service(
        "lifecycle_msgs/GetAvailableTransitions", [], ["TransitionDescription[] available_transitions"]
    ),
}
PARAMETERS = {
    "describe_parameters": _service(
        "rcl_interfaces/DescribeParameters", ["string[] names"], ["ParameterDescriptor[] descriptors"]
    ),
    "get_parameters": _service("rcl_interfaces/GetParameters", ["string[] names"], ["ParameterValue[] values"]),
    "get_parameter_types": _service("rcl_interfaces/GetParameterTypes", ["string[] names"], ["uint8[] types"]),
    "list_parameters": _service(
        "rcl_interfaces/ListParameters", ["string[] prefixes", "uint64 depth"], ["ListParametersResult result"]
    ),
    "set_parameters": _service(
        "rcl_interfaces/SetParameters", ["Parameter[] parameters"], ["SetParametersResult[] results"]
    ),
    "set_parameters_atomically": _service(
        "rcl_interfaces/SetParametersAtomically", ["Parameter[] parameters"], ["SetParametersResult result"]
    ),
}
