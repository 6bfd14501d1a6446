"""The table of `middleware.parameters` as ROS 2 parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, ParameterDescriptor, ParameterType, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

from pose_regressor.settings import Parameter, Some
from pose_regressor.types import InputError

#: Every rclpy node has these itself.
BUILT_IN = {"use_sim_time", "start_type_description_service"}
TYPES = {
    "bool": ParameterType.PARAMETER_BOOL,
    "float": ParameterType.PARAMETER_DOUBLE,
    "string": ParameterType.PARAMETER_STRING,
    "string_array": ParameterType.PARAMETER_STRING_ARRAY,
}


def declare_parameters(node: Node, kind: type[Some], config: Some | None = None) -> Some:
    """Declares the whole table of a `kind` of parameters with descriptors and returns the values in use: `config`, else
    what was given to the node by ``--ros-args``. InputError names a parameter that is unknown or out of its range.

    The node must have been made with ``automatically_declare_parameters_from_overrides=True``: only so can those that
    nobody knows be seen, which rclpy would pass over in silence.
    """
    given = {name: p.value for name, p in node.get_parameters_by_prefix("").items() if name not in BUILT_IN}
    for name in given:
        node.undeclare_parameter(name)
    config = config or kind.from_dict(given)
    for parameter in config.table():
        value = _ros_value(getattr(config, parameter.name))
        node.declare_parameter(parameter.name, value, describe(parameter), ignore_override=True)
    return config


def follow_changes(node: Node, tune: Callable[[dict[str, Any]], object]) -> None:
    """Hands changed parameters to `tune`, whose InputError refuses them."""

    def on_set(parameters: list[RosParameter]) -> SetParametersResult:
        try:
            tune({p.name: p.value for p in parameters if p.name not in BUILT_IN})
        except InputError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    node.add_on_set_parameters_callback(on_set)


def describe(parameter: Parameter) -> ParameterDescriptor:
    descriptor = ParameterDescriptor(
        name=parameter.name,
        type=TYPES[parameter.kind],
        description=parameter.full_description,
        additional_constraints="" if parameter.kind == "float" else parameter.constraint,
        read_only=not parameter.live,
    )
    if parameter.kind == "float":
        descriptor.floating_point_range = [FloatingPointRange(from_value=parameter.low, to_value=parameter.high)]
    return descriptor


def _ros_value(value: Any) -> Any:
    # rclpy takes an empty list for one of bytes.
    return list(value or ("",)) if isinstance(value, tuple) else value
