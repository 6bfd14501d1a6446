"""What nodes say of themselves (graph and diagnostics), and the services of lifecycle and parameters."""

from dataclasses import dataclass, replace

from cyclonedds.idl import IdlStruct, make_idl_struct
from cyclonedds.idl.types import array, bounded_str, float64, int64, sequence, uint8, uint64

from .messages import Header


@dataclass
class Gid(IdlStruct, typename="rmw_dds_common::msg::dds_::Gid_"):
    data: array[uint8, 16]


@dataclass
class NodeEntities(IdlStruct, typename="rmw_dds_common::msg::dds_::NodeEntitiesInfo_"):
    node_namespace: bounded_str[256]
    node_name: bounded_str[256]
    reader_gid_seq: sequence[Gid]
    writer_gid_seq: sequence[Gid]


@dataclass
class ParticipantEntities(IdlStruct, typename="rmw_dds_common::msg::dds_::ParticipantEntitiesInfo_"):
    gid: Gid
    node_entities_info_seq: sequence[NodeEntities]


@dataclass
class KeyValue(IdlStruct, typename="diagnostic_msgs::msg::dds_::KeyValue_"):
    key: str
    value: str


@dataclass
class DiagnosticStatus(IdlStruct, typename="diagnostic_msgs::msg::dds_::DiagnosticStatus_"):
    level: uint8  # a byte, which rmw_cyclonedds announces so
    name: str
    message: str
    hardware_id: str
    values: sequence[KeyValue]


@dataclass
class DiagnosticArray(IdlStruct, typename="diagnostic_msgs::msg::dds_::DiagnosticArray_"):
    header: Header
    status: sequence[DiagnosticStatus]


@dataclass
class LifecycleTransition(IdlStruct, typename="lifecycle_msgs::msg::dds_::Transition_"):
    id: uint8
    label: str


@dataclass
class LifecycleState(IdlStruct, typename="lifecycle_msgs::msg::dds_::State_"):
    id: uint8
    label: str


def announced_without_id(*fields):
    """A service's class whose minimal type information has these fields only, as rmw_cyclonedds 4.1 announces it.

    cyclonedds 11 compares these halves of two types, and the complete one says what is in a sample.
    """

    def announce(kind):
        plain = make_idl_struct(kind.__name__, kind.__idl_typename__, {f: kind.__annotations__[f] for f in fields})
        own, other = kind.__idl__, plain.__idl__
        information = replace(own.get_type_info(), minimal=other.get_type_info().minimal)
        pairs = other.get_type_mapping().identifier_object_pair_minimal
        own._xt_data = (information, replace(own.get_type_mapping(), identifier_object_pair_minimal=pairs))
        own._xt_bytedata = tuple(part.serialize(use_version_2=True)[4:] for part in own._xt_data)
        return kind

    return announce


@announced_without_id("transition")
@dataclass
class ChangeStateRequest(IdlStruct, typename="lifecycle_msgs::srv::dds_::ChangeState_Request_"):
    guid: uint64
    sequence_number: int64
    transition: LifecycleTransition


@announced_without_id("success")
@dataclass
class ChangeStateResponse(IdlStruct, typename="lifecycle_msgs::srv::dds_::ChangeState_Response_"):
    guid: uint64
    sequence_number: int64
    success: bool


@announced_without_id("structure_needs_at_least_one_member")
@dataclass
class GetStateRequest(IdlStruct, typename="lifecycle_msgs::srv::dds_::GetState_Request_"):
    guid: uint64
    sequence_number: int64
    structure_needs_at_least_one_member: uint8


@announced_without_id("current_state")
@dataclass
class GetStateResponse(IdlStruct, typename="lifecycle_msgs::srv::dds_::GetState_Response_"):
    guid: uint64
    sequence_number: int64
    current_state: LifecycleState


@dataclass
class ParameterValue(IdlStruct, typename="rcl_interfaces::msg::dds_::ParameterValue_"):
    type: uint8 = 0
    bool_value: bool = False
    integer_value: int64 = 0
    double_value: float64 = 0.0
    string_value: str = ""
    byte_array_value: sequence[uint8] = ()
    bool_array_value: sequence[bool] = ()
    integer_array_value: sequence[int64] = ()
    double_array_value: sequence[float64] = ()
    string_array_value: sequence[str] = ()


@dataclass
class Parameter(IdlStruct, typename="rcl_interfaces::msg::dds_::Parameter_"):
    name: str
    value: ParameterValue


@dataclass
class SetParametersResult(IdlStruct, typename="rcl_interfaces::msg::dds_::SetParametersResult_"):
    successful: bool
    reason: str


@announced_without_id("parameters")
@dataclass
class SetParametersRequest(IdlStruct, typename="rcl_interfaces::srv::dds_::SetParameters_Request_"):
    guid: uint64
    sequence_number: int64
    parameters: sequence[Parameter]


@announced_without_id("results")
@dataclass
class SetParametersResponse(IdlStruct, typename="rcl_interfaces::srv::dds_::SetParameters_Response_"):
    guid: uint64
    sequence_number: int64
    results: sequence[SetParametersResult]
