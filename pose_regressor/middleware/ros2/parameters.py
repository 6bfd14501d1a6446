"""Declared settings as ROS 2 parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    ParameterType,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

from pose_regressor.settings import Parameter, Some
from pose_regressor.types import InputError

#: Every rclpy node has these parameters anyway.
BUILT_IN = {"use_sim_time", "start_type_description_service"}
TYPES = {
    "bool": ParameterType.PARAMETER_BOOL,
    "int": ParameterType.PARAMETER_INTEGER,
    "float": ParameterType.PARAMETER_DOUBLE,
    "string": ParameterType.PARAMETER_STRING,
    "string_array": ParameterType.PARAMETER_STRING_ARRAY,
}


def declare_parameters(node: Node, kind: type[Some], config: Some | None = None) -> Some:
    """Declares all parameters of a kind of config, with descriptors, and returns their values.

    The values are `config`; without one, those given to the node by ``--ros-args``. The node must have been made with
    ``automatically_declare_parameters_from_overrides=True``: otherwise rclpy silently ignores unknown parameters.
    InputError: a parameter is unknown, or out of its range.
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
    """Passes changed parameters to `tune`. If that raises an InputError, the change is refused."""

    def on_set(parameters: list[RosParameter]) -> SetParametersResult:
        try:
            tune({p.name: p.value for p in parameters if p.name not in BUILT_IN})
        except InputError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    node.add_on_set_parameters_callback(on_set)


def describe(parameter: Parameter) -> ParameterDescriptor:
    """The parameter's descriptor, as `ros2 param describe` shows it."""
    descriptor = ParameterDescriptor(
        name=parameter.name,
        type=TYPES[parameter.kind],
        description=parameter.full_description,
        additional_constraints="" if parameter.kind in ("int", "float") else parameter.constraint,
        read_only=not parameter.live,
    )
    if parameter.kind == "float":
        descriptor.floating_point_range = [FloatingPointRange(from_value=parameter.low, to_value=parameter.high)]
    if parameter.kind == "int":
        ends = {"from_value": int(parameter.low), "to_value": int(parameter.high)}
        descriptor.integer_range = [IntegerRange(**ends, step=parameter.multiple)]
    return descriptor


def _ros_value(value: Any) -> Any:
    # rclpy takes an empty list for a list of bytes.
    return list(value or ("",)) if isinstance(value, tuple) else value
