"""The services of a managed node and of its parameters as IDL types, as rmw_cyclonedds writes them.

A service is two topics, rq/<name>Request and rr/<name>Reply. Each sample begins with the client's id and the number of
the request; the reply repeats those of its request.
"""

# As in `geometry_msgs`.
# mypy: ignore-errors
from dataclasses import dataclass, field
from typing import Any

from cyclonedds.idl import IdlStruct, make_idl_struct
from cyclonedds.idl.types import byte, float64, int64, sequence, uint8, uint64

#: ROS 2 puts this field into a message that has none.
EMPTY = {"structure_needs_at_least_one_member": uint8}


@dataclass
class State(IdlStruct, typename="lifecycle_msgs::msg::dds_::State_"):
    id: uint8 = 0
    label: str = ""


@dataclass
class Transition(IdlStruct, typename="lifecycle_msgs::msg::dds_::Transition_"):
    id: uint8 = 0
    label: str = ""


@dataclass
class TransitionDescription(IdlStruct, typename="lifecycle_msgs::msg::dds_::TransitionDescription_"):
    transition: Transition = field(default_factory=Transition)
    start_state: State = field(default_factory=State)
    goal_state: State = field(default_factory=State)


@dataclass
class ParameterValue(IdlStruct, typename="rcl_interfaces::msg::dds_::ParameterValue_"):
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
class Parameter(IdlStruct, typename="rcl_interfaces::msg::dds_::Parameter_"):
    name: str = ""
    value: ParameterValue = field(default_factory=ParameterValue)


@dataclass
class SetParametersResult(IdlStruct, typename="rcl_interfaces::msg::dds_::SetParametersResult_"):
    successful: bool = False
    reason: str = ""


@dataclass
class ListParametersResult(IdlStruct, typename="rcl_interfaces::msg::dds_::ListParametersResult_"):
    names: sequence[str] = field(default_factory=list)
    prefixes: sequence[str] = field(default_factory=list)


@dataclass
class FloatingPointRange(IdlStruct, typename="rcl_interfaces::msg::dds_::FloatingPointRange_"):
    from_value: float64 = 0.0
    to_value: float64 = 0.0
    step: float64 = 0.0


@dataclass
class IntegerRange(IdlStruct, typename="rcl_interfaces::msg::dds_::IntegerRange_"):
    from_value: int64 = 0
    to_value: int64 = 0
    step: uint64 = 0


@dataclass
class ParameterDescriptor(IdlStruct, typename="rcl_interfaces::msg::dds_::ParameterDescriptor_"):
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
    """request, response: IdlStructs whose first two fields say which request of which client it is."""

    request: type
    response: type


def _service(name: str, request: dict[str, Any], response: dict[str, Any]) -> ServiceType:
    package, short = name.split("/")
    who = {"guid": uint64, "sequence_number": int64}
    return ServiceType(
        *(
            make_idl_struct(f"{short}_{part}", f"{package}::srv::dds_::{short}_{part}_", {**who, **fields})
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
