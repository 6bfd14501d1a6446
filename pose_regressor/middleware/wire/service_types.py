"""The services of a managed node and of its parameters, as the messages of their requests and responses."""

# As in `geometry_msgs`.
# mypy: ignore-errors
from dataclasses import dataclass, field
from typing import Any

from pose_regressor.middleware.wire.fields import byte, float64, int64, sequence, uint8, uint64
from pose_regressor.middleware.wire.message import Message, message_class

#: ROS 2 puts this field into a message that has none.
EMPTY = {"structure_needs_at_least_one_member": uint8}


@dataclass
class State(Message, name="lifecycle_msgs/msg/State"):
    id: uint8 = 0
    label: str = ""


@dataclass
class Transition(Message, name="lifecycle_msgs/msg/Transition"):
    id: uint8 = 0
    label: str = ""


@dataclass
class TransitionDescription(Message, name="lifecycle_msgs/msg/TransitionDescription"):
    transition: Transition = field(default_factory=Transition)
    start_state: State = field(default_factory=State)
    goal_state: State = field(default_factory=State)


@dataclass
class ParameterValue(Message, name="rcl_interfaces/msg/ParameterValue"):
    type: uint8 = 0
    bool_value: bool = False
    integer_value: int64 = 0
    double_value: float64 = 0.0
    string_value: str = ""
    byte_array_value: sequence[byte] = field(default_factory=list)
    bool_array_value: sequence[bool] = field(default_factory=list)
    integer_array_value: sequence[int64] = field(default_factory=list)
    double_array_value: sequence[float64] = field(default_factory=list)
    string_array_value: sequence[str] = field(default_factory=list)


@dataclass
class Parameter(Message, name="rcl_interfaces/msg/Parameter"):
    name: str = ""
    value: ParameterValue = field(default_factory=ParameterValue)


@dataclass
class SetParametersResult(Message, name="rcl_interfaces/msg/SetParametersResult"):
    successful: bool = False
    reason: str = ""


@dataclass
class ListParametersResult(Message, name="rcl_interfaces/msg/ListParametersResult"):
    names: sequence[str] = field(default_factory=list)
    prefixes: sequence[str] = field(default_factory=list)


@dataclass
class FloatingPointRange(Message, name="rcl_interfaces/msg/FloatingPointRange"):
    from_value: float64 = 0.0
    to_value: float64 = 0.0
    step: float64 = 0.0


@dataclass
class IntegerRange(Message, name="rcl_interfaces/msg/IntegerRange"):
    from_value: int64 = 0
    to_value: int64 = 0
    step: uint64 = 0


@dataclass
class ParameterDescriptor(Message, name="rcl_interfaces/msg/ParameterDescriptor"):
    name: str = ""
    type: uint8 = 0
    description: str = ""
    additional_constraints: str = ""
    read_only: bool = False
    dynamic_typing: bool = False
    floating_point_range: sequence[FloatingPointRange, 1] = field(default_factory=list)
    integer_range: sequence[IntegerRange, 1] = field(default_factory=list)


@dataclass(frozen=True)
class ServiceType:
    """The two message classes of a service."""

    request: type[Message]
    response: type[Message]


def _service(name: str, request: dict[str, Any], response: dict[str, Any]) -> ServiceType:
    package, short = name.split("/")
    return ServiceType(
        *(
            message_class(f"{package}/srv/{short}_{part}", fields)
            for part, fields in (("Request", request), ("Response", response))
        )
    )


NAMES, SETTING = {"names": sequence[str]}, {"parameters": sequence[Parameter]}
TRANSITIONS = {"available_transitions": sequence[TransitionDescription]}
LIFECYCLE = {
    "change_state": _service("lifecycle_msgs/ChangeState", {"transition": Transition}, {"success": bool}),
    "get_state": _service("lifecycle_msgs/GetState", EMPTY, {"current_state": State}),
    "get_available_transitions": _service("lifecycle_msgs/GetAvailableTransitions", EMPTY, TRANSITIONS),
}
PARAMETERS = {
    "describe_parameters": _service(
        "rcl_interfaces/DescribeParameters", NAMES, {"descriptors": sequence[ParameterDescriptor]}
    ),
    "get_parameters": _service("rcl_interfaces/GetParameters", NAMES, {"values": sequence[ParameterValue]}),
    "get_parameter_types": _service("rcl_interfaces/GetParameterTypes", NAMES, {"types": sequence[uint8]}),
    "list_parameters": _service(
        "rcl_interfaces/ListParameters", {"prefixes": sequence[str], "depth": uint64}, {"result": ListParametersResult}
    ),
    "set_parameters": _service("rcl_interfaces/SetParameters", SETTING, {"results": sequence[SetParametersResult]}),
    "set_parameters_atomically": _service(
        "rcl_interfaces/SetParametersAtomically", SETTING, {"result": SetParametersResult}
    ),
}
