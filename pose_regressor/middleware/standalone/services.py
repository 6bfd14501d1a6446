"""A node's services: for `ros2 lifecycle` and lifecycle managers, and for `ros2 param`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pose_regressor.middleware.kit.lifecycle import State, Transition
from pose_regressor.middleware.kit.log import Log
from pose_regressor.middleware.kit.managed import Managed
from pose_regressor.middleware.standalone.participant import Service
from pose_regressor.middleware.wire import service_types
from pose_regressor.settings import Parameter
from pose_regressor.types import InputError

types: Any = service_types
#: By rcl_interfaces/ParameterType: the field of a ParameterValue that holds the value.
FIELDS = {
    1: "bool_value",
    2: "integer_value",
    3: "double_value",
    4: "string_value",
    5: "byte_array_value",
    6: "bool_array_value",
    7: "integer_array_value",
    8: "double_array_value",
    9: "string_array_value",
}
KINDS = {"bool": 1, "int": 2, "float": 3, "string": 4, "string_array": 9}


class NodeServices:
    """Answers the requests for a managed node. Each service has the name of the method that answers it."""

    def __init__(self, managed: Managed[Any], log: Log) -> None:
        self._managed, self._log = managed, log
        self._table: dict[str, Parameter] = {parameter.name: parameter for parameter in managed.config.table()}

    def all(self) -> list[Service]:
        kinds = {**types.LIFECYCLE, **types.PARAMETERS}
        return [Service(f"~/{name}", kind, getattr(self, name)) for name, kind in kinds.items()]

    def change_state(self, request: Any) -> Mapping[str, Any]:
        if reason := self._managed.change(request.transition.label or request.transition.id):
            self._log.error(reason)
        return {"success": not reason}

    def get_state(self, _: Any) -> Mapping[str, Any]:
        return {"current_state": _state(self._managed.lifecycle.state)}

    def get_available_transitions(self, _: Any) -> Mapping[str, Any]:
        return {"available_transitions": [_description(t) for t in self._managed.lifecycle.available]}

    def describe_parameters(self, request: Any) -> Mapping[str, Any]:
        return {"descriptors": [_descriptor(self._table[name]) for name in request.names if name in self._table]}

    def get_parameters(self, request: Any) -> Mapping[str, Any]:
        config, table = self._managed.config, self._table
        return {"values": [_value(table[n], getattr(config, n)) for n in request.names if n in table]}

    def get_parameter_types(self, request: Any) -> Mapping[str, Any]:
        return {"types": [KINDS[self._table[name].kind] for name in request.names if name in self._table]}

    def list_parameters(self, request: Any) -> Mapping[str, Any]:
        names = [name for name in self._table if not request.prefixes or name in request.prefixes]
        return {"result": types.ListParametersResult(names, [])}

    def set_parameters(self, request: Any) -> Mapping[str, Any]:
        return {"results": [self._set([parameter]) for parameter in request.parameters]}

    def set_parameters_atomically(self, request: Any) -> Mapping[str, Any]:
        return {"result": self._set(request.parameters)}

    def _set(self, parameters: list[Any]) -> Any:
        values = {p.name: getattr(p.value, FIELDS[p.value.type]) if p.value.type else None for p in parameters}
        try:
            self._managed.tune(values)
        except InputError as error:
            return types.SetParametersResult(False, str(error))
        return types.SetParametersResult(True, "")


def _state(state: State) -> Any:
    return types.State(state, state.label)


def _description(transition: Transition) -> Any:
    own = types.Transition(transition.number, transition.label)
    return types.TransitionDescription(own, _state(transition.start), _state(transition.through))


def _value(parameter: Parameter, value: Any) -> Any:
    kind = KINDS[parameter.kind]
    return types.ParameterValue(type=kind, **{FIELDS[kind]: list(value) if isinstance(value, tuple) else value})


def _descriptor(parameter: Parameter) -> Any:
    kind, low, high = parameter.kind, parameter.low, parameter.high
    numbers = [types.FloatingPointRange(low, high, 0.0)] if kind == "float" else []
    whole = [types.IntegerRange(int(low), int(high), parameter.multiple)] if kind == "int" else []
    return types.ParameterDescriptor(
        name=parameter.name,
        type=KINDS[kind],
        description=parameter.full_description,
        additional_constraints="" if numbers or whole else parameter.constraint,
        read_only=not parameter.live,
        floating_point_range=numbers,
        integer_range=whole,
    )
